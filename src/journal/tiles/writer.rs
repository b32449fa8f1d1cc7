//! Extends the tree's files. They are derived from the segments and can be made anew.

use super::LEVELS;
use super::TILE_HEIGHT;
use super::TileError;
use crate::journal::disk::Disk;
use crate::journal::disk::DiskError;
use crate::journal::disk::DiskFile;
use crate::journal::layout::Layout;
use crate::journal::leaf::LEAF_BYTES;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;

/// A flush of all that a second brings at once would hold up those of commits.
const FLUSH_EVERY: usize = 512 << 10;

/// Writes each leaf and each completed tile's root at its place.
pub(in crate::journal) struct TileWriter {
    leaves: Box<dyn DiskFile>,
    levels: Vec<Box<dyn DiskFile>>,
    size: u64,
    /// Bytes of leaves.
    unflushed: usize,
}

/// What the levels of tiles gain while a tree grows: the hashes of its leaves and of each tile that they complete.
#[derive(Default)]
pub(in crate::journal) struct Growth([Vec<Hash>; LEVELS]);

impl Growth {
    /// Adds the next leaf's hash to the tree, and notes what it completes.
    pub(in crate::journal) fn push(&mut self, tree: &mut Frontier, leaf: Hash) {
        let mut height = 0;
        tree.push_with(leaf, |hash| {
            let level = height / TILE_HEIGHT as usize;
            if height.is_multiple_of(TILE_HEIGHT as usize)
                && let Some(level) = self.0.get_mut(level)
            {
                level.push(hash);
            }
            height += 1;
        });
    }
}

impl TileWriter {
    /// Goes on from a tree of `size` entries that the files hold; what they have beyond it is cut off.
    pub(in crate::journal) fn open(
        disk: &dyn Disk,
        layout: &Layout,
        size: u64,
    ) -> Result<Self, TileError> {
        let leaves = disk.open(&layout.leaves())?;
        leaves.truncate(size * LEAF_BYTES as u64)?;
        let mut levels = Vec::with_capacity(LEVELS);
        for level in 0..LEVELS {
            let count = size >> (8 * level);
            let file = disk.open(&layout.hashes(level))?;
            file.truncate(count * size_of::<Hash>() as u64)?;
            levels.push(file);
        }
        // The files' names must not be lost when what they hold is relied upon.
        disk.flush_dir(&layout.hash_dir())?;
        disk.flush_dir(layout.root())?;
        Ok(Self {
            leaves,
            levels,
            size,
            unflushed: 0,
        })
    }

    /// Adds leaves, and what the tree of them all has gained. If it fails, the same may be added again.
    pub(in crate::journal) fn append(
        &mut self,
        leaves: &[u8],
        growth: &Growth,
    ) -> Result<(), DiskError> {
        self.leaves
            .write_at(leaves, self.size * LEAF_BYTES as u64)?;
        for (level, (file, hashes)) in self.levels.iter().zip(&growth.0).enumerate() {
            if hashes.is_empty() {
                break;
            }
            let at = (self.size >> (8 * level)) * size_of::<Hash>() as u64;
            file.write_at(hashes.as_flattened(), at)?;
        }
        self.size += (leaves.len() / LEAF_BYTES) as u64;
        self.unflushed += leaves.len();
        if self.unflushed >= FLUSH_EVERY {
            self.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// Makes durable what was added.
    pub(in crate::journal) fn flush(&self) -> Result<(), DiskError> {
        self.leaves.flush()?;
        self.levels
            .iter()
            .enumerate()
            // No other level has ever been written to.
            .filter(|(level, _)| self.size >> (8 * level) > 0)
            .try_for_each(|(_, level)| level.flush())
    }
}
