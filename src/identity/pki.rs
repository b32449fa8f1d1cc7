//! A certificate authority for development, in a folder.
//!
//! ```text
//! ca.pem        the CA's certificate: other ends' `ca`
//! ca.key        its private key, mode 0600
//! crl.pem       what it revoked: other ends' `crls`
//! issued.toml   every certificate it issued
//! ```
//!
//! A real federation brings its own CA: this one keeps its key in a file, and revokes by hand.

#[cfg(test)]
mod tests;

mod files;
mod ledger;

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyIdMethod;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SanType;
use rcgen::SerialNumber;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use time::UtcOffset;

use crate::clock::Moment;
use crate::identity::spiffe::SpiffeId;
use ledger::Ledger;
use ledger::hex;

/// How long a CA made here lasts.
pub const CA_LIFETIME: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a certificate lasts unless said otherwise.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long a revocation list lasts. Gateways refuse everybody when it has ended: sign it anew before.
pub const CRL_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Certificates are good a little before they are made: clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// A CA whose folder was read.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    ledger: Ledger,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedCertificate {
    /// Hexadecimal, as `openssl x509 -serial` prints it, in lower case.
    pub serial: String,
    pub id: String,
    /// Seconds since 1970.
    pub expires: i64,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<i64>,
}

/// From when and until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub from: Moment,
    pub until: Moment,
}

/// A certificate and its key, PEM.
pub struct Issue {
    pub certificate: String,
    pub key: String,
    pub serial: String,
}

/// What a development CA cannot do.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("there is already a CA in `{}`", .0.display())]
    Exists(PathBuf),
    #[error("`{}` cannot be read or written", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is not what `landbridge pki` wrote", path.display())]
    Ledger {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "no certificate of `{0}` that is not revoked was issued here: ids and serial numbers are in `issued.toml`"
    )]
    NotIssued(String),
    #[error("a CA's name has 1 to 64 characters")]
    Name,
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error("there are no random numbers")]
    Random,
}

impl Authority {
    /// Makes a CA in a folder that has none.
    pub fn create(folder: &Path, name: &str, now: Moment) -> Result<Self, PkiError> {
        if !(1..=64).contains(&name.chars().count()) {
            return Err(PkiError::Name);
        }
        let certificate = folder.join("ca.pem");
        if certificate.exists() {
            return Err(PkiError::Exists(folder.to_owned()));
        }
        let key = KeyPair::generate()?;
        let key_pem = key.serialize_pem();
        let params = ca_params(name, Term::lasting(CA_LIFETIME, now))?;
        let certificate_pem = params.self_signed(&key)?.pem();
        let mut authority = Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
            ledger: Ledger::new(folder, name),
        };
        files::folder(folder)?;
        files::write_private(&folder.join("ca.key"), &key_pem)?;
        authority.renew_crl(now)?;
        // The last: without it there is no CA, and one can be made here.
        files::write(&certificate, &certificate_pem)?;
        Ok(authority)
    }

    /// Reads the CA of a folder.
    pub fn open(folder: &Path) -> Result<Self, PkiError> {
        let ledger = Ledger::read(folder)?;
        let key = KeyPair::from_pem(&files::read(&folder.join("ca.key"))?)?;
        // The term is that of the certificate, which stands: only the name and the key sign.
        let params = ca_params(
            &ledger.name,
            Term::lasting(CA_LIFETIME, Moment::from_micros(0)),
        )?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
            ledger,
        })
    }

    /// Issues a certificate for both ends of connections. Its names are the id, `localhost` and 127.0.0.1, since many
    /// clients look at the name that they dialled, and the hosts.
    pub fn issue(
        &mut self,
        id: &SpiffeId,
        hosts: &[String],
        term: Term,
    ) -> Result<Issue, PkiError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend_from_slice(hosts);
        let mut params = CertificateParams::new(names)?;
        let uri = id.to_string();
        params
            .subject_alt_names
            .push(SanType::URI(uri.as_str().try_into()?));
        let holder = id
            .system()
            .map_or(id.department().as_str(), |system| system.as_str());
        params.distinguished_name = common_name(holder);
        self.issue_with(params, uri, term)
    }

    /// As the parameters say, but for what makes it a leaf of this CA. The id is what it is revoked by.
    pub(super) fn issue_with(
        &mut self,
        mut params: CertificateParams,
        id: String,
        term: Term,
    ) -> Result<Issue, PkiError> {
        let serial = serial()?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = date(term.from);
        params.not_after = date(term.until);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        if params.extended_key_usages.is_empty() {
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
        }
        let key = KeyPair::generate()?;
        let issue = Issue {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
            serial: hex(&serial),
        };
        self.ledger.certificates.push(IssuedCertificate {
            serial: issue.serial.clone(),
            id,
            expires: term.until.seconds(),
            revoked: None,
        });
        // Before anybody has the certificate: one that is not in the ledger could not be revoked.
        self.ledger.write()?;
        Ok(issue)
    }

    /// Revokes the certificate with this serial number, or all of this id, and signs a new list.
    pub fn revoke(&mut self, what: &str, now: Moment) -> Result<Vec<IssuedCertificate>, PkiError> {
        let revoked = self.ledger.revoke(what, now);
        if revoked.is_empty() {
            return Err(PkiError::NotIssued(what.to_owned()));
        }
        self.renew_crl(now)?;
        Ok(revoked)
    }

    /// Signs the revocation list anew, good for [`CRL_LIFETIME`].
    pub fn renew_crl(&mut self, now: Moment) -> Result<(), PkiError> {
        let term = Term::lasting(CRL_LIFETIME, now);
        self.ledger.crl_number += 1;
        let list = CertificateRevocationListParams {
            this_update: date(term.from),
            next_update: date(term.until),
            crl_number: SerialNumber::from(self.ledger.crl_number),
            issuing_distribution_point: None,
            revoked_certs: self.ledger.revoked()?,
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)?;
        // The ledger first: what it says is revoked gets into the next list, whatever becomes of this one.
        self.ledger.write()?;
        files::write(&self.folder.join("crl.pem"), &list.pem()?)
    }

    /// Every certificate that was issued, oldest first.
    pub fn issued(&self) -> &[IssuedCertificate] {
        &self.ledger.certificates
    }
}

impl Term {
    /// From now, and a little before, since clocks differ.
    pub fn lasting(lifetime: Duration, now: Moment) -> Self {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self {
            from: Moment::from_micros(now.micros().saturating_sub(micros(CLOCK_SKEW))),
            until: Moment::from_micros(now.micros().saturating_add(micros(lifetime))),
        }
    }
}

impl Issue {
    /// Writes `<stem>.pem` and `<stem>.key`, the key for its owner only.
    pub fn save(&self, folder: &Path, stem: &str) -> Result<(), PkiError> {
        files::folder(folder)?;
        files::write_private(&folder.join(format!("{stem}.key")), &self.key)?;
        files::write(&folder.join(format!("{stem}.pem")), &self.certificate)
    }
}

impl fmt::Debug for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issue")
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

fn ca_params(name: &str, term: Term) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.distinguished_name = common_name(name);
    params.not_before = date(term.from);
    params.not_after = date(term.until);
    // No CA below it.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn date(moment: Moment) -> OffsetDateTime {
    moment.at(UtcOffset::UTC)
}

/// 127 bits, of which the highest is set, so that the number has one spelling only.
fn serial() -> Result<[u8; 16], PkiError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| PkiError::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}
