//! The journal: an append-only, tamper-evident log of every exchange.
//!
//! An answer is released against a `Receipt`, and only the journal makes one: when the entry is on disk.

pub mod erasures;
pub mod expiry;
pub mod pace;
pub mod policies;
pub mod reader;
pub mod retention;
pub mod statement;
pub mod subject;
pub mod tiles;
pub mod verify;

pub(crate) mod disk;
mod edge;
mod entry;
mod error;
mod follow;
mod frame;
mod keeper;
pub(crate) mod layout;
pub(crate) mod leaf;
mod opening;
mod publish;
pub(crate) mod recover;
mod salt;
pub(crate) mod scan;
mod segment;
mod trust;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::clock::Moment;
use crate::fault::chain;
use crate::tlog::checkpoint::Checkpoint;
pub use crate::tlog::key::JournalKey;
pub use crate::tlog::key::JournalKeys;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use disk::Disk;
pub use disk::DiskError;
use disk::RealDisk;
pub use entry::Entry;
pub use entry::PeerLeaf;
pub use entry::Receipt;
pub use error::AppendError;
pub use error::Failure;
pub use error::JournalError;
pub use error::JournalState;
pub use error::PublishError;
pub use frame::BadFrame;
use keeper::Keeper;
use keeper::SpareSegment;
use keeper::Stall;
use layout::Layout;
pub use leaf::BadLeaf;
pub use leaf::Kind;
pub use leaf::LEAF_BYTES;
pub use leaf::Leaf;
pub use leaf::Outcome;
pub use leaf::PeerEntry;
pub use leaf::Role;
pub use leaf::leaf_hash;
pub use opening::OpenEntry;
use opening::Opening;
pub use opening::StreamEnd;
use pace::Pace;
use publish::Publisher;
use publish::WitnessedNote;
pub use trust::HeldJournal;
pub use trust::JournalTrust;
use verify::Fault;
use verify::Report;
use verify::Scope;
use verify::verify_within;
use writer::AfterCommit;
use writer::Batch;
use writer::Message;
use writer::Pending;
use writer::Writer;

/// The entries that may wait for a commit; closing entries of streams are taken beyond it.
const INTAKE: usize = 8_192;
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Whether this build is one for measurements, whose journal keeps nothing.
pub(crate) const IS_NULL: bool = cfg!(feature = "null-journal");

#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// The journal's directory; made if it is not there.
    pub dir: PathBuf,
    /// The journal's name, e.g. `gov.example/civil/1`: neither white space nor `+`.
    pub origin: String,
    /// How long entries may gather for one flush while others are being written; 1 ms is a good value.
    pub linger: Duration,
    /// The greatest size of a segment, in bytes; at least 4 KiB. 64 MiB is a good value.
    pub segment_bytes: u64,
    /// How long entries are taken while no checkpoint can be published: what others have not seen can be cut off unnoticed.
    pub max_unpublished_age: Duration,
}

/// A handle on an open journal. The commit thread owns the log.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

/// What the handles and the journal's threads share.
#[derive(Debug)]
struct Shared {
    origin: Arc<str>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    verifier: VerifierKey,
    /// The latest commit's. Written by the commit thread.
    checkpoint: ArcSwap<SignedCheckpoint>,
    /// What `state/signed` holds. Written by the keeper.
    published: ArcSwap<SignedCheckpoint>,
    witnessed: WitnessedNote,
    /// Written by whoever asks the witnesses.
    standing: ArcSwap<JournalTrust>,
    failed: OnceLock<Arc<Failure>>,
    /// Why entries were refused for want of room. Emptied by the keeper when there is room again.
    full: ArcSwapOption<DiskError>,
    /// Written by the keeper.
    stall: ArcSwapOption<Stall>,
    max_unpublished_age: Duration,
    spare: SpareSegment,
    /// The entries in the queue that count against `INTAKE`.
    waiting: AtomicUsize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a recovery found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    pub entries: u64,
    /// Bytes of a torn commit, which nobody was told of, that were cut off.
    pub cut_bytes: u64,
    /// Streams that the last run left open. Their closing entries, with the reason `INTERRUPTED`, come first.
    pub interrupted: Vec<u64>,
    /// Whether the tree's files were lost or damaged and have been made anew.
    pub tree_rebuilt: bool,
    /// The last entry's time. While the clock stands before it, entries bear this time.
    pub last_time: Option<Moment>,
}

impl Journal {
    /// Opens or creates a journal. A torn tail is cut back to the last complete commit, never further; a journal that has
    /// less than it has published is refused.
    pub fn open(
        settings: JournalSettings,
        keys: JournalKeys,
        clock: Clock,
    ) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(Arc::new(RealDisk), PUBLISH_EVERY, settings, keys, clock)
    }

    /// The same, but takes no entry until it is released: what is there may be a copy made earlier.
    pub fn open_held(
        settings: JournalSettings,
        keys: JournalKeys,
        clock: Clock,
    ) -> Result<(HeldJournal, Recovery), JournalError> {
        Self::open_held_on(Arc::new(RealDisk), PUBLISH_EVERY, settings, keys, clock)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        publish_every: Duration,
        settings: JournalSettings,
        keys: JournalKeys,
        clock: Clock,
    ) -> Result<(Self, Recovery), JournalError> {
        let (held, recovery) = Self::open_held_on(disk, publish_every, settings, keys, clock)?;
        Ok((held.release()?, recovery))
    }

    fn open_held_on(
        disk: Arc<dyn Disk>,
        publish_every: Duration,
        settings: JournalSettings,
        keys: JournalKeys,
        clock: Clock,
    ) -> Result<(HeldJournal, Recovery), JournalError> {
        if IS_NULL {
            tracing::error!(
                "THIS BUILD KEEPS NO JOURNAL (feature `null-journal`): it is for measurements only, and must never serve"
            );
        }
        let [verifier, post_quantum] = keys
            .verifiers(&settings.origin)
            .map_err(JournalError::Origin)?;
        let key = keys.journal;
        let layout = Layout::new(&settings.dir);
        let mut recovered = recover::recover(&*disk, &layout, &verifier, settings.segment_bytes)?;
        let frontier = recovered.follower.frontier().clone();
        let checkpoint = key.sign(
            Checkpoint {
                origin: settings.origin.clone(),
                size: frontier.size(),
                root: frontier.root(),
            },
            &verifier,
        );
        // Before the first entry is taken, so that a journal with entries always has a published checkpoint.
        let publisher = Publisher {
            disk: disk.clone(),
            layout: layout.clone(),
            key: keys.post_quantum,
            verifier: post_quantum,
            clock: clock.clone(),
        };
        let published = publisher.publish(&mut recovered.follower, &checkpoint)?;
        let shared = Arc::new(Shared {
            origin: settings.origin.into(),
            disk: disk.clone(),
            layout: layout.clone(),
            verifier: verifier.clone(),
            checkpoint: ArcSwap::from_pointee(checkpoint),
            published: ArcSwap::from_pointee(published),
            witnessed: WitnessedNote::new(disk.clone(), layout.clone()),
            standing: ArcSwap::from_pointee(JournalTrust::Unconfirmed {
                why: "no witness has been asked yet".to_owned(),
            }),
            failed: OnceLock::new(),
            full: ArcSwapOption::empty(),
            stall: ArcSwapOption::empty(),
            max_unpublished_age: settings.max_unpublished_age,
            spare: SpareSegment::default(),
            waiting: AtomicUsize::new(0),
            thread: Mutex::new(None),
        });
        let (queue, messages) = mpsc::channel();
        let (rolled, roll) = mpsc::channel();
        let spare_bytes = recovered.segment.next_capacity(settings.segment_bytes);
        let keeper = Keeper {
            publisher,
            shared: shared.clone(),
            follower: recovered.follower,
            spare_bytes,
            greatest_bytes: settings.segment_bytes,
            published: frontier.size(),
            retry: None,
        };
        let keeper = spawn("journal-keeper", move || keeper.run(&roll, publish_every))?;
        let writer = Writer {
            queue: messages,
            shared: shared.clone(),
            disk,
            layout,
            key,
            verifier,
            clock,
            linger: match IS_NULL {
                true => Duration::ZERO,
                false => settings.linger,
            },
            greatest_bytes: settings.segment_bytes,
            segment: recovered.segment,
            frontier,
            last_time: recovered.report.last_time.unwrap_or(Moment::from_micros(0)),
            open: recovered.report.interrupted.iter().copied().collect(),
            rolled,
            keeper,
            batch: Batch::default(),
            commits: 0,
        };
        let lock = recovered.lock;
        let thread = spawn("journal-commit", move || {
            writer.run();
            drop(lock);
        })?;
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        let held = HeldJournal {
            journal: Self { queue, shared },
            unclosed: recovered.unclosed,
        };
        Ok((held, recovered.report))
    }

    /// Gives a receipt when the entry is durable. Once this was polled, the entry is written whether or not anybody waits.
    pub async fn append(&self, entry: Entry) -> Result<Receipt, AppendError> {
        let (reply, receipt) = oneshot::channel();
        self.send_new(entry.pending(AfterCommit::Append(reply))?)?;
        self.wait(receipt).await
    }

    /// As [`append`](Self::append), for threads of their own: it blocks.
    fn append_blocking(&self, entry: Entry) -> Result<Receipt, AppendError> {
        let (reply, receipt) = oneshot::channel();
        self.send_new(entry.pending(AfterCommit::Append(reply))?)?;
        receipt
            .blocking_recv()
            .unwrap_or_else(|_| Err(self.shared.ended()))
    }

    /// Goes on in a new segment, so that the one that was being written can be rewritten. Blocks until it has.
    fn seal_segment(&self) -> Result<(), AppendError> {
        let (reply, sealed) = oneshot::channel();
        self.queue
            .send(Message::Seal(reply))
            .map_err(|_| self.shared.ended())?;
        sealed
            .blocking_recv()
            .unwrap_or_else(|_| Err(self.shared.ended()))
    }

    /// Opens a streamed exchange: its entry becomes an intent. Whatever happens from here on, a closing entry follows.
    pub async fn begin(&self, entry: Entry) -> Result<OpenEntry, AppendError> {
        let (reply, opened) = oneshot::channel();
        let entry = Entry {
            kind: Kind::Intent,
            ..entry
        };
        let opening = Box::new(Opening::new(self, &entry));
        self.send_new(entry.pending(AfterCommit::Begin(reply, opening))?)?;
        self.wait(opened).await
    }

    /// Of the latest commit.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        self.shared.checkpoint.load_full()
    }

    /// The one that others read, with both of the journal's signatures. The tree's files hold at least its entries.
    pub fn published(&self) -> Arc<SignedCheckpoint> {
        self.shared.published.load_full()
    }

    /// Makes a published checkpoint durable with the cosignatures that witnesses have added to it. The caller has verified
    /// them. Blocks until it is on disk. A failure leaves the former one; it does not end the journal.
    pub fn publish_witnessed(&self, checkpoint: &SignedCheckpoint) -> Result<(), DiskError> {
        self.shared.witnessed.replace(checkpoint)
    }

    /// The public half of the key that signs each commit.
    pub fn verifier(&self) -> &VerifierKey {
        &self.shared.verifier
    }

    /// The journal's name.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    pub fn state(&self) -> JournalState {
        if let Some(failure) = self.shared.failed.get() {
            return JournalState::Failed(failure.clone());
        }
        let full = self.shared.full.load_full();
        if let Some(error) = full.or_else(|| self.shared.stalled()) {
            return JournalState::Full(error);
        }
        match &*self.shared.stall.load() {
            Some(stall) => JournalState::Unpublished(stall.cause.clone()),
            None => JournalState::Writable,
        }
    }

    /// Proves all that is published, from the disk, and compares it with the tree's files: damage that nobody has read yet is
    /// found while copies of it may still exist. A fault ends the journal. Blocks, for long: for a thread of its own.
    pub fn scrub(&self, pace: &mut Pace) -> Result<Report, Arc<Failure>> {
        let scope = Scope {
            published_only: true,
            ..Scope::default()
        };
        let trusted = std::slice::from_ref(&self.shared.verifier);
        let mut report = verify_within(self.layout().root(), trusted, scope, pace);
        match report.fault.take() {
            None => Ok(report),
            stopped @ Some(Fault::Stopped(_)) => Ok(Report {
                fault: stopped,
                ..report
            }),
            Some(fault) => Err(self.fail(Failure::Scrub(Box::new(fault)))),
        }
    }

    /// Fails once the journal has failed: what is under way must not go on without it.
    pub fn still_holds(&self) -> Result<(), AppendError> {
        match self.shared.failed.get() {
            None => Ok(()),
            Some(failure) => Err(AppendError::Failed(failure.clone())),
        }
    }

    /// Takes no more entries, because a witness has shown that they would lengthen a fork.
    pub fn contradicted(&self, why: String) {
        if self.failure().is_none() {
            self.fail(Failure::Contradicted(why));
        }
    }

    /// Takes no more entries: what the journal holds cannot be relied on.
    fn fail(&self, failure: Failure) -> Arc<Failure> {
        self.shared.fail(failure)
    }

    fn failure(&self) -> Option<Arc<Failure>> {
        self.shared.failed.get().cloned()
    }

    fn disk(&self) -> &dyn Disk {
        &*self.shared.disk
    }

    fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// Writes what waits, publishes the last checkpoint and ends the journal's threads. Blocks until they have ended.
    pub fn close(&self) {
        // If the commit thread is gone already, there is nothing to tell it.
        let _ = self.queue.send(Message::Close);
        let thread = self
            .shared
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal's commit thread has panicked");
        }
    }

    /// What the witnesses think of it.
    pub fn trust(&self) -> Arc<JournalTrust> {
        self.shared.standing.load_full()
    }

    /// What the witnesses think of it from now on. Only a release makes a held journal anything but unconfirmed.
    pub fn set_trust(&self, standing: JournalTrust) {
        let is_held =
            |standing: &JournalTrust| matches!(standing, JournalTrust::Unconfirmed { .. });
        if is_held(&self.trust()) == is_held(&standing) {
            self.shared.standing.store(Arc::new(standing));
        }
    }

    fn send_new(&self, pending: Pending) -> Result<(), AppendError> {
        if let JournalTrust::Unconfirmed { .. } = &**self.shared.standing.load() {
            return Err(AppendError::Unconfirmed);
        }
        if self.shared.waiting.fetch_add(1, Ordering::Relaxed) >= INTAKE {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(AppendError::Busy);
        }
        self.send(pending)
    }

    /// Queues a closing entry, however many entries wait.
    fn send_end(
        &self,
        entry: Entry,
        opened_at: u64,
        reply: Option<oneshot::Sender<Result<Receipt, AppendError>>>,
    ) -> Result<(), AppendError> {
        self.send(entry.pending(AfterCommit::End { opened_at, reply })?)
    }

    fn send(&self, pending: Pending) -> Result<(), AppendError> {
        if self.shared.failed.get().is_some() {
            return Err(self.shared.ended());
        }
        self.queue
            .send(Message::Entry(pending))
            .map_err(|_| self.shared.ended())
    }

    async fn wait<T>(
        &self,
        reply: oneshot::Receiver<Result<T, AppendError>>,
    ) -> Result<T, AppendError> {
        // The commit thread lets go of a reply only when it ends.
        reply.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }
}

impl Shared {
    fn fail(&self, failure: Failure) -> Arc<Failure> {
        tracing::error!(error = %chain(&failure), "the journal has failed");
        // The first failure is the one to know; others follow from it.
        self.failed.get_or_init(|| Arc::new(failure)).clone()
    }

    /// Why nothing has been published for so long that no more entries are taken.
    fn stalled(&self) -> Option<Arc<DiskError>> {
        let stall = self.stall.load();
        let stall = stall.as_ref()?;
        stall
            .has_lasted(self.max_unpublished_age)
            .then(|| stall.cause.clone())
    }

    fn ended(&self) -> AppendError {
        self.failed
            .get()
            .cloned()
            .map_or(AppendError::Closed, AppendError::Failed)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("origin", &self.shared.origin)
            .finish_non_exhaustive()
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(JournalError::Thread)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
