//! Why the other end of a connection is not trusted, and who it was if that is known.

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::clock::Moment;
use crate::identity::spiffe::SpiffeId;
use crate::identity::spiffe::SpiffeIdError;
use crate::name::DepartmentId;
use crate::name::TrustDomain;

/// A certificate, or the want of one, that opens no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{ground}")]
pub struct TrustRefusal {
    ground: Ground,
    identified: Option<SpiffeId>,
}

/// What is wrong. The texts are for the operator; the other end gets a TLS alert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ground {
    #[error("no certificate was presented")]
    NoCertificate,
    #[error("the certificate cannot be read, or breaks a rule of its CA")]
    Malformed(#[source] webpki::Error),
    #[error("no CA that is trusted here has issued the certificate")]
    UnknownIssuer,
    #[error("the certificate, or that of its CA, expired on {}", day(.0))]
    Expired(Moment),
    #[error("the certificate, or that of its CA, is not valid before {}", day(.0))]
    NotYetValid(Moment),
    #[error("the certificate is revoked")]
    Revoked,
    #[error("the CA's revocation list expired on {}", day(.0))]
    RevocationListExpired(Moment),
    #[error("there is no usable revocation list of the certificate's CA")]
    RevocationUnknown,
    #[error("the certificate is not meant for this end of a connection")]
    WrongPurpose,
    #[error("the holder did not prove that it has the certificate's key")]
    KeyNotProved,
    #[error("the certificate has {0} URI names, and must have one")]
    NotOneId(usize),
    #[error("the certificate's URI name is none of this federation's")]
    BadId(#[source] SpiffeIdError),
    #[error("the certificate is of trust domain `{0}`")]
    OtherDomain(TrustDomain),
    #[error("a department's certificate at the systems door")]
    DepartmentForSystem,
    #[error("a system's certificate where a department's is needed")]
    SystemForDepartment,
    #[error("the certificate is of department `{found}`, not of `{expected}`")]
    WrongDepartment {
        expected: DepartmentId,
        found: DepartmentId,
    },
    #[error("the department's own certificate at its peers door")]
    OwnDepartment,
    #[error("department `{0}` is not in the directory")]
    NotInDirectory(DepartmentId),
}

impl TrustRefusal {
    /// A refusal of somebody who could be anybody.
    pub(super) fn of_nobody(ground: Ground) -> Self {
        Self {
            ground,
            identified: None,
        }
    }

    pub(super) fn of(ground: Ground, identified: Option<SpiffeId>) -> Self {
        Self { ground, identified }
    }

    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The holder of the certificate, when a CA that is trusted here vouches for the id. A refused handshake names a
    /// holder only after it has proved that it has the key: nobody can fill a journal in another's name.
    pub fn identified(&self) -> Option<&SpiffeId> {
        self.identified.as_ref()
    }

    /// The stable name of the ground, as journals and metrics have it.
    pub fn reason(&self) -> &'static str {
        self.ground.reason()
    }

    /// What the other end is told: rustls makes the TLS alert of it.
    pub(super) fn alert(&self) -> rustls::Error {
        rustls::Error::InvalidCertificate(self.ground.alert())
    }
}

impl Ground {
    fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate => "NO_CERTIFICATE",
            Self::Malformed(_) => "CERT_MALFORMED",
            Self::UnknownIssuer => "UNKNOWN_ISSUER",
            Self::Expired(_) => "CERT_EXPIRED",
            Self::NotYetValid(_) => "CERT_NOT_YET_VALID",
            Self::Revoked => "CERT_REVOKED",
            Self::RevocationListExpired(_) => "CRL_EXPIRED",
            Self::RevocationUnknown => "CRL_MISSING",
            Self::WrongPurpose => "CERT_WRONG_PURPOSE",
            Self::KeyNotProved => "KEY_NOT_PROVED",
            Self::NotOneId(_) | Self::BadId(_) => "BAD_SPIFFE_ID",
            Self::OtherDomain(_) => "WRONG_TRUST_DOMAIN",
            Self::DepartmentForSystem | Self::SystemForDepartment => "WRONG_DOOR",
            Self::WrongDepartment { .. } => "WRONG_DEPARTMENT",
            Self::OwnDepartment => "OWN_DEPARTMENT",
            Self::NotInDirectory(_) => "NOT_IN_DIRECTORY",
        }
    }

    fn alert(&self) -> CertificateError {
        match self {
            Self::Malformed(_) | Self::NoCertificate => CertificateError::BadEncoding,
            Self::UnknownIssuer => CertificateError::UnknownIssuer,
            Self::Expired(_) => CertificateError::Expired,
            Self::NotYetValid(_) => CertificateError::NotValidYet,
            Self::Revoked => CertificateError::Revoked,
            Self::RevocationListExpired(_) | Self::RevocationUnknown => {
                CertificateError::UnknownRevocationStatus
            }
            Self::WrongPurpose => CertificateError::InvalidPurpose,
            Self::KeyNotProved => CertificateError::BadSignature,
            Self::NotOneId(_) | Self::BadId(_) | Self::OtherDomain(_) => {
                CertificateError::NotValidForName
            }
            Self::DepartmentForSystem
            | Self::SystemForDepartment
            | Self::WrongDepartment { .. }
            | Self::OwnDepartment
            | Self::NotInDirectory(_) => CertificateError::ApplicationVerificationFailure,
        }
    }

    /// What webpki found.
    pub(super) fn of_chain(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::CertExpired { not_after, .. } => Self::Expired(moment(not_after)),
            E::CertNotValidYet { not_before, .. } => Self::NotYetValid(moment(not_before)),
            E::CertRevoked => Self::Revoked,
            E::CrlExpired { next_update, .. } => Self::RevocationListExpired(moment(next_update)),
            E::UnknownRevocationStatus
            | E::IssuerNotCrlSigner
            | E::InvalidCrlSignatureForPublicKey
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Self::RevocationUnknown,
            E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Self::WrongPurpose,
            // A CA of the right name with another key is another CA.
            E::UnknownIssuer | E::InvalidSignatureForPublicKey => Self::UnknownIssuer,
            other => Self::Malformed(other),
        }
    }
}

/// The UTC day, as operators read it in `openssl x509 -dates`.
pub(super) fn day(moment: &Moment) -> time::Date {
    moment.date(time::UtcOffset::UTC)
}

pub(super) fn moment(time: UnixTime) -> Moment {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Moment::from_micros(seconds.saturating_mul(1_000_000))
}

/// Times before 1970 are the epoch: no certificate of ours is that old.
pub(super) fn unix(moment: Moment) -> UnixTime {
    let micros = u64::try_from(moment.micros()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_micros(micros))
}
