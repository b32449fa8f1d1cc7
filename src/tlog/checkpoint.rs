//! Checkpoints (C2SP tlog-checkpoint): a journal's size and root, and what keys sign of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::merkle::Hash;
use crate::clock::Moment;

/// The state of a journal: the root of its tree at a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The journal's name, e.g. `gov.example/civil/1`.
    pub origin: String,
    /// Entries.
    pub size: u64,
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub struct MalformedCheckpoint(pub &'static str);

impl Checkpoint {
    /// What is signed: origin, size and root, a line each.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }

    /// Reads the signed text; extension lines are passed over.
    pub fn parse(text: &str) -> Result<Self, MalformedCheckpoint> {
        let malformed = MalformedCheckpoint;
        let text = text
            .strip_suffix('\n')
            .ok_or(malformed("the last line has no end"))?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or(malformed("it has no origin"))?.to_owned();
        let size = line()
            .and_then(parse_size)
            .ok_or(malformed("its size is not a number"))?;
        let root = line()
            .and_then(|root| STANDARD.decode(root).ok())
            .and_then(|root| root.try_into().ok())
            .ok_or(malformed("its root is not a hash"))?;
        if lines.any(str::is_empty) {
            return Err(malformed("it has an empty extension line"));
        }
        Ok(Self { origin, size, root })
    }
}

/// Decimal without leading zeros, so that a size has one form only.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

/// What an Ed25519 cosigner signs: a time and the whole text of the checkpoint.
pub(super) fn message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// What an ML-DSA-44 cosigner signs. None if the text is no checkpoint, or a name is longer than 255 bytes.
pub(super) fn subtree_message(cosigner: &str, text: &str, seconds: u64) -> Option<Vec<u8>> {
    let checkpoint = Checkpoint::parse(text).ok()?;
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(u8::try_from(cosigner.len()).ok()?);
    message.extend_from_slice(cosigner.as_bytes());
    message.extend_from_slice(&seconds.to_be_bytes());
    message.push(u8::try_from(checkpoint.origin.len()).ok()?);
    message.extend_from_slice(checkpoint.origin.as_bytes());
    // A checkpoint is the subtree that begins at 0.
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&checkpoint.size.to_be_bytes());
    message.extend_from_slice(&checkpoint.root);
    Some(message)
}

/// Since 1970; 0 before.
pub(super) fn seconds(at: Moment) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}
