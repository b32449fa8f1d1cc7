//! What proves entries to anybody, against a checkpoint that is signed and, if possible, witnessed.

use std::fmt;
use std::path::Path;

use super::error::ReadingError;
use super::lookup;
use super::progress::size;
use crate::evidence::criteria::Criteria;
use crate::evidence::search::Page;
use crate::journal::reader::Reader;
use crate::journal::tiles::Tiles;
use crate::name::ExchangeId;
use crate::pb;
use crate::tlog::proof::Proof;

/// Entries of one exchange: it has at most two.
const OF_EXCHANGE: usize = 8;

/// The entries that are to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofTarget {
    Index(u64),
    /// All of one exchange.
    Exchange(ExchangeId),
}

/// A journal's tree, and the checkpoints of it that a proof can lead to.
pub(crate) struct Prover {
    tiles: Tiles,
    reader: Reader,
    /// What witnesses have cosigned comes first: it is worth more.
    notes: Vec<Note>,
}

struct Note {
    text: String,
    size: u64,
}

impl Prover {
    pub(crate) fn open(journal: &Path) -> Result<Self, ReadingError> {
        let reader = Reader::open(journal);
        let witnessed = reader.witnessed().map_err(ReadingError::failed)?;
        let published = reader.published().map_err(ReadingError::failed)?;
        let notes = [witnessed, published].into_iter().flatten();
        Ok(Self {
            tiles: Tiles::open(journal),
            notes: notes
                .filter_map(|text| size(&text).map(|size| Note { text, size }))
                .collect(),
            reader,
        })
    }

    /// None for an entry that no checkpoint covers yet.
    pub(crate) fn prove(&self, index: u64, leaf: &[u8]) -> Result<Option<Proof>, ReadingError> {
        let Some(note) = self.notes.iter().find(|note| index < note.size) else {
            return Ok(None);
        };
        let path = self.tiles.inclusion(index, note.size);
        Ok(Some(Proof {
            extra: Some(leaf.to_vec()),
            index,
            path: path.map_err(ReadingError::failed)?,
            note: note.text.clone(),
        }))
    }

    fn entry(&self, index: u64) -> Result<Option<pb::EntryProof>, ReadingError> {
        let Some(stored) = self.reader.entry(index).map_err(ReadingError::failed)? else {
            return Ok(None);
        };
        let leaf = stored.leaf_bytes();
        Ok(self.prove(index, leaf)?.map(|proof| pb::EntryProof {
            index,
            leaf: leaf.to_vec().into(),
            proof: proof.to_string(),
        }))
    }
}

/// The proofs of the entries that are there and under a checkpoint.
pub(crate) fn of(journal: &Path, which: ProofTarget) -> Result<Vec<pb::EntryProof>, ReadingError> {
    let prover = Prover::open(journal)?;
    let mut proofs = Vec::new();
    for index in indexes(journal, which)? {
        proofs.extend(prover.entry(index)?);
    }
    Ok(proofs)
}

fn indexes(journal: &Path, which: ProofTarget) -> Result<Vec<u64>, ReadingError> {
    let exchange = match which {
        ProofTarget::Index(index) => return Ok(vec![index]),
        ProofTarget::Exchange(exchange) => exchange,
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

impl fmt::Display for ProofTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "index={index}"),
            Self::Exchange(exchange) => write!(f, "exchange_id={exchange}"),
        }
    }
}
