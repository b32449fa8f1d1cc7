//! The body of an `add-checkpoint` request: what a log says to its witness (C2SP tlog-witness).

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::tlog::checkpoint::parse_size;
use crate::tlog::merkle::Hash;

/// The most that a body may have, in bytes: a note of 64 KiB, and the proof.
pub const MAX_REQUEST_BYTES: usize = 70 * 1024;
/// No proof between two trees of at most 2^64 leaves needs more.
const MAX_PROOF: usize = 63;

/// A request to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint<'a> {
    /// The size that the witness cosigned last, as the log believes; 0 if none.
    pub old: u64,
    /// Shows that the tree of `old` leaves is the beginning of the checkpoint's.
    pub proof: Vec<Hash>,
    /// The checkpoint's note; nothing in it has been checked.
    pub note: &'a str,
}

/// A body that is no `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an add-checkpoint request: {0}")]
pub struct Malformed(pub(super) &'static str);

impl<'a> AddCheckpoint<'a> {
    pub fn parse(body: &'a str) -> Result<Self, Malformed> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(Malformed("it is too long"));
        }
        let (head, note) = body
            .split_once("\n\n")
            .ok_or(Malformed("no empty line ends the proof"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| parse_size(line.strip_prefix("old ")?))
            .ok_or(Malformed("the first line is not `old` and a size"))?;
        let hashes = lines.map(hash).take(MAX_PROOF + 1);
        let proof: Vec<Hash> = hashes
            .collect::<Option<_>>()
            .ok_or(Malformed("a line of the proof is not a hash"))?;
        if proof.len() > MAX_PROOF {
            return Err(Malformed("the proof is too long"));
        }
        Ok(Self { old, proof, note })
    }

    /// The body that says this.
    pub fn body(&self) -> String {
        let mut body = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing to a text does not fail.
            let _ = writeln!(body, "{}", STANDARD.encode(hash));
        }
        body.push('\n');
        body.push_str(self.note);
        body
    }
}

fn hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
