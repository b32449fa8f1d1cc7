//! The key that signs a journal's checkpoints.

use std::fmt;
use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::checkpoint::Checkpoint;
use super::checkpoint::SignedCheckpoint;
use super::note;
use super::note::NoteError;
use super::note::VerifierKey;

/// An Ed25519 key pair.
pub struct JournalKey(Ed25519KeyPair);

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the journal key `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot create the journal key `{}`", path.display())]
    NotCreated {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is not an Ed25519 private key in PKCS#8, as `openssl genpkey -algorithm ed25519` writes it", path.display())]
    NotAKey { path: PathBuf },
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl JournalKey {
    /// Reads a PKCS#8 file, PEM or DER.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = fs::read(path).map_err(|source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let not_a_key = || KeyError::NotAKey {
            path: path.to_owned(),
        };
        let pair = if bytes.starts_with(b"-----") {
            let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes).map_err(|_| not_a_key())?;
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
        } else {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes)
        };
        pair.map(Self).map_err(|_| not_a_key())
    }

    /// Makes a key and writes it, for its owner's eyes only, to a file that must not exist.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
            .map_err(|_| KeyError::NoRandomness)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.as_ref())
            .map_err(|_| KeyError::NoRandomness)?;
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(document.as_ref())
        );
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| {
                file.write_all(pem.as_bytes())
                    .and_then(|()| file.sync_all())
            });
        written.map_err(|source| KeyError::NotCreated {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(pair))
    }

    /// The public half, under the name of the journal that it signs.
    pub fn verifier(&self, origin: &str) -> Result<VerifierKey, NoteError> {
        // An Ed25519 public key always has 32 bytes.
        let key = self.0.public_key().as_ref().try_into().unwrap_or([0; 32]);
        VerifierKey::new(origin, key)
    }

    pub(super) fn sign(&self, checkpoint: Checkpoint, verifier: &VerifierKey) -> SignedCheckpoint {
        let note = note::sign(&checkpoint.text(), &self.0, verifier);
        SignedCheckpoint::new(checkpoint, note)
    }

    #[cfg(test)]
    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
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
