//! Files of private keys: PKCS#8, for their owner's eyes only.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::KeyError;

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
