//! The tree as C2SP tlog-tiles: hashes in tiles of 256, leaves in bundles, the proofs that can be made of them.

pub(super) mod writer;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use super::disk::DiskError;
use super::layout::Layout;
use super::leaf::LEAF_BYTES;
use crate::tlog::merkle;
use crate::tlog::merkle::Hash;
use crate::tlog::merkle::Node;
use crate::tlog::proof::Proof;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
const TILE_HEIGHT: u32 = 8;
/// 256^8 entries are more than a u64 counts.
pub(crate) const LEVELS: usize = 8;

/// A tile or bundle of a journal, `tile/<level>/<n>[.p/<width>]` or `tile/entries/<n>[.p/<width>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TilePath {
    /// 32-byte hashes of the perfect subtrees of 256^`level` leaves.
    Hashes { level: u8, n: u64, width: u16 },
    /// Leaves, each after its length as a big-endian u16.
    Entries { n: u64, width: u16 },
}

/// A path that names no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct BadTilePath;

/// Why a tile cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    #[error("the tree does not reach that far")]
    Beyond,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The tree of a journal as it stands on disk, up to its published checkpoint and sometimes beyond.
#[derive(Debug, Clone)]
pub struct Tiles {
    layout: Layout,
}

impl Tiles {
    /// The tree in a journal's directory.
    pub fn open(journal: &Path) -> Self {
        Self::of(Layout::new(journal))
    }

    pub(super) fn of(layout: Layout) -> Self {
        Self { layout }
    }

    /// The body of any tile.
    pub fn read(&self, path: TilePath) -> Result<Vec<u8>, TileError> {
        match path {
            TilePath::Hashes { level, n, width } => self.hash_tile(level, n, width),
            TilePath::Entries { n, width } => self.entry_bundle(n, width),
        }
    }

    /// `width` hashes, 1 to 256, of the `n`-th tile of a level.
    pub fn hash_tile(&self, level: u8, n: u64, width: u16) -> Result<Vec<u8>, TileError> {
        if usize::from(level) >= LEVELS {
            return Err(TileError::Beyond);
        }
        let first = n
            .checked_mul(u64::from(TILE_WIDTH))
            .ok_or(TileError::Beyond)?;
        read(
            &self.layout.hashes(level.into()),
            first,
            width.into(),
            size_of::<Hash>(),
        )
    }

    /// `width` entries, 1 to 256, of the `n`-th bundle.
    pub fn entry_bundle(&self, n: u64, width: u16) -> Result<Vec<u8>, TileError> {
        let first = n
            .checked_mul(u64::from(TILE_WIDTH))
            .ok_or(TileError::Beyond)?;
        let leaves = self.leaves(first, width.into())?;
        Ok(bundle(leaves.chunks(LEAF_BYTES)))
    }

    /// The bytes of `count` leaves from the index `first` on.
    pub(crate) fn leaves(&self, first: u64, count: usize) -> Result<Vec<u8>, TileError> {
        read(&self.layout.leaves(), first, count, LEAF_BYTES)
    }

    pub fn root(&self, size: u64) -> Result<Hash, TileError> {
        merkle::root(size, |node| self.node(node))
    }

    /// The proof of an entry in a published or witnessed checkpoint of the tree.
    pub fn proof(&self, index: u64, checkpoint: &SignedCheckpoint) -> Result<Proof, TileError> {
        Ok(Proof {
            extra: None,
            index,
            path: self.inclusion(index, checkpoint.size())?,
            note: checkpoint.note().to_owned(),
        })
    }

    /// The path from the leaf `index` to the root of the tree of `size` entries.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TileError> {
        if index >= size {
            return Err(TileError::Beyond);
        }
        merkle::inclusion(index, size, |node| self.node(node))
    }

    /// What shows that the tree of `old` entries is the beginning of that of `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TileError> {
        if old > new {
            return Err(TileError::Beyond);
        }
        merkle::consistency(old, new, |node| self.node(node))
    }

    pub(crate) fn node(&self, node: Node) -> Result<Hash, TileError> {
        let level = (node.height / TILE_HEIGHT) as usize;
        let above = node.height % TILE_HEIGHT;
        if level >= LEVELS {
            return Err(TileError::Beyond);
        }
        let first = node.index.checked_shl(above).ok_or(TileError::Beyond)?;
        let hashes = read(
            &self.layout.hashes(level),
            first,
            1 << above,
            size_of::<Hash>(),
        )?;
        Ok(perfect_root(hashes.as_chunks().0.to_vec()))
    }
}

/// Each entry, of 65,535 bytes at most, after its length.
fn bundle<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    entries
        .flat_map(|entry| [&(entry.len() as u16).to_be_bytes(), entry].concat())
        .collect()
}

/// The root of a subtree of 2^k leaves.
pub(crate) fn perfect_root(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs
            .iter()
            .map(|[left, right]| merkle::node_hash(left, right))
            .collect();
    }
    hashes.first().copied().unwrap_or_default()
}

/// `count` items of a file of items of one size.
fn read(path: &Path, first: u64, count: usize, item: usize) -> Result<Vec<u8>, TileError> {
    if count == 0 || count > usize::from(TILE_WIDTH) {
        return Err(TileError::Beyond);
    }
    let offset = first.checked_mul(item as u64).ok_or(TileError::Beyond)?;
    let mut bytes = vec![0; count * item];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, offset));
    match read {
        Ok(()) => Ok(bytes),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound
            ) =>
        {
            Err(TileError::Beyond)
        }
        Err(source) => Err(DiskError::new("read", &PathBuf::from(path), source).into()),
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, width) = match *self {
            Self::Hashes { level, n, width } => {
                write!(f, "tile/{level}/")?;
                (n, width)
            }
            Self::Entries { n, width } => {
                f.write_str("tile/entries/")?;
                (n, width)
            }
        };
        let mut groups = vec![format!("{:03}", n % 1000)];
        let mut rest = n / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if width < TILE_WIDTH {
            write!(f, ".p/{width}")
        } else {
            Ok(())
        }
    }
}

impl FromStr for TilePath {
    type Err = BadTilePath;

    fn from_str(s: &str) -> Result<Self, BadTilePath> {
        let (kind, rest) = s
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(BadTilePath)?;
        let (digits, width) = match rest.split_once(".p/") {
            Some((digits, width)) => (digits, width.parse().map_err(|_| BadTilePath)?),
            None => (rest, TILE_WIDTH),
        };
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        let n = digits.parse().map_err(|_| BadTilePath)?;
        let path = match kind {
            "entries" => Self::Entries { n, width },
            level => Self::Hashes {
                level: level.parse().map_err(|_| BadTilePath)?,
                n,
                width,
            },
        };
        // A tile has one path only, which also rules out every other form of a number.
        let valid =
            width > 0 && path.to_string() == s && !matches!(path, Self::Hashes { level: 64.., .. });
        if valid { Ok(path) } else { Err(BadTilePath) }
    }
}

#[cfg(test)]
mod tests;
