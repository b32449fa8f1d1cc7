//! The key that signs a journal's checkpoints.

mod file;
mod post_quantum;

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;

use super::checkpoint::Checkpoint;
use super::checkpoint::SignedCheckpoint;
use super::note;
use super::note::KeyKind;
use super::note::NoteError;
use super::note::SIGNATURE_BYTES;
use super::note::Signature;
use super::note::VerifierKey;
pub use post_quantum::PostQuantumKey;
pub use post_quantum::SigningError;

const ED25519: &str = "Ed25519";

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

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot create the key `{}`", path.display())]
    NotCreated {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is not an {algorithm} private key in PKCS#8, as `openssl genpkey -algorithm {algorithm}` writes it", path.display())]
    NotAKey {
        path: PathBuf,
        algorithm: &'static str,
    },
    #[error("the key's name cannot be used")]
    Name(#[source] NoteError),
    #[error("the system gives no random numbers")]
    NoRandomness,
}

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

pub(super) fn public_half(pair: &Ed25519KeyPair) -> &[u8] {
    pair.public_key().as_ref()
}

pub(super) fn load_ed25519(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let der = file::read(path, ED25519)?;
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| file::not_a_key(path, ED25519))
}

pub(super) fn create_ed25519(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
        .map_err(|_| KeyError::NoRandomness)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.as_ref())
        .map_err(|_| KeyError::NoRandomness)?;
    file::create(path, document.as_ref())?;
    Ok(pair)
}

#[cfg(test)]
mod tests;
