//! Signed checkpoints: made by signing, or by verifying a note.

use super::checkpoint::Checkpoint;
use super::checkpoint::MalformedCheckpoint;
use super::merkle::Hash;
use super::note;
use super::note::KeyKind;
use super::note::NoteError;
use super::note::Signature;
use super::note::Signer;
use super::note::VerifierKey;

/// A checkpoint whose note its journal's key has signed: made by signing, or by verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

/// A checkpoint that cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    #[error("the checkpoint is of `{found}`, which the key of `{signer}` does not speak for")]
    OtherOrigin { found: String, signer: String },
}

impl From<MalformedCheckpoint> for CheckpointError {
    fn from(MalformedCheckpoint(why): MalformedCheckpoint) -> Self {
        Self::Malformed(why)
    }
}

impl SignedCheckpoint {
    /// The key of `verifier` has made the signature of the checkpoint's text.
    pub(crate) fn signed(
        checkpoint: Checkpoint,
        signature: &Signature,
        verifier: &VerifierKey,
    ) -> Self {
        let note = note::signed(&checkpoint.text(), signature, verifier);
        Self { checkpoint, note }
    }

    /// Verifies a note: an Ed25519 log key among the trusted must bear the name of the journal and have signed it. A bad
    /// signature of any trusted key, a cosigner's too, refuses the note.
    pub fn open(note: &str, trusted: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let opened = note::open(note, trusted)?;
        let checkpoint = Checkpoint::parse(&opened.text)?;
        let speaks_for_it = |signer: &Signer| {
            signer.key.kind() == KeyKind::Ed25519 && signer.key.name() == checkpoint.origin
        };
        if !opened.signers.iter().any(speaks_for_it) {
            let names: Vec<&str> = opened.signers.iter().map(|by| by.key.name()).collect();
            return Err(CheckpointError::OtherOrigin {
                signer: names.join("`, `"),
                found: checkpoint.origin,
            });
        }
        Ok(Self {
            checkpoint,
            note: note.to_owned(),
        })
    }

    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    pub fn root(&self) -> &Hash {
        &self.checkpoint.root
    }

    /// The signed note, as others verify it.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What was signed, with its last newline and with the extension lines, if there are any.
    pub fn text(&self) -> &str {
        let end = self.note.rfind("\n\n").unwrap_or_default();
        self.note.get(..=end).unwrap_or_default()
    }

    /// The same checkpoint with further signature lines, each without its newline. They are not verified; lines that are
    /// none, and more than a note may have, are refused.
    pub fn with_lines<'a>(
        &self,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, NoteError> {
        let note = note::extend(&self.note, lines)?;
        Ok(Self {
            checkpoint: self.checkpoint.clone(),
            note,
        })
    }
}

#[cfg(test)]
mod tests;
