//! A static C2SP tlog-tiles log: made of the leaves alone, whatever the journal's own tree files hold.

use super::ExportError;
use super::draft::Folder;
use super::rows::Rows;
use crate::journal::LEAF_BYTES;
use crate::journal::tiles::LEVELS;
use crate::journal::tiles::TILE_WIDTH;
use crate::journal::tiles::TilePath;
use crate::journal::tiles::perfect_root;
use crate::tlog::merkle::Hash;

/// One level's tile while it fills.
#[derive(Default)]
struct Edge {
    n: u64,
    hashes: Vec<Hash>,
}

pub(super) fn write(
    rows: &mut Rows<'_>,
    mut folder: Folder,
    note: &str,
) -> Result<Hash, ExportError> {
    let mut levels: Vec<Edge> = Vec::new();
    levels.resize_with(LEVELS, Edge::default);
    let mut bundle = Vec::new();
    while let Some(row) = rows.next()? {
        bundle.extend_from_slice(&(LEAF_BYTES as u16).to_be_bytes());
        bundle.extend_from_slice(row.stored.leaf_bytes());
        let index = row.index();
        if (index + 1).is_multiple_of(TILE_WIDTH.into()) {
            let n = index / u64::from(TILE_WIDTH);
            put_entries(&mut folder, n, TILE_WIDTH, &mut bundle)?;
        }
        add(&mut folder, &mut levels, row.stored.leaf_hash())?;
    }
    put_edges(&mut folder, &levels, &mut bundle)?;
    folder.put("checkpoint", note.as_bytes())?;
    folder.finish()
}

/// Adds a leaf's hash to the lowest level, and the root of each tile that it fills to the next.
fn add(folder: &mut Folder, levels: &mut [Edge], leaf: Hash) -> Result<(), ExportError> {
    let mut hash = leaf;
    for (level, edge) in (0..).zip(levels) {
        edge.hashes.push(hash);
        if edge.hashes.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        put_hashes(folder, level, edge)?;
        hash = perfect_root(std::mem::take(&mut edge.hashes));
        edge.n += 1;
    }
    Ok(())
}

/// The partial tiles of the journal's size.
fn put_edges(
    folder: &mut Folder,
    levels: &[Edge],
    bundle: &mut Vec<u8>,
) -> Result<(), ExportError> {
    if let (Some(Edge { n, hashes }), false) = (levels.first(), bundle.is_empty()) {
        put_entries(folder, *n, hashes.len() as u16, bundle)?;
    }
    let partial = (0..)
        .zip(levels)
        .filter(|(_, edge)| !edge.hashes.is_empty());
    for (level, edge) in partial {
        put_hashes(folder, level, edge)?;
    }
    Ok(())
}

fn put_hashes(folder: &mut Folder, level: u8, edge: &Edge) -> Result<(), ExportError> {
    let (n, width) = (edge.n, edge.hashes.len() as u16);
    let path = TilePath::Hashes { level, n, width };
    folder.put(&path.to_string(), edge.hashes.as_flattened())
}

fn put_entries(
    folder: &mut Folder,
    n: u64,
    width: u16,
    bundle: &mut Vec<u8>,
) -> Result<(), ExportError> {
    let path = TilePath::Entries { n, width };
    folder.put(&path.to_string(), bundle)?;
    bundle.clear();
    Ok(())
}
