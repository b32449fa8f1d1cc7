//! Files of private keys: PKCS#8, for their owner's eyes only.

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::KeyError;

/// The DER of a PKCS#8 file, PEM or DER.
pub(super) fn read(path: &Path, algorithm: &'static str) -> Result<Vec<u8>, KeyError> {
    let bytes = fs::read(path).map_err(|source| KeyError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if !bytes.starts_with(b"-----") {
        return Ok(bytes);
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes).map_err(|_| not_a_key(path, algorithm))?;
    Ok(der.secret_pkcs8_der().to_vec())
}

/// Writes PEM to a file that must not exist.
pub(super) fn create(path: &Path, der: &[u8]) -> Result<(), KeyError> {
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
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
    })
}

pub(super) fn not_a_key(path: &Path, algorithm: &'static str) -> KeyError {
    KeyError::NotAKey {
        path: path.to_owned(),
        algorithm,
    }
}
