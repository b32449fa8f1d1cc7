//! Reads again what may change while the gateway runs: all of it comes into force, or none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Gateway;
use super::NewPolicy;
use super::inputs::Contents;
use super::log_cut;
use super::log_warnings;
use super::watch::REST;
use crate::assembly::Assembly;
use crate::assembly::TrustMaterial;
use crate::assembly::assemble;
use crate::assembly::run_blocking;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::journal::Entry;
use crate::publication::shelf::KeptRevision;

/// How often files that change meanwhile are read before a reload is given up.
const READINGS: u32 = 5;

/// What files came to, and what they said; nothing where they did not rest.
pub(super) struct ReadState {
    contents: Option<Contents>,
    pub(super) assembled: Result<Assembly, Vec<Fault>>,
}

impl Gateway {
    /// Reads everything again that may change while running, and puts all of it in place, or nothing.
    pub async fn reload(&self) -> Result<(), Vec<Fault>> {
        let _one = self.reloading.lock().await;
        let inputs = self.inputs.clone();
        if run_blocking(move || inputs.have_settings_changed()).await {
            let file = self.config.file.display();
            tracing::warn!(%file, "the settings have changed: they take effect at a restart");
        }
        let ReadState {
            contents,
            assembled,
        } = self.read_again(Vec::new()).await;
        if let Some(contents) = contents {
            self.inputs.mark_read(contents);
        }
        match assembled {
            Ok(assembled) => {
                self.put_in_place(assembled).await;
                Ok(())
            }
            Err(faults) => {
                set_refused(true);
                metrics::counter!("landbridge_reloads_total", "outcome" => "refused").increment(1);
                let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let revision = *self.exchange.snapshot().policy.revision();
                self.record(Entry::policy_refused(&revision, text.join("\n")))
                    .await;
                Err(faults)
            }
        }
    }

    /// Files that change while they are read may give a state that nobody has ever meant: it is not taken.
    pub(super) async fn read_again(&self, candidates: Vec<KeptRevision>) -> ReadState {
        for _ in 0..READINGS {
            let contents = self.inputs.contents_blocking().await;
            let assembled = self.read_once(candidates.clone()).await;
            if self.inputs.contents_blocking().await == contents {
                return ReadState {
                    contents: Some(contents),
                    assembled,
                };
            }
            sleep(REST).await;
        }
        let restless = Fault {
            file: self.config.file.display().to_string(),
            ..Fault::of_setting(
                "",
                "the files that it names change faster than they can be read; they are read when they rest",
            )
        };
        ReadState {
            contents: None,
            assembled: Err(vec![restless]),
        }
    }

    async fn read_once(&self, candidates: Vec<KeptRevision>) -> Result<Assembly, Vec<Fault>> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let trusted = run_blocking(move || TrustMaterial::load(&config, &clock)).await;
        let before = self.exchange.snapshot();
        assemble(
            &self.config,
            trusted,
            Ok(&self.reach),
            Some(before),
            candidates,
        )
        .await
    }

    pub(super) async fn put_in_place(&self, assembled: Assembly) {
        set_refused(false);
        log_warnings(&assembled, &self.config);
        let Assembly {
            snapshot,
            systems,
            peers,
            witnesses,
        } = assembled;
        self.witness.know(snapshot.journals.clone());
        self.witnesses.store(witnesses.map(Arc::new));
        let (directory, revision) = (snapshot.directory.clone(), *snapshot.policy.revision());
        let changed = revision != *self.exchange.snapshot().policy.revision();
        // Policy before trust: a connection that stays must already be judged by the new policy.
        self.retire(self.exchange.replace(Arc::new(snapshot)));
        let mut cut = self.systems.reload(systems, directory.clone());
        cut.extend(self.peers.reload(peers.clone(), directory.clone()));
        cut.extend(self.reach.connector.reload(peers, Some(directory)));
        log_cut(&cut);
        metrics::counter!("landbridge_reloads_total", "outcome" => "applied").increment(1);
        if changed {
            NewPolicy::of_reload(&self.config.journal.path, self.exchange.snapshot())
                .await
                .record(self.exchange.journal())
                .await;
        }
    }

    /// A large policy takes a quarter of a second to take apart: not on a thread that serves, whoever lets go of it last.
    fn retire(&self, snapshot: Arc<Snapshot>) {
        let stop = self.life.stop.clone();
        self.life.tasks.spawn(async move {
            while Arc::strong_count(&snapshot) > 1 && !stop.is_cancelled() {
                sleep(Duration::from_millis(100)).await;
            }
            run_blocking(move || drop(snapshot)).await;
        });
    }
}

/// While they are, what is in force is not what the files say.
fn set_refused(are: bool) {
    metrics::gauge!("landbridge_files_refused").set(f64::from(u8::from(are)));
}
