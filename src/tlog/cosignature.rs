//! Cosignatures (C2SP tlog-cosignature): who cosigns a checkpoint states that it was the largest consistent one it knew.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::Ed25519KeyPair;

use super::checkpoint::message;
use super::checkpoint::seconds;
use super::key_file;
use super::key_file::KeyError;
use super::note;
use super::note::KeyKind;
use super::note::NoteError;
use super::note::VerifierKey;
use super::signed_checkpoint::SignedCheckpoint;
use crate::clock::Moment;

/// An Ed25519 key pair under the name of a cosigner. It must sign nothing but cosignatures: what it signs bears no name.
pub struct CosignerKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

/// A cosignature that its key has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The cosigner's.
    pub name: String,
    /// When it signed, as it states; None if it states no time.
    pub time: Option<Moment>,
}

impl CosignerKey {
    /// Reads a PKCS#8 file, PEM or DER. The name has neither white space nor `+`.
    pub fn load(path: &Path, name: &str) -> Result<Self, KeyError> {
        Self::new(key_file::load_ed25519(path)?, name).map_err(KeyError::Name)
    }

    /// Makes a key and writes it, for its owner's eyes only, to a file that must not exist.
    pub fn create(path: &Path, name: &str) -> Result<Self, KeyError> {
        Self::new(key_file::create_ed25519(path)?, name).map_err(KeyError::Name)
    }

    /// Reads the file, or makes it if it is not there; tells whether it made it, too.
    pub fn load_or_create(path: &Path, name: &str) -> Result<(Self, bool), KeyError> {
        match path.exists() {
            true => Ok((Self::load(path, name)?, false)),
            false => Ok((Self::create(path, name)?, true)),
        }
    }

    fn new(pair: Ed25519KeyPair, name: &str) -> Result<Self, NoteError> {
        let verifier = VerifierKey::of(KeyKind::Cosignature, name, key_file::public_half(&pair))?;
        Ok(Self { pair, verifier })
    }

    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// The public half, of type 0x04.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature line, without its newline, to be put below the checkpoint's note.
    pub fn cosign(&self, checkpoint: &SignedCheckpoint, at: Moment) -> String {
        let seconds = seconds(at);
        let signature = self.pair.sign(&message(checkpoint.text(), seconds));
        let stamped = [&seconds.to_be_bytes(), signature.as_ref()].concat();
        note::signature_line(&self.verifier, &stamped)
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: [u8; 32], name: &str) -> Self {
        Self::new(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), name).unwrap()
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosignerKey({}, ..)", self.verifier.name())
    }
}

/// The cosignatures of known cosigners on a note. Those of others are ignored; a bad one of a known cosigner is not.
/// Says nothing of the log's own signature.
pub fn cosignatures(note: &str, cosigners: &[VerifierKey]) -> Result<Vec<Cosignature>, NoteError> {
    let signers = match note::open(note, cosigners) {
        Ok(note) => note.signers,
        Err(NoteError::Unsigned) => Vec::new(),
        Err(error) => return Err(error),
    };
    let cosignature = |signer: note::Signer| Cosignature {
        name: signer.key.name().to_owned(),
        time: signer.time,
    };
    Ok(signers
        .into_iter()
        .filter(|signer| signer.key.kind() != KeyKind::Ed25519)
        .map(cosignature)
        .collect())
}

#[cfg(test)]
mod tests;
