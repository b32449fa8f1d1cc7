//! Has the own journal witnessed: one task asks the witnesses before the first entry, then has each new checkpoint
//! cosigned, and says how the journal stands.

mod client;
mod confirm;
mod round;
mod state;

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::assembly::policies::NewPolicy;
use crate::assembly::witnesses::LocatedWitness;
use crate::assembly::witnesses::Witnesses;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::evidence::witness_states::WitnessStates;
use crate::exchange::Exchange;
use crate::fault::chain;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::journal::HeldJournal;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalTrust;
use crate::journal::reader::Reader;
use crate::journal::tiles::Tiles;
use crate::name::Origin;
use crate::source::channel::Channel;
use crate::source::peer::channel::Peers;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use client::WitnessError;
pub use confirm::Contradiction;

/// How often new entries are cosigned.
const EVERY: Duration = Duration::from_secs(1);
/// A journal that gets no entry for so long gets a heartbeat: silence, too, is to be witnessed.
const SILENCE: Duration = Duration::from_secs(60);
/// Operators are told of entries that wait for so long, and every so often from then on.
const WARN_AFTER: Duration = Duration::from_secs(60);

/// Why the own journal takes no entries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReleased {
    #[error("the journal is not the one that its witnesses know")]
    Contradicted(#[from] Contradiction),
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
}

/// The task and all that it owns.
pub(crate) struct WitnessingTask {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) peers: Arc<Peers>,
    /// Swapped whole at a reload; empty when the settings name no policy.
    pub(crate) witnesses: Arc<ArcSwapOption<Witnesses>>,
    pub(crate) states: WitnessStates,
    pub(crate) origin: Origin,
    /// The public half of the own key.
    pub(crate) key: VerifierKey,
    pub(crate) tiles: Tiles,
    pub(crate) reader: Reader,
    pub(crate) max_age: Duration,
    /// Whether answers end when no quorum cosigns.
    pub(crate) demanded: bool,
    /// The policy of the start, until it is on record.
    pub(crate) policy: Option<NewPolicy>,
    /// The secrets that were lost before the start.
    pub(crate) lost: Vec<String>,
}

/// How far the witnesses are.
struct Progress {
    /// The size that a quorum has cosigned.
    witnessed: u64,
    /// When the oldest entry beyond it was written, to about a second; None if there is none.
    since: Option<Moment>,
    /// The journal's size, and when it grew to that.
    grown: (u64, Instant),
    warned: Option<Instant>,
}

impl WitnessingTask {
    /// Runs until the gateway stops. `confirmed` learns when entries may be written, or why they never may.
    pub(crate) async fn run(
        self,
        held: Option<HeldJournal>,
        confirmed: oneshot::Sender<Result<(), NotReleased>>,
        stop: CancellationToken,
    ) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work(held, confirmed) => {}
        }
    }

    async fn work(
        mut self,
        held: Option<HeldJournal>,
        confirmed: oneshot::Sender<Result<(), NotReleased>>,
    ) {
        let released = match held {
            Some(held) => self.release(held).await,
            None => Ok(()),
        };
        let refused = released.is_err();
        // Nobody waits for it any more when the gateway stops.
        let _ = confirmed.send(released);
        // Whether there is a policy is settled at the start; what it says may change.
        if !refused && self.witnesses.load().is_some() {
            self.submit_until_stopped().await;
        }
    }

    /// Lets the first entries in when the witnesses have nothing against it.
    async fn release(&mut self, held: HeldJournal) -> Result<(), NotReleased> {
        self.confirm(&held).await?;
        let journal = held.release()?;
        let lost = std::mem::take(&mut self.lost);
        started(&journal, "started", self.policy.take(), lost).await;
        Ok(())
    }

    async fn submit_until_stopped(&self) {
        let mut progress = self.resume().await;
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(witnesses) = self.witnesses.load_full() else {
                continue;
            };
            self.beat(&mut progress).await;
            self.round(&witnesses, &mut progress).await;
            self.judge(&witnesses, &mut progress);
        }
    }

    /// Where an earlier run of the gateway ended.
    async fn resume(&self) -> Progress {
        let witnessed = self.witnessed_before().await;
        let size = self.journal().checkpoint().size();
        Progress {
            witnessed,
            since: match witnessed < size {
                true => Some(self.time_of(witnessed).await),
                false => None,
            },
            grown: (size, Instant::now()),
            warned: None,
        }
    }

    /// The size of the checkpoint on disk that satisfies the policy of today; 0 if there is none.
    async fn witnessed_before(&self) -> u64 {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || reader.witnessed()).await;
        let note = match read {
            Ok(Ok(note)) => note,
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the witnessed checkpoint cannot be read");
                None
            }
            Err(_) => None,
        };
        let witnesses = self.witnesses.load_full();
        let satisfies = |checkpoint: &SignedCheckpoint| {
            witnesses.is_some_and(|witnesses| witnesses.policy.satisfied(checkpoint).is_ok())
        };
        note.and_then(|note| SignedCheckpoint::open(&note, from_ref(&self.key)).ok())
            .filter(satisfies)
            .map_or(0, |checkpoint| checkpoint.size())
    }

    /// When an entry was written; now, if that cannot be read.
    async fn time_of(&self, index: u64) -> Moment {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || reader.entry(index)).await;
        match read {
            Ok(Ok(Some(stored))) => stored.leaf.time,
            Ok(Ok(None)) | Ok(Err(_)) | Err(_) => self.now(),
        }
    }

    async fn beat(&self, progress: &mut Progress) {
        let size = self.journal().checkpoint().size();
        if size != progress.grown.0 {
            progress.grown = (size, Instant::now());
        } else if progress.grown.1.elapsed() >= SILENCE {
            progress.grown.1 = Instant::now();
            if let Err(error) = self.journal().append(Entry::heartbeat()).await {
                tracing::warn!(error = %chain(&error), "the journal's silence is not on record");
            }
        }
    }

    /// Says how the journal stands, by the age of its oldest entry that no quorum has cosigned.
    fn judge(&self, witnesses: &Witnesses, progress: &mut Progress) {
        if self.journal().checkpoint().size() <= progress.witnessed {
            progress.since = None;
        } else if progress.since.is_none() {
            progress.since = Some(self.now());
        }
        let age = progress.since.map_or(Duration::ZERO, |since| {
            Duration::from_micros(self.now().since(since))
        });
        metrics::gauge!("landbridge_witness_unwitnessed_seconds").set(age.as_secs_f64());
        let standing = match progress.since {
            Some(since) if self.demanded && age >= self.max_age => JournalTrust::Unwitnessed {
                since,
                why: self.states.why(&witnesses.all),
            },
            Some(_) | None => JournalTrust::Good,
        };
        self.log_change(&standing, age, progress, witnesses);
        self.journal().set_trust(standing);
    }

    fn log_change(
        &self,
        standing: &JournalTrust,
        age: Duration,
        progress: &mut Progress,
        witnesses: &Witnesses,
    ) {
        let closes = matches!(standing, JournalTrust::Unwitnessed { .. });
        let closed = matches!(&*self.journal().trust(), JournalTrust::Unwitnessed { .. });
        let age_seconds = age.as_secs();
        match (closed, closes) {
            (false, true) => {
                let why = self.states.why(&witnesses.all);
                tracing::error!(
                    age_seconds,
                    why,
                    "nobody witnesses the journal: exchanges are refused"
                );
            }
            (true, false) => {
                tracing::info!("the journal is witnessed again: exchanges are answered")
            }
            (true, true) | (false, false) => {}
        }
        if age < WARN_AFTER {
            progress.warned = None;
        } else if progress.warned.is_none_or(|at| at.elapsed() >= WARN_AFTER) {
            progress.warned = Some(Instant::now());
            let why = self.states.why(&witnesses.all);
            tracing::warn!(
                age_seconds,
                why,
                "entries of the journal wait for their witnesses"
            );
        }
    }

    fn journal(&self) -> &Journal {
        self.exchange.journal()
    }

    fn now(&self) -> Moment {
        self.clock().now()
    }

    fn clock(&self) -> &Clock {
        self.exchange.clock()
    }

    /// The way to a witness, as the directory has it now.
    fn channel(&self, reached: &LocatedWitness) -> Result<Channel, WitnessError> {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        let department = snapshot.directory.other(own, &reached.department);
        Ok(self.peers.channel(department.ok_or(WitnessError::Gone)?))
    }
}

/// Puts on record that the gateway has started and how, and the policy if that is another than before.
pub(crate) async fn started(
    journal: &Journal,
    event: &str,
    policy: Option<NewPolicy>,
    lost: Vec<String>,
) {
    let listed = policy.as_ref().and_then(NewPolicy::listed);
    if !lost.is_empty() {
        tracing::warn!(
            ?lost,
            "started without secrets that were lost: they are made anew"
        );
    }
    let entry = Entry::started(event, env!("CARGO_PKG_VERSION"), listed, lost);
    match journal.append(entry).await {
        Ok(_) | Err(AppendError::Closed) => {}
        Err(error) => {
            tracing::error!(error = %chain(&error), "an event of the gateway is not on record");
        }
    }
    if let Some(policy) = policy {
        policy.record(journal).await;
    }
}
