//! The names that mean something: each is checked once, where it enters.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::fault::shown;

/// A name that its rule does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not {what}: {rule}")]
pub struct NameError {
    input: String,
    what: &'static str,
    rule: &'static str,
}

impl NameError {
    fn new(input: &str, what: &'static str, rule: &'static str) -> Self {
        Self {
            input: shown(input),
            what,
            rule,
        }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $check:ident, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(s: &str) -> Result<Self, NameError> {
                if $check(s) {
                    Ok(Self(s.into()))
                } else {
                    Err(NameError::new(s, $what, $rule))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(s: String) -> Result<Self, NameError> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// A member of the federation, e.g. `civil`.
    DepartmentId: "a department id", is_label, "1 to 32 of a-z, 0-9 and -, beginning with a letter";
    /// An IT system within its department, e.g. `assessment`.
    SystemName: "a system's name", is_label, "1 to 32 of a-z, 0-9 and -, beginning with a letter";
    /// Why a record is asked for, e.g. `tax-assessment`.
    Purpose: "a purpose", is_label_64, "1 to 64 of a-z, 0-9 and -, beginning with a letter";
    /// An agreement's id, e.g. `CIV-TAX-2026-01`.
    AgreementId: "an agreement id", is_agreement_id, "1 to 64 of letters, digits, `-`, `_` and `.`";
    /// The full name of a record type, e.g. `civil.v1.Resident`.
    RecordType: "a record type", is_qualified_name, "a full message name such as `civil.v1.Resident`";
    /// A package of the registry: a name and a version, e.g. `civil.v1`.
    PackageName: "a package", is_package, "a name and a version, such as `civil.v1`";
    /// The path of a field within a record, e.g. `address.district`.
    FieldPath: "a field path", is_dotted, "field names joined by dots, such as `address.district`";
    /// Somebody who may read the journal at the operators' door, e.g. `lin.auditor`.
    ReaderName: "a reader's name", is_reader, "1 to 64 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter";
    /// The federation's SPIFFE trust domain, e.g. `gov.example`.
    TrustDomain: "a trust domain", is_trust_domain, "1 to 255 of a-z, 0-9, `.`, `-` and `_`";
}

fn is_label(s: &str) -> bool {
    s.len() <= 32 && is_label_64(s)
}

fn is_label_64(s: &str) -> bool {
    s.len() <= 64
        && s.starts_with(|c: char| c.is_ascii_lowercase())
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_agreement_id(s: &str) -> bool {
    (1..=64).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_reader(s: &str) -> bool {
    s.len() <= 64
        && s.starts_with(|c: char| c.is_ascii_lowercase())
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

fn is_identifier(s: &str) -> bool {
    s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_dotted(s: &str) -> bool {
    s.len() <= 256 && s.split('.').all(is_identifier)
}

fn is_qualified_name(s: &str) -> bool {
    s.contains('.') && is_dotted(s)
}

fn is_package(s: &str) -> bool {
    is_dotted(s) && s.rsplit_once('.').is_some_and(|(_, last)| is_version(last))
}

/// `v1`; also `v1beta1`, `v1p2alpha`, `v1test`, as buf's rule `PACKAGE_VERSION_SUFFIX` has it.
fn is_version(s: &str) -> bool {
    let Some((major, rest)) = s.strip_prefix('v').and_then(number) else {
        return false;
    };
    if major.starts_with('0') {
        return false;
    }
    let patched = rest.strip_prefix('p').and_then(number);
    let stage = patched.map_or(rest, |(_, stage)| stage);
    let unstable = ["alpha", "beta"]
        .iter()
        .find_map(|name| stage.strip_prefix(name));
    match unstable {
        Some(release) => release.bytes().all(|b| b.is_ascii_digit()),
        None => rest.is_empty() || rest.starts_with("test"),
    }
}

/// The digits that a text begins with, if there are any, and what follows.
fn number(s: &str) -> Option<(&str, &str)> {
    let end = s.bytes().take_while(u8::is_ascii_digit).count();
    s.split_at_checked(end)
        .filter(|(digits, _)| !digits.is_empty())
}

fn is_trust_domain(s: &str) -> bool {
    (1..=255).contains(&s.len())
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

impl RecordType {
    /// The package that the record type stands in.
    pub fn package(&self) -> &str {
        self.0
            .rsplit_once('.')
            .map_or("", |(package, _name)| package)
    }
}

impl PackageName {
    /// Where its files lie in the registry: `civil/v1/` for `civil.v1`.
    pub fn folder(&self) -> String {
        format!("{}/", self.0.replace('.', "/"))
    }

    /// What all of its versions have in common, up to the first dot: `civil` for `civil.v1`.
    pub fn stem(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl FieldPath {
    /// The names along the path, outermost first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether `self` is `other` or lies within it.
    pub fn within(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(other.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// A journal, as its checkpoints name it: `<trust domain>/<department>/<replica>`, e.g. `gov.example/civil/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    domain: TrustDomain,
    department: DepartmentId,
    replica: u32,
}

impl Origin {
    pub fn new(domain: TrustDomain, department: DepartmentId, replica: u32) -> Self {
        Self {
            domain,
            department,
            replica,
        }
    }

    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    pub fn department(&self) -> &DepartmentId {
        &self.department
    }
}

impl FromStr for Origin {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let parts = || {
            let (domain, rest) = s.split_once('/')?;
            let (department, replica) = rest.split_once('/')?;
            let (domain, department) = (domain.parse().ok()?, department.parse().ok()?);
            let origin = Self::new(domain, department, replica.parse().ok()?);
            // One form only: neither `+1` nor `01`.
            (origin.to_string() == s).then_some(origin)
        };
        parts().ok_or_else(|| {
            NameError::new(
                s,
                "a journal's origin",
                "`<trust domain>/<department>/<replica>`, such as `gov.example/civil/1`",
            )
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.domain, self.department, self.replica)
    }
}

/// One exchange, at both gateways: a UUID version 7, whose time is that of the asking gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(Uuid);

impl ExchangeId {
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    pub fn bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When it was made, by the clock of whoever made it: milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        let [a, b, c, d, e, f, ..] = *self.bytes();
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Reads 16 bytes that must be a UUID version 7.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let uuid = Uuid::from_slice(bytes).ok()?;
        (uuid.get_version_num() == 7).then_some(Self(uuid))
    }
}

impl FromStr for ExchangeId {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Uuid::parse_str(s).map(Self).map_err(|_| {
            NameError::new(
                s,
                "an exchange id",
                "a UUID, as answers and journals show it",
            )
        })
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
