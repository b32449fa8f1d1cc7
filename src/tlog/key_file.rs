//! Files of private keys: PKCS#8, for their owner's eyes only.

use std::fs;
use std::fs::File;
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
use zeroize::Zeroizing;

use super::note::NoteError;

const ED25519: &str = "Ed25519";

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

pub(super) fn public_half(pair: &Ed25519KeyPair) -> &[u8] {
    pair.public_key().as_ref()
}

pub(super) fn load_ed25519(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let der = read(path, ED25519)?;
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| not_a_key(path, ED25519))
}

pub(super) fn create_ed25519(path: &Path) -> Result<Ed25519KeyPair, KeyError> {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
        .map_err(|_| KeyError::NoRandomness)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.as_ref())
        .map_err(|_| KeyError::NoRandomness)?;
    create(path, document.as_ref())?;
    Ok(pair)
}

/// The DER of a PKCS#8 file, PEM or DER.
pub(super) fn read(path: &Path, algorithm: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bytes = fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    if !bytes.starts_with(b"-----") {
        return Ok(bytes);
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes).map_err(|_| not_a_key(path, algorithm))?;
    Ok(der.secret_pkcs8_der().to_vec().into())
}

/// Writes PEM to a file that must not exist; makes its folder if need be.
pub(super) fn create(path: &Path, der: &[u8]) -> Result<(), KeyError> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let pem = Zeroizing::new(format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64.as_str()
    ));
    write(path, pem.as_bytes()).map_err(|source| KeyError::NotCreated {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    // Dies before the link: nobody has used the key, and the next start makes another. After: the key stands whole.
    // A link, unlike a rename, never replaces a key that stands there.
    fs::hard_link(&fresh, path)?;
    fs::remove_file(&fresh)?;
    File::open(folder)?.sync_all()
}

pub(super) fn not_a_key(path: &Path, algorithm: &'static str) -> KeyError {
    KeyError::NotAKey {
        path: path.to_owned(),
        algorithm,
    }
}
