//! What proves entries to anybody, against the published checkpoint.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lookup;
use super::progress::size;
use super::unread::Unread;
use crate::audit::reader::Reader;
use crate::audit::search::Criteria;
use crate::audit::search::Page;
use crate::audit::tiles::TileError;
use crate::audit::tiles::Tiles;
use crate::name::ExchangeId;
use crate::pb;

/// Entries of one exchange: it has at most two.
const OF_EXCHANGE: usize = 8;

/// The entries that are to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Index(u64),
    /// All of one exchange.
    Exchange(ExchangeId),
}

/// The published checkpoint of a journal, and the tree that it is about.
pub(super) struct Prover {
    tiles: Tiles,
    note: String,
    size: u64,
}

impl Prover {
    /// `None` while nothing is published.
    pub(super) fn open(journal: &Path) -> Result<Option<Self>, Unread> {
        let Some(note) = Reader::open(journal).published().map_err(Unread::failed)? else {
            return Ok(None);
        };
        Ok(size(&note).map(|size| Self {
            tiles: Tiles::open(journal),
            note,
            size,
        }))
    }

    /// A tlog-proof, or `None` for an entry that is not under the published checkpoint yet.
    pub(super) fn prove(&self, index: u64) -> Result<Option<String>, Unread> {
        let path = match self.tiles.inclusion(index, self.size) {
            Err(TileError::Beyond) => return Ok(None),
            path => path.map_err(Unread::failed)?,
        };
        let path: String = path
            .iter()
            .map(|hash| STANDARD.encode(hash) + "\n")
            .collect();
        let note = &self.note;
        Ok(Some(format!(
            "c2sp.org/tlog-proof@v1\nindex {index}\n{path}\n{note}"
        )))
    }
}

/// The proofs of the entries that are there and published.
pub(super) fn of(journal: &Path, which: Which) -> Result<Vec<pb::EntryProof>, Unread> {
    let Some(prover) = Prover::open(journal)? else {
        return Ok(Vec::new());
    };
    let reader = Reader::open(journal);
    let mut proofs = Vec::new();
    for index in indexes(journal, which)? {
        let stored = reader.entry(index).map_err(Unread::failed)?;
        let (Some(stored), Some(proof)) = (stored, prover.prove(index)?) else {
            continue;
        };
        proofs.push(pb::EntryProof {
            index,
            leaf: stored.leaf_bytes().to_vec().into(),
            proof,
        });
    }
    Ok(proofs)
}

fn indexes(journal: &Path, which: Which) -> Result<Vec<u64>, Unread> {
    let exchange = match which {
        Which::Index(index) => return Ok(vec![index]),
        Which::Exchange(exchange) => exchange,
    };
    let criteria = Criteria {
        exchange: Some(exchange),
        ..Criteria::default()
    };
    let found = lookup::entries(journal, &criteria, Page::newest(OF_EXCHANGE))?;
    let mut indexes: Vec<_> = found
        .hits
        .iter()
        .flat_map(|hit| [Some(hit.index), hit.end.as_ref().map(|end| end.index)])
        .flatten()
        .collect();
    indexes.sort_unstable();
    Ok(indexes)
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "index={index}"),
            Self::Exchange(exchange) => write!(f, "exchange_id={exchange}"),
        }
    }
}
