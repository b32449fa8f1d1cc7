//! Reads entry bundles and the checkpoint from a journal's folder or from a tlog-tiles directory.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::journal::BadLeaf;
use crate::journal::LEAF_BYTES;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::tiles::TILE_WIDTH;
use crate::journal::tiles::TileError;
use crate::journal::tiles::TilePath;
use crate::journal::tiles::Tiles;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::CheckpointError;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// A leaf after its length, as a bundle has it.
const ENTRY_BYTES: usize = 2 + LEAF_BYTES;

/// Where the leaves are read from.
#[derive(Debug)]
pub(super) enum Bundles {
    Journal(PathBuf, Tiles),
    Directory(PathBuf),
}

/// Why leaves cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error("`{}` is neither a journal nor a tlog-tiles directory: it has no checkpoint", .0.display())]
    NoLog(PathBuf),
    #[error("the checkpoint of `{}` does not hold", path.display())]
    Checkpoint {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the journal cannot be read")]
    Journal(#[from] ReadError),
    #[error("the leaves from entry {index} on cannot be read")]
    Tile {
        index: u64,
        #[source]
        source: TileError,
    },
    #[error("the bundle that begins with entry {0} does not hold the leaves of a journal")]
    Bundle(u64),
    #[error("entry {index} is no leaf")]
    Leaf {
        index: u64,
        #[source]
        source: BadLeaf,
    },
    #[error("the {size} leaves of `{origin}` do not lead to the root that its checkpoint signs")]
    OtherRoot { origin: String, size: u64 },
}

impl Bundles {
    pub(super) fn of(dir: &Path) -> Self {
        if dir.join("seg").is_dir() {
            Self::Journal(dir.to_owned(), Tiles::open(dir))
        } else {
            Self::Directory(dir.to_owned())
        }
    }

    pub(super) fn checkpoint(
        &self,
        trusted: &[VerifierKey],
    ) -> Result<SignedCheckpoint, MirrorError> {
        let note = match self {
            Self::Journal(dir, _) => Reader::open(dir)
                .published()?
                .ok_or_else(|| MirrorError::NoLog(dir.clone()))?,
            Self::Directory(dir) => note_of(dir)?,
        };
        SignedCheckpoint::open(&note, trusted).map_err(|source| {
            let (Self::Journal(path, _) | Self::Directory(path)) = self;
            let path = path.clone();
            MirrorError::Checkpoint { path, source }
        })
    }

    /// The leaves from `first` on to the end of its bundle, as far as a log of `size` entries has them.
    pub(super) fn leaves(
        &self,
        first: u64,
        size: u64,
    ) -> Result<Vec<[u8; LEAF_BYTES]>, MirrorError> {
        let full = u64::from(TILE_WIDTH);
        let (n, from) = (first / full, first % full);
        let width = size.saturating_sub(first - from).min(full) as u16;
        let bundle = match self {
            Self::Journal(_, tiles) => {
                let tile = |source| MirrorError::Tile {
                    index: first,
                    source,
                };
                tiles.entry_bundle(n, width).map_err(tile)?
            }
            Self::Directory(dir) => {
                let path = dir.join(TilePath::Entries { n, width }.to_string());
                fs::read(&path).map_err(|source| MirrorError::Unreadable { path, source })?
            }
        };
        let (entries, rest) = bundle.as_chunks::<ENTRY_BYTES>();
        if entries.len() != usize::from(width) || !rest.is_empty() {
            return Err(MirrorError::Bundle(first));
        }
        let leaves = entries.iter().skip(from as usize).map(leaf);
        let leaves = leaves.collect::<Option<_>>();
        leaves.ok_or(MirrorError::Bundle(first))
    }
}

fn note_of(dir: &Path) -> Result<String, MirrorError> {
    let path = dir.join("checkpoint");
    fs::read_to_string(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => MirrorError::NoLog(dir.to_owned()),
        _ => MirrorError::Unreadable { path, source },
    })
}

/// The leaf after its length.
fn leaf(entry: &[u8; ENTRY_BYTES]) -> Option<[u8; LEAF_BYTES]> {
    let (length, rest) = entry.split_first_chunk::<2>()?;
    let is_leaf = usize::from(u16::from_be_bytes(*length)) == LEAF_BYTES;
    rest.first_chunk().filter(|_| is_leaf).copied()
}
