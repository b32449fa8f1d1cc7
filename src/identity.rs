//! Who is at the other end of a connection, by its certificate alone.
//!
//! Both doors and the dialling side speak TLS 1.3 with certificates at both ends. The other end is who the one SPIFFE
//! URI in its certificate says, if a CA that is trusted here vouches for it, has not revoked it, and it is whom this
//! end of the connection expects.

pub mod acceptor;
mod connections;
pub mod connector;
mod der;
pub mod directory;
mod idle_frames;
pub mod link;
pub mod material;
pub mod network;
pub mod peer;
mod pem;
pub mod pki;
pub mod refusal;
pub(crate) mod shares;
mod socket;
pub mod spiffe;
pub mod strangers;
pub mod tls_error;
mod trust;
mod turns;
mod verifier;

#[cfg(test)]
mod harness;

use std::fmt;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::name::DepartmentId;
use crate::name::SystemName;

pub use connections::CutConnection;
pub use connections::RejudgeScope;
pub use trust::End;

/// The one protocol on a connection (RFC 9113, 3.2).
const HTTP2: &[u8] = b"h2";

/// The doors that ask for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// For the systems of the own department.
    Systems,
    /// For the gateways of the other departments.
    Peers,
}

impl Door {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systems => "systems",
            Self::Peers => "peers",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// From the certificate.
    department: DepartmentId,
    /// From the certificate at the systems door; at the peers door, as the caller's gateway tells it.
    system: Option<SystemName>,
    /// That of the connection: cancelled when its peer is no longer trusted.
    cut: CancellationToken,
}

impl Caller {
    /// A caller that nobody has authenticated, to explain or rehearse what would be decided.
    pub fn assumed(department: DepartmentId, system: Option<SystemName>) -> Self {
        let cut = CancellationToken::new();
        Self {
            department,
            system,
            cut,
        }
    }

    /// The system that a peer's gateway says is asking. What a certificate says stands above what is told.
    pub fn with_system(self, told: SystemName) -> Self {
        Self {
            system: self.system.or(Some(told)),
            ..self
        }
    }

    pub fn department(&self) -> &DepartmentId {
        &self.department
    }

    pub fn system(&self) -> Option<&SystemName> {
        self.system.as_ref()
    }

    /// Whether the certificate is good still. It was when the connection was made.
    pub fn is_trusted(&self) -> bool {
        !self.cut.is_cancelled()
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (&self.department, &self.system) == (&other.department, &other.system)
    }
}

impl Eq for Caller {}

/// TLS asks the same clock as everything else.
impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(refusal::unix(self.now()))
    }
}
