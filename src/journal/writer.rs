//! The commit thread: it alone appends to the segments, many entries to one flush.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::oneshot;

use super::AppendError;
use super::Failure;
use super::IS_NULL;
use super::JournalKey;
use super::OpenEntry;
use super::Receipt;
use super::Shared;
use super::disk::Disk;
use super::disk::DiskError;
use super::edge::Commit;
use super::edge::Edge;
use super::follow::leads_to_its_root;
use super::frame::COMMIT_BYTES;
use super::frame::ENTRY_OVERHEAD;
use super::frame::FrameBuilder;
use super::frame::NewCommit;
use super::layout::Layout;
use super::leaf::Leaf;
use super::leaf::leaf_hash;
use super::opening::Opening;
use super::segment::Segment;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::Frontier;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// Of so many commits one is calculated a second time before it is signed. What its memory does to the others, the keeper
/// finds on disk before it publishes them.
const RECHECK_EVERY: u64 = 64;
/// Where exchanges take long, many wait for one another, and a commit may wait for more entries: this part of what they
/// took until now, up to so many times the linger. Flush, signature and the wake-ups of all threads around are then paid
/// less often, and nobody waits much longer.
const LINGER_PART: u32 = 4;
const LINGER_TIMES: u32 = 8;
/// What each open stream's closing entry may need, kept free when the journal cannot grow.
const CLOSING_BYTES: u64 = 4 * 1024;

#[expect(clippy::large_enum_variant, reason = "nearly all messages are entries")]
pub(super) enum Message {
    Entry(Pending),
    /// The segment is to be left, however much room it has.
    Seal(oneshot::Sender<Result<(), AppendError>>),
    /// No more entries are to be taken.
    Close,
}

/// An entry that is not yet written.
pub(super) struct Pending {
    /// Without its time, which is that of its commit.
    pub(super) leaf: Leaf,
    pub(super) salt: [u8; 32],
    pub(super) record: Vec<u8>,
    /// How long the exchange took until now.
    pub(super) took: Duration,
    pub(super) then: AfterCommit,
}

/// What an entry means for open streams, and who waits for it.
pub(super) enum AfterCommit {
    Append(oneshot::Sender<Result<Receipt, AppendError>>),
    /// If nobody waits any more, the open entry is dropped, and its drop closes it.
    Begin(
        oneshot::Sender<Result<OpenEntry, AppendError>>,
        Box<Opening>,
    ),
    End {
        opened_at: u64,
        reply: Option<oneshot::Sender<Result<Receipt, AppendError>>>,
    },
}

pub(super) struct Writer {
    pub(super) queue: mpsc::Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) key: JournalKey,
    pub(super) verifier: VerifierKey,
    pub(super) clock: Clock,
    pub(super) linger: Duration,
    pub(super) greatest_bytes: u64,
    pub(super) segment: Segment,
    pub(super) frontier: Frontier,
    pub(super) last_time: Moment,
    /// The intents that no stream end has closed.
    pub(super) open: BTreeSet<u64>,
    /// Tells the keeper the size of the next spare segment.
    pub(super) rolled: mpsc::Sender<u64>,
    pub(super) keeper: JoinHandle<()>,
    pub(super) batch: Batch,
    /// Since the journal was opened.
    pub(super) commits: u64,
}

/// What was in the queue.
#[derive(Default)]
struct QueuedWork {
    entries: Vec<Pending>,
    /// To be done after the entries.
    seal: Option<oneshot::Sender<Result<(), AppendError>>>,
}

impl QueuedWork {
    /// How long after this commit's beginning the next one may begin.
    fn linger(&self, least: Duration) -> Duration {
        let took: Duration = self.entries.iter().map(|entry| entry.took).sum();
        let entries = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mean = took.checked_div(entries).unwrap_or_default();
        (mean / LINGER_PART).clamp(least, least.saturating_mul(LINGER_TIMES))
    }
}

/// The entries of the next commit.
#[derive(Default)]
pub(super) struct Batch {
    entries: Vec<Pending>,
    bytes: u64,
    frame: FrameBuilder,
}

impl Writer {
    /// Runs until the journal is closed, nobody holds it any more, or a commit fails.
    pub(super) fn run(mut self) {
        let mut ready = None;
        let mut closing = false;
        while !closing {
            let Some(gathered) = self.gather(ready, &mut closing) else {
                break;
            };
            ready = Instant::now().checked_add(gathered.linger(self.linger));
            if let Err(failure) = self.carry_out(gathered) {
                // Whoever waits learns of it when this thread lets go of the queue.
                self.shared.fail(failure);
                break;
            }
        }
        drop(self.rolled);
        if self.keeper.join().is_err() {
            tracing::error!("the journal's keeper has panicked");
        }
    }

    /// The entries that wait. With none waiting the first to come is taken at once; otherwise more are let gather until
    /// then, which is when the linger has passed since the last commit began.
    fn gather(&self, ready: Option<Instant>, closing: &mut bool) -> Option<QueuedWork> {
        let mut next = match self.queue.try_recv() {
            Ok(message) => {
                if let Some(ready) = ready {
                    thread::sleep(ready.saturating_duration_since(Instant::now()));
                }
                message
            }
            Err(TryRecvError::Empty) => self.queue.recv().ok()?,
            Err(TryRecvError::Disconnected) => return None,
        };
        let mut gathered = QueuedWork::default();
        let mut bytes = 0;
        loop {
            match next {
                Message::Close => *closing = true,
                Message::Seal(reply) => {
                    gathered.seal = Some(reply);
                    return Some(gathered);
                }
                Message::Entry(pending) => {
                    bytes += pending.bytes();
                    if pending.is_new() {
                        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    }
                    gathered.entries.push(pending);
                }
            }
            if *closing || bytes >= COMMIT_BYTES as u64 {
                return Some(gathered);
            }
            match self.queue.try_recv() {
                Ok(message) => next = message,
                Err(_) => return Some(gathered),
            }
        }
    }

    fn carry_out(&mut self, gathered: QueuedWork) -> Result<(), Failure> {
        self.commit_all(gathered.entries)?;
        if let Some(reply) = gathered.seal {
            let sealed = match self.shared.spare.failure() {
                // A segment without entries has nothing to seal.
                _ if self.segment.is_empty() => Ok(()),
                // Entries still have room.
                Some(error) => Err(AppendError::Full(error)),
                None => self.roll(0)?,
            };
            // Whoever asked may be gone; the segment is sealed all the same.
            let _ = reply.send(sealed);
        }
        Ok(())
    }

    fn commit_all(&mut self, gathered: Vec<Pending>) -> Result<(), Failure> {
        let cannot_grow = self.shared.spare.failure();
        let unpublished = self.shared.stalled();
        for pending in gathered {
            if let Some(error) = unpublished.as_ref().filter(|_| pending.is_new()) {
                pending.refuse(AppendError::Full(error.clone()));
                continue;
            }
            let bytes = pending.bytes();
            if self.room() < bytes {
                self.commit()?;
            }
            if self.room() < bytes
                && let Err(unwritten) = self.roll(bytes)?
            {
                pending.refuse(unwritten);
                continue;
            }
            if let Some(error) = &cannot_grow
                && pending.is_new()
                && self.room() < bytes + self.reserve()
            {
                self.shared.full.store(Some(error.clone()));
                pending.refuse(AppendError::Full(error.clone()));
                continue;
            }
            self.batch.bytes += bytes;
            self.batch.entries.push(pending);
        }
        self.commit()
    }

    fn room(&self) -> u64 {
        self.segment.room().saturating_sub(self.batch.bytes)
    }

    /// What is kept free so that every open stream, and those that this commit may open, can still be closed.
    fn reserve(&self) -> u64 {
        let open = self.open.len() + self.batch.entries.len() + 1;
        open as u64 * CLOSING_BYTES
    }

    /// Goes on into the spare segment, if there is one and it has the room.
    fn roll(&mut self, bytes: u64) -> Result<Result<(), AppendError>, DiskError> {
        if let Err(error) = self.shared.spare.take() {
            self.shared.full.store(Some(error.clone()));
            return Ok(Err(AppendError::Full(error)));
        }
        self.segment = Segment::take_spare(&*self.disk, &self.layout, self.frontier.size())?;
        // The keeper ends only after this thread; had it panicked, taking the next spare segment would tell.
        let _ = self
            .rolled
            .send(self.segment.next_capacity(self.greatest_bytes));
        if self.segment.room() < bytes {
            return Ok(Err(AppendError::TooLarge {
                bytes: bytes as usize,
            }));
        }
        Ok(Ok(()))
    }

    /// Writes the batch as one commit, makes it durable, and only then tells whoever waits.
    fn commit(&mut self) -> Result<(), Failure> {
        if self.batch.entries.is_empty() {
            return Ok(());
        }
        if IS_NULL {
            self.acknowledge_unwritten();
            return Ok(());
        }
        let started = Instant::now();
        let first = self.frontier.size();
        let batch = &mut self.batch;
        let count = batch.entries.len() as u32;
        let time = self.clock.now().max(self.last_time);
        let mut frontier = self.frontier.clone();
        let mut leaves = Vec::with_capacity(batch.entries.len());
        // About as many subtrees above the leaves as there are leaves, and what closes the tree's older peaks.
        let mut completed = Vec::with_capacity(2 * batch.entries.len() + 64);
        batch.frame.clear();
        for (index, pending) in (first..).zip(&batch.entries) {
            let leaf = Leaf {
                time,
                ..pending.leaf
            }
            .encode();
            frontier.push_with(leaf_hash(&leaf), |hash| completed.push(hash));
            batch.frame.push(&leaf, &pending.salt, &pending.record);
            leaves.push(leaf);
            match pending.then {
                AfterCommit::Append(_) => {}
                AfterCommit::Begin(..) => _ = self.open.insert(index),
                AfterCommit::End { opened_at, .. } => _ = self.open.remove(&opened_at),
            }
        }
        let root = frontier.root();
        let checkpoint = Checkpoint {
            origin: self.shared.origin.to_string(),
            size: first + u64::from(count),
            root,
        };
        // Before the commit is on disk, so that no commit is without it: what is not signed anybody could have written.
        let signature = self.key.signature(&checkpoint.text());
        let frame = batch.frame.finish(&NewCommit {
            first,
            count,
            root: &root,
            oldest_open: self.open.first().copied(),
            signature: &signature,
        });

        if self.commits.is_multiple_of(RECHECK_EVERY) && !leads_to_its_root(&self.frontier, frame) {
            return Err(Failure::Miscalculated);
        }
        self.commits += 1;
        // Dies before this: nothing is on disk, and nobody was told. During it: see there.
        self.segment.append(frame)?;
        // Dies from here on: the entries are in the journal; a recovery publishes their checkpoint.
        let before = mem::replace(&mut self.frontier, frontier);
        self.last_time = time;
        let checkpoint = Arc::new(SignedCheckpoint::signed(
            checkpoint,
            &signature,
            &self.verifier,
        ));
        self.shared.checkpoint.store(checkpoint.clone());
        // Paths are worked out by whoever sends a receipt; here each entry costs the copies of two hashes.
        let edge = Edge::new(before, completed);
        let commit = Arc::new(Commit { checkpoint, edge });

        metrics::counter!("landbridge_journal_entries_total").increment(u64::from(count));
        metrics::histogram!("landbridge_journal_commit_seconds").record(started.elapsed());
        batch.bytes = 0;
        for ((index, leaf), pending) in (first..).zip(leaves).zip(batch.entries.drain(..)) {
            pending.acknowledge(Receipt {
                commit: commit.clone(),
                index,
                leaf,
            });
        }
        Ok(())
    }
}

impl Writer {
    /// What a build for measurements does in place of a commit: its receipts prove nothing.
    fn acknowledge_unwritten(&mut self) {
        let commit = Arc::new(Commit {
            checkpoint: self.shared.checkpoint.load_full(),
            edge: Edge::new(Frontier::default(), Vec::new()),
        });
        self.batch.bytes = 0;
        for pending in self.batch.entries.drain(..) {
            let leaf = pending.leaf.encode();
            pending.acknowledge(Receipt {
                commit: commit.clone(),
                index: self.frontier.size(),
                leaf,
            });
        }
    }
}

impl Pending {
    fn bytes(&self) -> u64 {
        (ENTRY_OVERHEAD + self.record.len()) as u64
    }

    /// Whether it may be refused to keep room for those that close streams.
    fn is_new(&self) -> bool {
        !matches!(self.then, AfterCommit::End { .. })
    }

    // Whoever asked may be gone; the entry stands all the same, so a reply that cannot be given is dropped.

    fn acknowledge(self, receipt: Receipt) {
        match self.then {
            AfterCommit::Append(reply)
            | AfterCommit::End {
                reply: Some(reply), ..
            } => _ = reply.send(Ok(receipt)),
            AfterCommit::Begin(reply, opening) => {
                _ = reply.send(Ok(opening.into_open_entry(receipt)))
            }
            AfterCommit::End { reply: None, .. } => {}
        }
    }

    fn refuse(self, unwritten: AppendError) {
        match self.then {
            AfterCommit::Append(reply)
            | AfterCommit::End {
                reply: Some(reply), ..
            } => _ = reply.send(Err(unwritten)),
            AfterCommit::Begin(reply, _) => _ = reply.send(Err(unwritten)),
            AfterCommit::End {
                opened_at,
                reply: None,
            } => {
                tracing::error!(opened_at, error = %unwritten, "a stream's end is not in the journal");
            }
        }
    }
}
