//! Journals on a real disk, and what they count.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use landbridge::clock::Clock;
use landbridge::journal::Journal;
use landbridge::journal::JournalKeys;
use landbridge::journal::JournalSettings;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Runtime;

pub(crate) const ORIGIN: &str = "gov.example/civil/1";
/// As in the sample's settings.
pub(crate) const LINGER: Duration = Duration::from_millis(1);
const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug)]
pub(crate) struct Bed {
    folder: PathBuf,
    /// Recorded as in a gateway, at the same cost.
    metrics: PrometheusHandle,
    pub(crate) runtime: Runtime,
}

impl Bed {
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            metrics: PrometheusBuilder::new().install_recorder()?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn journal(&self, name: &str, linger: Duration) -> anyhow::Result<Journal> {
        let (journal, _) = Journal::open(
            JournalSettings {
                dir: self.dir(name),
                origin: ORIGIN.to_owned(),
                linger,
                segment_bytes: SEGMENT_BYTES,
                max_unpublished_age: Duration::from_secs(60),
            },
            self.keys(name)?,
            Clock::System,
        )?;
        Ok(journal)
    }

    pub(crate) fn keys(&self, name: &str) -> anyhow::Result<JournalKeys> {
        let [ed25519, post_quantum] = ["key", "pq.key"].map(|kind| {
            let file = format!("{name}.{kind}");
            self.folder.join(file)
        });
        let (keys, _) = JournalKeys::load_or_create(&ed25519, &post_quantum)?;
        Ok(keys)
    }

    /// The commits of all journals since the start. Each is one flush of the log.
    pub(crate) fn commits(&self) -> anyhow::Result<f64> {
        let page = self.metrics.render();
        let count = page
            .lines()
            .find_map(|line| line.strip_prefix("landbridge_journal_commit_seconds_count "));
        Ok(count.context("no commits are counted")?.parse()?)
    }
}
