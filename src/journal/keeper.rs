//! The thread behind the commit thread: keeps a spare segment ready, extends the tree's files, publishes checkpoints.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;

use super::Failure;
use super::Shared;
use super::disk::DiskError;
use super::error::PublishError;
use super::follow::Follower;
use super::publish::Publisher;
use super::reader::ReadError;
use super::segment;
use crate::fault::chain;

/// Between two tries at a spare segment, in rounds of the keeper.
const RETRY_AFTER: u32 = 10;

/// Whether the commit thread can go on into a next segment.
#[derive(Debug, Default)]
pub(super) struct SpareSegment {
    state: Mutex<Spare>,
    changed: Condvar,
    /// Whether the commit thread cannot go on without it.
    awaited: AtomicBool,
}

#[derive(Debug, Default, Clone)]
enum Spare {
    /// Being made, or about to be.
    #[default]
    Filling,
    Ready,
    /// The commit thread is putting it to use: its name is not free for the next one.
    Taken,
    /// Could not be made, mostly for want of space; it is tried again and again.
    Failed(Arc<DiskError>),
}

impl SpareSegment {
    /// Why there is none, if making it has failed. While it is being made there is no reason to worry.
    pub(super) fn failure(&self) -> Option<Arc<DiskError>> {
        match &*self.lock() {
            Spare::Failed(error) => Some(error.clone()),
            Spare::Filling | Spare::Ready | Spare::Taken => None,
        }
    }

    /// Waits until there is one or it cannot be made. After a success it is the caller's.
    pub(super) fn take(&self) -> Result<(), Arc<DiskError>> {
        let mut state = self.lock();
        let taken = loop {
            match &*state {
                Spare::Filling | Spare::Taken => {
                    self.awaited.store(true, Ordering::Relaxed);
                    self.changed.notify_all();
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Spare::Failed(error) => break Err(error.clone()),
                Spare::Ready => {
                    *state = Spare::Taken;
                    break Ok(());
                }
            }
        };
        self.awaited.store(false, Ordering::Relaxed);
        taken
    }

    /// Leaves the disk to commits for a while, unless they wait for the segment that is being filled. Gives whether they do.
    fn rest(&self, time: Duration) -> bool {
        let idle = |_: &mut Spare| !self.awaited.load(Ordering::Relaxed);
        // A panic of whoever else held the lock changes nothing: see `lock`.
        drop(self.changed.wait_timeout_while(self.lock(), time, idle));
        self.awaited.load(Ordering::Relaxed)
    }

    /// Whether there is none, and it is time to make one.
    fn is_wanted(&self) -> bool {
        matches!(&*self.lock(), Spare::Filling | Spare::Failed(_))
    }

    fn set(&self, spare: Spare) {
        *self.lock() = spare;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Spare> {
        // The state is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That no checkpoint is published any more, mostly for want of space.
#[derive(Debug)]
pub(super) struct Stall {
    since: Instant,
    pub(super) cause: Arc<DiskError>,
}

impl Stall {
    pub(super) fn has_lasted(&self, time: Duration) -> bool {
        self.since.elapsed() >= time
    }
}

/// Owns the tree's files and the published checkpoint.
pub(super) struct Keeper {
    pub(super) publisher: Publisher,
    pub(super) shared: Arc<Shared>,
    pub(super) follower: Follower,
    /// The size of the next spare segment.
    pub(super) spare_bytes: u64,
    pub(super) greatest_bytes: u64,
    /// The size that was published last.
    pub(super) published: u64,
    /// When to try again to make a spare segment: each try fills the disk for a moment.
    pub(super) retry: Option<Instant>,
}

impl Keeper {
    /// Runs until the commit thread lets go of the other end of `rolled`, through which it tells the size of the next
    /// spare segment whenever it has taken one.
    pub(super) fn run(mut self, rolled: &mpsc::Receiver<u64>, every: Duration) {
        // Whoever waits for a spare segment must not wait for a thread that is gone.
        let gone = SpareGuard(self.shared.clone());
        loop {
            self.make_spare(RETRY_AFTER * every);
            match rolled.recv_timeout(every) {
                Ok(bytes) => {
                    self.spare_bytes = bytes.min(self.greatest_bytes);
                    self.shared.spare.set(Spare::Filling);
                    self.make_spare(RETRY_AFTER * every);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.publish();
        }
        self.publish();
        drop(gone);
    }

    fn make_spare(&mut self, retry_after: Duration) {
        let spare = &self.shared.spare;
        if !spare.is_wanted() || self.retry.is_some_and(|at| Instant::now() < at) {
            return;
        }
        // One that a former run left is as good, whatever its size.
        let Publisher { disk, layout, .. } = &self.publisher;
        let made = match layout.spare().exists() {
            true => Ok(()),
            // Half of the time: a flush of zeros holds up those of commits.
            false => segment::make_spare(&**disk, layout, self.spare_bytes, |t| spare.rest(t)),
        };
        match made {
            Ok(()) => {
                self.retry = None;
                spare.set(Spare::Ready);
                self.shared.full.store(None);
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the journal cannot grow");
                self.retry = Some(Instant::now() + retry_after);
                spare.set(Spare::Failed(Arc::new(error)));
            }
        }
    }

    fn publish(&mut self) {
        let checkpoint = self.shared.checkpoint.load_full();
        if checkpoint.size() == self.published || self.shared.failed.get().is_some() {
            return;
        }
        match self.publisher.publish(&mut self.follower, &checkpoint) {
            Ok(published) => {
                self.published = checkpoint.size();
                self.shared.published.store(Arc::new(published));
                if self.shared.stall.swap(None).is_some() {
                    tracing::info!("the journal's checkpoints are published again");
                }
            }
            Err(PublishError::Read(ReadError::Disk(error))) if error.may_be_retried() => {
                self.stall(error);
            }
            Err(error) => {
                self.shared.fail(Failure::Unpublished(error));
                return;
            }
        }
        let unpublished = checkpoint.size() - self.published;
        metrics::gauge!("landbridge_journal_unpublished_entries").set(unpublished as f64);
    }

    fn stall(&self, cause: DiskError) {
        let before = self.shared.stall.load();
        if before.is_none() {
            tracing::error!(
                error = %chain(&cause), max_unpublished_age = ?self.shared.max_unpublished_age,
                "the journal's checkpoint is not published; exchanges will be refused when that has lasted too long"
            );
        }
        let since = before
            .as_ref()
            .map_or_else(Instant::now, |before| before.since);
        let cause = Arc::new(cause);
        self.shared
            .stall
            .store(Some(Arc::new(Stall { since, cause })));
    }
}

/// Tells whoever waits that no spare segment will come, also when the thread panics.
struct SpareGuard(Arc<Shared>);

impl Drop for SpareGuard {
    fn drop(&mut self) {
        let gone = io::Error::other("the thread that makes it has ended");
        let error = DiskError::new("make", Path::new("spare"), gone);
        self.0.spare.set(Spare::Failed(Arc::new(error)));
    }
}

#[cfg(test)]
mod tests;
