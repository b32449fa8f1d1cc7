//! Reads PEM files, and says what is wrong with one in words that mend it.

use std::fs;
use std::io;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::fault::Fault;

/// A revocation list of some hundred thousand certificates fits.
const MAX_BYTES: u64 = 16 << 20;

const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const GROUP_OR_OTHERS_READ: u32 = 0o044;

/// At least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    sections(path, "certificate", "CERTIFICATE")
}

/// At least one.
pub(super) fn revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
    sections(path, "revocation list", "X509 CRL")
}

/// The first private key, and a warning if others than its owner may read it.
pub(super) fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Option<Fault>), Fault> {
    let (bytes, mode) = read(path)?;
    let bytes = Zeroizing::new(bytes);
    if mode & GROUP_OR_OTHERS_WRITE != 0 {
        return Err(fault(
            path,
            format!(
                "others than its owner may write this private key (mode {mode:03o}): `chmod 600` it, and replace the key if you do not know who did"
            ),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        fault(
            path,
            match error {
                rustls::pki_types::pem::Error::NoItemsFound => {
                    "no private key in this file: expected `-----BEGIN PRIVATE KEY-----`, not encrypted"
                        .to_owned()
                }
                error => damaged(&error),
            },
        )
    })?;
    let warning = (mode & GROUP_OR_OTHERS_READ != 0).then(|| {
        fault(
            path,
            format!(
                "others than its owner may read this private key (mode {mode:03o}): `chmod 600` it"
            ),
        )
    });
    Ok((key, warning))
}

pub(super) fn fault(path: &Path, message: impl Into<String>) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        key: String::new(),
        message: message.into(),
    }
}

fn sections<T: PemObject>(path: &Path, what: &str, label: &str) -> Result<Vec<T>, Fault> {
    let (bytes, _) = read(path)?;
    let sections = T::pem_slice_iter(&bytes)
        .collect::<Result<Vec<T>, _>>()
        .map_err(|error| fault(path, damaged(&error)))?;
    if sections.is_empty() {
        return Err(fault(
            path,
            format!(
                "no {what} in this file: expected `-----BEGIN {label}-----`; a DER file is converted with `openssl`, `-inform der -outform pem`"
            ),
        ));
    }
    Ok(sections)
}

fn damaged(error: &rustls::pki_types::pem::Error) -> String {
    format!("the PEM text is damaged ({error}): copy the file again")
}

fn read(path: &Path) -> Result<(Vec<u8>, u32), Fault> {
    let unreadable = |error: io::Error| fault(path, format!("cannot be read: {error}"));
    let metadata = fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(fault(path, "is not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault(path, "is larger than 16 MiB"));
    }
    Ok((bytes, metadata.permissions().mode() & 0o777))
}
