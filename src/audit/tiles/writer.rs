//! Extends the tree's files. They are derived from the segments and can be made anew.

use super::LEVELS;
use super::TILE_WIDTH;
use super::TileError;
use super::Tiles;
use super::perfect_root;
use crate::audit::disk::Disk;
use crate::audit::disk::DiskError;
use crate::audit::disk::DiskFile;
use crate::audit::layout::Layout;
use crate::audit::leaf::LEAF_BYTES;
use crate::audit::merkle::Hash;

/// Writes each leaf and each completed tile's root at its place.
pub(in crate::audit) struct TileWriter {
    leaves: Box<dyn DiskFile>,
    levels: Vec<Level>,
    size: u64,
}

struct Level {
    file: Box<dyn DiskFile>,
    /// The hashes of the last tile while it is not full.
    edge: Vec<Hash>,
}

impl TileWriter {
    /// Goes on from a tree of `size` entries that the files hold; what they have beyond it is cut off.
    pub(in crate::audit) fn open(
        disk: &dyn Disk,
        layout: &Layout,
        size: u64,
    ) -> Result<Self, TileError> {
        let tiles = Tiles::of(layout.clone());
        let leaves = disk.open(&layout.leaves())?;
        leaves.truncate(size * LEAF_BYTES as u64)?;
        let mut levels = Vec::with_capacity(LEVELS);
        for level in 0..LEVELS {
            let count = size >> (8 * level);
            let file = disk.open(&layout.hashes(level))?;
            file.truncate(count * size_of::<Hash>() as u64)?;
            let width = (count % u64::from(TILE_WIDTH)) as u16;
            let edge = match width {
                0 => Vec::new(),
                _ => tiles.hash_tile(level as u8, count / u64::from(TILE_WIDTH), width)?,
            };
            levels.push(Level {
                file,
                edge: edge.as_chunks().0.to_vec(),
            });
        }
        // The files' names must not be lost when what they hold is relied upon.
        disk.flush_dir(&layout.hash_dir())?;
        disk.flush_dir(layout.root())?;
        Ok(Self {
            leaves,
            levels,
            size,
        })
    }

    /// Adds leaves and their hashes. If it fails, the same may be added again.
    pub(in crate::audit) fn append(
        &mut self,
        leaves: &[u8],
        hashes: Vec<Hash>,
    ) -> Result<(), DiskError> {
        self.leaves
            .write_at(leaves, self.size * LEAF_BYTES as u64)?;
        let size = self.size + hashes.len() as u64;
        let mut edges = Vec::new();
        let mut new = hashes;
        for (level, Level { file, edge }) in self.levels.iter().enumerate() {
            if new.is_empty() {
                break;
            }
            let at = (self.size >> (8 * level)) * size_of::<Hash>() as u64;
            file.write_at(new.as_flattened(), at)?;
            let mut hashes = edge.clone();
            hashes.append(&mut new);
            let full = hashes.chunks_exact(TILE_WIDTH.into());
            edges.push(full.remainder().to_vec());
            new = full.map(|tile| perfect_root(tile.to_vec())).collect();
        }
        for (level, edge) in self.levels.iter_mut().zip(edges) {
            level.edge = edge;
        }
        self.size = size;
        Ok(())
    }

    /// Makes durable what was added.
    pub(in crate::audit) fn flush(&self) -> Result<(), DiskError> {
        self.leaves.flush()?;
        self.levels
            .iter()
            .enumerate()
            // No other level has ever been written to.
            .filter(|(level, _)| self.size >> (8 * level) > 0)
            .try_for_each(|(_, level)| level.file.flush())
    }
}
