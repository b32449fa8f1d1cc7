//! Reads PEM files, and says what is wrong with one and how to correct it.

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
use crate::mode::is_read_only;
use crate::text::unmarked_bytes;

/// A revocation list of some hundred thousand certificates fits.
const MAX_BYTES: u64 = 16 << 20;

const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const GROUP_OR_OTHERS_READ: u32 = 0o044;

/// At least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let convert = "openssl x509 -inform der -in <this file> -out <another>";
    sections(path, "certificate", "CERTIFICATE", convert)
}

/// At least one.
pub(super) fn revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
    let convert = "openssl crl -inform der -in <this file> -out <another>";
    sections(path, "revocation list", "X509 CRL", convert)
}

/// The first private key, and a warning if others than its owner may read it.
pub(super) fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Option<Fault>), Fault> {
    let (bytes, mode) = read(path)?;
    let bytes = Zeroizing::new(bytes);
    if mode & GROUP_OR_OTHERS_WRITE != 0 && !is_read_only(path) {
        return Err(fault(
            path,
            format!(
                "others than its owner may write this private key (mode {mode:03o}): `chmod 600` it, and replace the key if you do not know who did"
            ),
        ));
    }
    let text = unmarked_bytes(&bytes);
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        let message = match error {
            _ if contains(text, b"ENCRYPTED") => {
                "the private key is encrypted, and nobody is there to be asked for the password: `openssl pkey -in <this file> -out <another>` writes it without, for its owner's eyes only".to_owned()
            }
            rustls::pki_types::pem::Error::NoItemsFound => missing(
                "private key",
                "PRIVATE KEY",
                text,
                "openssl pkey -inform der -in <this file> -out <another>",
            ),
            error => damaged(&error),
        };
        fault(path, message)
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

fn sections<T: PemObject>(
    path: &Path,
    what: &str,
    label: &str,
    convert: &str,
) -> Result<Vec<T>, Fault> {
    let (bytes, _) = read(path)?;
    let text = unmarked_bytes(&bytes);
    let sections = T::pem_slice_iter(text)
        .collect::<Result<Vec<T>, _>>()
        .map_err(|error| fault(path, damaged(&error)))?;
    if sections.is_empty() {
        return Err(fault(path, missing(what, label, text, convert)));
    }
    Ok(sections)
}

/// What is there instead of PEM, as far as it can be told, and how to make PEM of it.
fn missing(what: &str, label: &str, bytes: &[u8], convert: &str) -> String {
    let expected = format!("no {what} in this file: expected `-----BEGIN {label}-----`");
    // Both begin a sequence, in which PKCS #12 has the version 3 before all else.
    let is_der = bytes.first() == Some(&0x30);
    let is_pkcs12 = is_der && contains(bytes.get(..16).unwrap_or_default(), &[2, 1, 3, 0x30]);
    if is_pkcs12 {
        format!("{expected}, and this is PKCS #12: take it apart with `openssl pkcs12 -nodes`")
    } else if is_der {
        format!("{expected}, and this is DER: convert it with `{convert}`")
    } else {
        expected
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
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
