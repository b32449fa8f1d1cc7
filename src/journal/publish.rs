//! Puts checkpoints where others read them: the published one, and the one that witnesses have cosigned.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::disk;
use super::disk::Disk;
use super::disk::DiskError;
use super::error::PublishError;
use super::follow::Follower;
use super::frame::BadFrame;
use super::layout::Layout;
use crate::clock::Clock;
use crate::tlog::key::PostQuantumKey;
use crate::tlog::key::SigningError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// Signs with the second key what is published.
pub(super) struct Publisher {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) key: PostQuantumKey,
    /// The key's public half, under the journal's name.
    pub(super) verifier: VerifierKey,
    pub(super) clock: Clock,
}

impl Publisher {
    /// Follows the segments up to the checkpoint and puts it, signed a second time, into `state/signed`.
    pub(super) fn publish(
        &self,
        follower: &mut Follower,
        checkpoint: &SignedCheckpoint,
    ) -> Result<SignedCheckpoint, PublishError> {
        while follower.frontier().size() < checkpoint.size() && follower.step()? {}
        if follower.frontier().root() != *checkpoint.root() {
            return Err(follower.walker().damaged(BadFrame::Root).into());
        }
        follower.flush()?;
        let line = self
            .key
            .cosign(&self.verifier, checkpoint, self.clock.now())?;
        let published = checkpoint
            .with_lines([line.as_str()])
            .map_err(|_| SigningError)?;
        // Dies before this: the older checkpoint stands, and the next recovery follows further. After: it begins here.
        disk::replace(
            &*self.disk,
            &self.layout.signed(),
            published.note().as_bytes(),
        )?;
        Ok(published)
    }
}

/// Owns `state/witnessed`.
pub(super) struct WitnessedNote {
    disk: Arc<dyn Disk>,
    layout: Layout,
    /// The size of the checkpoint that was written last.
    size: Mutex<u64>,
}

impl WitnessedNote {
    pub(super) fn new(disk: Arc<dyn Disk>, layout: Layout) -> Self {
        Self {
            disk,
            layout,
            size: Mutex::new(0),
        }
    }

    /// An older checkpoint than the last is passed over: a slow round of witnesses may end after a later one.
    pub(super) fn replace(&self, checkpoint: &SignedCheckpoint) -> Result<(), DiskError> {
        // Changed only when what it says is on disk.
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoint.size() < *size {
            return Ok(());
        }
        // Dies before this: the former cosignatures stand, and still verify. After: the new ones do.
        let path = self.layout.witnessed();
        disk::replace(&*self.disk, &path, checkpoint.note().as_bytes())?;
        *size = checkpoint.size();
        Ok(())
    }
}

impl fmt::Debug for WitnessedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WitnessedNote")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
