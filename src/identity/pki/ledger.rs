//! What a development CA has issued and revoked: `issued.toml`.

use std::path::Path;
use std::path::PathBuf;

use rcgen::RevokedCertParams;
use rcgen::SerialNumber;
use serde::Deserialize;
use serde::Serialize;

use crate::clock::Moment;
use crate::identity::pki::IssuedCertificate;
use crate::identity::pki::PkiError;
use crate::identity::pki::date;
use crate::identity::pki::files;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ledger {
    #[serde(skip)]
    path: PathBuf,
    /// The CA's common name: what its certificates and lists name as their issuer.
    pub(super) name: String,
    /// Grows with every list (RFC 5280, 5.2.3).
    pub(super) crl_number: u64,
    #[serde(default, rename = "certificate")]
    pub(super) certificates: Vec<IssuedCertificate>,
}

impl Ledger {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self {
            path: path(folder),
            name: name.to_owned(),
            crl_number: 0,
            certificates: Vec::new(),
        }
    }

    pub(super) fn read(folder: &Path) -> Result<Self, PkiError> {
        let path = path(folder);
        match toml::from_str(&files::read(&path)?) {
            Ok(ledger) => Ok(Self { path, ..ledger }),
            Err(error) => Err(damaged(path, error)),
        }
    }

    pub(super) fn write(&self) -> Result<(), PkiError> {
        let text = toml::to_string(self).map_err(|error| damaged(self.path.clone(), error))?;
        files::write(&self.path, &text)
    }

    /// Marks the certificate with this serial number, or all of this id, and returns those that were not before.
    pub(super) fn revoke(&mut self, what: &str, now: Moment) -> Vec<IssuedCertificate> {
        let serial = what.replace(':', "").to_ascii_lowercase();
        let mut revoked = Vec::new();
        for issued in &mut self.certificates {
            if issued.revoked.is_none() && (issued.id == what || issued.serial == serial) {
                issued.revoked = Some(now.seconds());
                revoked.push(issued.clone());
            }
        }
        revoked
    }

    /// The entries of the next list. One that cannot be read is no reason to leave it out.
    pub(super) fn revoked(&self) -> Result<Vec<RevokedCertParams>, PkiError> {
        let revoked = self.certificates.iter().filter_map(|issued| {
            let seconds = issued.revoked?;
            Some(entry(issued, seconds).ok_or_else(|| {
                damaged(
                    self.path.clone(),
                    format!("certificate `{}` cannot be revoked", issued.serial),
                )
            }))
        });
        revoked.collect()
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("issued.toml")
}

fn damaged(path: PathBuf, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PkiError {
    let source = source.into();
    PkiError::Ledger { path, source }
}

fn entry(issued: &IssuedCertificate, seconds: i64) -> Option<RevokedCertParams> {
    let revoked = Moment::from_micros(seconds.checked_mul(1_000_000)?);
    let serial = unhex(&issued.serial).filter(|serial| !serial.is_empty())?;
    Some(RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date(revoked),
        reason_code: None,
        invalidity_date: None,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(text.get(start..start + 2)?, 16).ok())
        .collect()
}
