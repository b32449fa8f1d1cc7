//! The key whose signatures still hold when Ed25519 no longer does.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::ML_DSA_44_SIGNING;
use aws_lc_rs::signature::PqdsaKeyPair;

use crate::clock::Moment;
use crate::tlog::checkpoint;
use crate::tlog::key_file;
use crate::tlog::key_file::KeyError;
use crate::tlog::note;
use crate::tlog::note::KeyKind;
use crate::tlog::note::NoteError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

const ML_DSA_44: &str = "ML-DSA-44";

/// An ML-DSA-44 key pair (FIPS 204). It signs what is published, not each commit: a signature has 2,420 bytes.
pub struct PostQuantumKey(PqdsaKeyPair);

/// The system gave no random numbers to sign with.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the ML-DSA-44 key did not sign")]
pub struct SigningError;

impl PostQuantumKey {
    /// Reads a PKCS#8 file, PEM or DER.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let der = key_file::read(path, ML_DSA_44)?;
        PqdsaKeyPair::from_pkcs8(&ML_DSA_44_SIGNING, &der)
            .map(Self)
            .map_err(|_| key_file::not_a_key(path, ML_DSA_44))
    }

    /// Makes a key and writes it, for its owner's eyes only, to a file that must not exist.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let pair =
            PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).map_err(|_| KeyError::NoRandomness)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoRandomness)?;
        key_file::create(path, document.as_ref())?;
        Ok(Self(pair))
    }

    /// The public half, of type 0x06, under the name of the journal that it signs.
    pub fn verifier(&self, origin: &str) -> Result<VerifierKey, NoteError> {
        VerifierKey::of(KeyKind::MlDsa44, origin, self.0.public_key().as_ref())
    }

    /// A signature line, without its newline, that states the time.
    pub(crate) fn cosign(
        &self,
        verifier: &VerifierKey,
        checkpoint: &SignedCheckpoint,
        at: Moment,
    ) -> Result<String, SigningError> {
        let seconds = checkpoint::seconds(at);
        let message = checkpoint::subtree_message(verifier.name(), checkpoint.text(), seconds)
            .ok_or(SigningError)?;
        let mut signature = vec![0; ML_DSA_44_SIGNING.signature_len()];
        self.0
            .sign(&message, &mut signature)
            .map_err(|_| SigningError)?;
        let stamped = [&seconds.to_be_bytes(), signature.as_slice()].concat();
        Ok(note::signature_line(verifier, &stamped))
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &seed).unwrap())
    }
}

impl fmt::Debug for PostQuantumKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostQuantumKey(..)")
    }
}
