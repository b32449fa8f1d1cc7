//! The key that signs a journal's checkpoints.

mod post_quantum;

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::signature::Ed25519KeyPair;

use super::checkpoint::Checkpoint;
use super::key_file::KeyError;
use super::key_file::create_ed25519;
use super::key_file::load_ed25519;
use super::key_file::public_half;
use super::note;
use super::note::KeyKind;
use super::note::NoteError;
use super::note::SIGNATURE_BYTES;
use super::note::Signature;
use super::note::VerifierKey;
use super::signed_checkpoint::SignedCheckpoint;
pub use post_quantum::PostQuantumKey;
pub use post_quantum::SigningError;

/// The keys of one journal.
#[derive(Debug)]
pub struct JournalKeys {
    /// Signs every commit.
    pub journal: JournalKey,
    /// Signs what is published, a second time.
    pub post_quantum: PostQuantumKey,
}

/// An Ed25519 key pair.
pub struct JournalKey(Ed25519KeyPair);

impl JournalKeys {
    /// Reads both files, and makes each that is not there. Gives the paths of those that it made, too.
    pub fn load_or_create(
        journal: &Path,
        post_quantum: &Path,
    ) -> Result<(Self, Vec<PathBuf>), KeyError> {
        let mut made = Vec::new();
        let mut is_there = |path: &Path| {
            let there = path.exists();
            if !there {
                made.push(path.to_owned());
            }
            there
        };
        let keys = Self {
            journal: match is_there(journal) {
                true => JournalKey::load(journal)?,
                false => JournalKey::create(journal)?,
            },
            post_quantum: match is_there(post_quantum) {
                true => PostQuantumKey::load(post_quantum)?,
                false => PostQuantumKey::create(post_quantum)?,
            },
        };
        Ok((keys, made))
    }

    /// The public halves, under the name of the journal that they sign: Ed25519, then ML-DSA-44.
    pub fn verifiers(&self, origin: &str) -> Result<[VerifierKey; 2], NoteError> {
        Ok([
            self.journal.verifier(origin)?,
            self.post_quantum.verifier(origin)?,
        ])
    }
}

impl JournalKey {
    /// Reads a PKCS#8 file, PEM or DER.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        load_ed25519(path).map(Self)
    }

    /// Makes a key and writes it, for its owner's eyes only, to a file that must not exist.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        create_ed25519(path).map(Self)
    }

    /// The public half, under the name of the journal that it signs.
    pub fn verifier(&self, origin: &str) -> Result<VerifierKey, NoteError> {
        VerifierKey::of(KeyKind::Ed25519, origin, public_half(&self.0))
    }

    /// A note of a text that ends in a newline, and that no checkpoint could be.
    pub fn sign_text(&self, text: &str, origin: &str) -> Result<String, NoteError> {
        let verifier = self.verifier(origin)?;
        Ok(note::signed(text, &self.signature(text), &verifier))
    }

    pub(crate) fn sign(&self, checkpoint: Checkpoint, verifier: &VerifierKey) -> SignedCheckpoint {
        let signature = self.signature(&checkpoint.text());
        SignedCheckpoint::signed(checkpoint, &signature, verifier)
    }

    /// Bare, as the frame of a commit has it.
    pub(crate) fn signature(&self, text: &str) -> Signature {
        let signature = self.0.sign(text.as_bytes());
        let bytes = signature.as_ref().first_chunk().copied();
        // A signature of Ed25519 has no other length; one of zeros verifies nothing.
        bytes.unwrap_or([0; SIGNATURE_BYTES])
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap())
    }
}

impl fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JournalKey(..)")
    }
}

#[cfg(test)]
mod tests;
