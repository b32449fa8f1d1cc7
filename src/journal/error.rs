//! How a journal fails: at its opening, for one entry, or for good.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::DiskError;
use super::reader::ReadError;
use super::tiles::TileError;
use super::verify::Fault;
use crate::tlog::key::SigningError;
use crate::tlog::note::NoteError;
use crate::tlog::signed_checkpoint::CheckpointError;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("another process has the journal `{}` open", dir.display())]
    Locked { dir: PathBuf },
    #[error("the journal's origin does not do")]
    Origin(#[source] NoteError),
    #[error("`{}` is not a checkpoint of this journal by its key", path.display())]
    Published {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
    #[error("the journal has {entries} entries, but `{}` is missing", path.display())]
    NothingPublished { path: PathBuf, entries: u64 },
    #[error("the journal was cut back: signed size {signed}, found {found}")]
    CutBack { signed: u64, found: u64 },
    #[error("the journal was rewritten: its first {signed} entries are not those that were signed")]
    Rewritten { signed: u64 },
    #[error(transparent)]
    Damaged(#[from] ReadError),
    /// Commits of an earlier version have no signature: they are taken where a published checkpoint covers them.
    #[error(
        "the journal's newest commits are not proven to be its own, and nothing is signed over them. Keep its folder as \
         evidence (`audit verify` says up to where it is proven) and go on in a new journal, under another \
         `journal.replica`; commits without a signature that an earlier version of this program left are published by a \
         start of that version"
    )]
    Unproven(#[source] ReadError),
    #[error("the journal's tree cannot be read")]
    Tree(#[from] TileError),
    #[error(transparent)]
    Unsigned(#[from] SigningError),
    #[error("the journal's threads cannot be started")]
    Thread(#[source] io::Error),
}

/// Why an open journal takes no more entries. Only a restart, which recovers, helps.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("a commit could not be made durable")]
    Commit(#[from] DiskError),
    #[error("a commit's root was miscalculated: the machine's memory or processor is at fault")]
    Miscalculated,
    #[error("a checkpoint could not be published")]
    Unpublished(#[source] PublishError),
    #[error("the records whose retention has ended could not be erased")]
    Expiry(#[source] ReadError),
    #[error("the journal on disk is not what it should be")]
    Scrub(#[source] Box<Fault>),
    /// Shown under the journal's own signature.
    #[error("a witness has cosigned another history of the journal: {0}")]
    Contradicted(String),
}

/// Why a checkpoint was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Unsigned(#[from] SigningError),
}

impl From<DiskError> for PublishError {
    fn from(error: DiskError) -> Self {
        Self::Read(error.into())
    }
}

impl From<PublishError> for JournalError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Read(error) => Self::Damaged(error),
            PublishError::Unsigned(error) => Self::Unsigned(error),
        }
    }
}

/// An entry that is not in the journal. What it was to prove must not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("too many entries wait for the journal")]
    Busy,
    #[error("an entry of {bytes} bytes is too long for the journal")]
    TooLarge { bytes: usize },
    /// Entries are taken again when there is room.
    #[error("the journal cannot grow")]
    Full(#[source] Arc<DiskError>),
    /// Entries are taken when a quorum has.
    #[error("the journal's witnesses have not confirmed yet that this is its newest state")]
    Unconfirmed,
    #[error("the journal has failed")]
    Failed(#[source] Arc<Failure>),
    #[error("the journal is closed")]
    Closed,
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// Whether a journal takes entries.
#[derive(Debug, Clone)]
pub enum JournalState {
    Writable,
    /// Entries are taken, for a while: no checkpoint of them can be published.
    Unpublished(Arc<DiskError>),
    /// Entries are refused until there is room.
    Full(Arc<DiskError>),
    /// Entries are refused until a restart.
    Failed(Arc<Failure>),
}
