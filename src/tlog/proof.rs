//! A proof that an entry stands in a journal, in a file of its own (C2SP tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::merkle;
use super::merkle::BadProof;
use super::merkle::Hash;
use super::note::VerifierKey;
use super::signed_checkpoint::CheckpointError;
use super::signed_checkpoint::SignedCheckpoint;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";
/// A tree has no more levels: its size is a u64.
const MAX_HASHES: usize = 64;
/// The longest entry that tlog-tiles know.
const MAX_EXTRA: usize = 65_535;
/// The longest proof that is read: room for the longest extra data, path and note.
pub const MAX_BYTES: usize = 256 * 1024;

/// A proof that was read or made. It proves nothing before `prove`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What the writer wants the reader to have; nothing vouches for it. Of this gateway: the leaf that is proven.
    pub extra: Option<Vec<u8>>,
    /// The entry's.
    pub index: u64,
    /// The leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint with its cosignatures.
    pub note: String,
}

/// Why a text is no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a tlog-proof: {0}")]
pub struct Malformed(&'static str);

/// Why a proof does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the leaf does not lead to the root that was signed")]
    Path(#[from] BadProof),
}

impl Proof {
    /// Proves that the leaf stands at the index in the tree whose checkpoint one of the keys has signed. Whether witnesses
    /// have seen that checkpoint is the policy's to say.
    pub fn prove(
        &self,
        leaf: &[u8],
        trusted: &[VerifierKey],
    ) -> Result<SignedCheckpoint, NotProven> {
        let checkpoint = SignedCheckpoint::open(&self.note, trusted)?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        merkle::verify_inclusion(&merkle::leaf_hash(leaf), self.index, size, &self.path, root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "{EXTRA}{}", STANDARD.encode(extra))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Proof {
    type Err = Malformed;

    fn from_str(s: &str) -> Result<Self, Malformed> {
        if s.len() > MAX_BYTES {
            return Err(Malformed("it is longer than 256 KiB"));
        }
        // Neither extra data nor hashes have empty lines.
        let (head, note) = s
            .split_once("\n\n")
            .ok_or(Malformed("no empty line ends the path"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(Malformed("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines
            .next_if(|line| line.starts_with(EXTRA))
            .map(parse_extra)
            .transpose()?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix(INDEX))
            .and_then(parse_index)
            .ok_or(Malformed("it has no `index` line with a number"))?;
        let path: Vec<Hash> = lines
            .take(MAX_HASHES + 1)
            .map(parse_hash)
            .collect::<Result<_, _>>()?;
        if path.len() > MAX_HASHES {
            return Err(Malformed("its path has more than 64 hashes"));
        }
        Ok(Self {
            extra,
            index,
            path,
            note: note.to_owned(),
        })
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, Malformed> {
    line.strip_prefix(EXTRA)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .filter(|extra| extra.len() <= MAX_EXTRA)
        .ok_or(Malformed(
            "its `extra` line is not base64 of 65,535 bytes at most",
        ))
}

/// Decimal without leading zeros, so that an index has one form only.
fn parse_index(text: &str) -> Option<u64> {
    let index: u64 = text.parse().ok()?;
    (index.to_string() == text).then_some(index)
}

fn parse_hash(line: &str) -> Result<Hash, Malformed> {
    STANDARD
        .decode(line)
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .ok_or(Malformed("a line of its path is not a hash"))
}

#[cfg(test)]
mod tests;
