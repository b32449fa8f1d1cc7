//! SPIFFE ids: the only names that a certificate can give its holder.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::name::DepartmentId;
use crate::name::SystemName;
use crate::name::TrustDomain;

/// A holder of a certificate: a department's gateway, or one of the department's systems.
///
/// The form is a subset of <https://spiffe.io/docs/latest/spiffe-specs/spiffe-id/>. Each id has one spelling only, so
/// that comparing ids is comparing holders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    domain: TrustDomain,
    holder: Holder,
}

/// Whom an id names within its trust domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    Department(DepartmentId),
    System(DepartmentId, SystemName),
}

/// A text that is not an id of this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{input}` is not an id: expected `spiffe://<trust domain>/department/<id>`, \
     and `/system/<name>` after it for a system"
)]
pub struct SpiffeIdError {
    /// Short and printable: the text comes from outside.
    input: String,
}

impl SpiffeId {
    pub fn department_of(domain: TrustDomain, department: DepartmentId) -> Self {
        Self {
            domain,
            holder: Holder::Department(department),
        }
    }

    pub fn system_of(domain: TrustDomain, department: DepartmentId, system: SystemName) -> Self {
        Self {
            domain,
            holder: Holder::System(department, system),
        }
    }

    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The department that holds it, or whose system does.
    pub fn department(&self) -> &DepartmentId {
        match &self.holder {
            Holder::Department(department) | Holder::System(department, _) => department,
        }
    }

    pub fn system(&self) -> Option<&SystemName> {
        match &self.holder {
            Holder::Department(_) => None,
            Holder::System(_, system) => Some(system),
        }
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(s: &str) -> Result<Self, SpiffeIdError> {
        parse(s).ok_or_else(|| SpiffeIdError {
            input: s.chars().take(128).flat_map(char::escape_default).collect(),
        })
    }
}

/// The names' own rules leave no room for a user, a port, a query, an escape or an empty segment.
fn parse(s: &str) -> Option<SpiffeId> {
    let (domain, path) = s.strip_prefix("spiffe://")?.split_once("/department/")?;
    let domain = domain.parse().ok()?;
    match path.split_once("/system/") {
        None => Some(SpiffeId::department_of(domain, path.parse().ok()?)),
        Some((department, system)) => Some(SpiffeId::system_of(
            domain,
            department.parse().ok()?,
            system.parse().ok()?,
        )),
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/department/{}",
            self.domain,
            self.department()
        )?;
        match self.system() {
            Some(system) => write!(f, "/system/{system}"),
            None => Ok(()),
        }
    }
}
