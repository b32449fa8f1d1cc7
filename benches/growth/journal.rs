//! What an entry costs a journal that holds many already.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use futures::stream;
use futures::stream::StreamExt;
use futures::stream::TryStreamExt;
use landbridge::clock::Clock;
use landbridge::journal::Entry;
use landbridge::journal::Journal;
use landbridge::journal::JournalKeys;
use landbridge::journal::JournalSettings;

use crate::Axis;
use crate::Line;
use crate::harness::process::cpu_of;

/// Entries of the first measurement; each further one has ten times as many.
const FIRST: u64 = 10_000;
/// Entries that are measured at each size.
const SAMPLE: u64 = 80_000;
/// Under way at a time: while the journal is filled, and while it is measured.
const FILL: usize = 4_096;
const IN_FLIGHT: usize = 128;

pub(crate) async fn measure(folder: &Path, most: u64) -> anyhow::Result<Axis> {
    let dir = folder.join("journal");
    let (keys, _) = JournalKeys::load_or_create(&folder.join("key"), &folder.join("key-pq"))?;
    let (journal, _) = Journal::open(
        JournalSettings {
            dir: dir.clone(),
            origin: "gov.example/civil/1".to_owned(),
            linger: Duration::from_millis(1),
            segment_bytes: 64 << 20,
            max_unpublished_age: Duration::from_secs(60),
        },
        keys,
        Clock::System,
    )?;
    let (mut held, mut points, mut next) = (0, Vec::new(), FIRST);
    while next <= most {
        let begun = Instant::now();
        append(&journal, next - held, FILL).await?;
        let rate = (next - held) as f64 / begun.elapsed().as_secs_f64();
        eprintln!("a journal of {next} entries, {rate:.0} a second");
        published(&journal).await;
        let before = cpu_of(std::process::id())?;
        append(&journal, SAMPLE, IN_FLIGHT).await?;
        published(&journal).await;
        points.push((
            next as f64,
            (cpu_of(std::process::id())? - before) * 1e6 / SAMPLE as f64,
        ));
        held = next + SAMPLE;
        next *= 10;
    }
    journal.close();
    fs::remove_dir_all(dir)?;
    Ok(Axis {
        title: "Entries of the journal",
        of: "entries",
        lines: vec![Line {
            name: "a durable entry, its tree's files included",
            points,
        }],
    })
}

/// Waits for the tree's files, which are written after the commits.
async fn published(journal: &Journal) {
    while journal.published().size() < journal.checkpoint().size() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn append(journal: &Journal, entries: u64, at_a_time: usize) -> anyhow::Result<()> {
    let entries = stream::iter(0..entries).map(|_| {
        let entry = Entry::lifecycle("measured", env!("CARGO_PKG_VERSION"));
        Ok(async { journal.append(entry).await.map(|_| ()) })
    });
    Ok(entries
        .try_buffer_unordered(at_a_time)
        .try_collect()
        .await?)
}
