//! The federation's directory: which departments there are, and where their gateways listen.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Deref;
use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use crate::fault::Fault;
use crate::fault::position;
use crate::name::DepartmentId;

/// More departments than any country has, and few enough to be read at once.
const MAX_DEPARTMENTS: usize = 100_000;
const MAX_ENDPOINTS: usize = 64;

/// Immutable: a reload makes another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    departments: BTreeMap<DepartmentId, Department>,
}

/// A member of the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    pub id: DepartmentId,
    pub name: String,
    /// Empty when there is none.
    pub name_zh: String,
    /// The peers doors of its replicas; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The verifier keys of its journals, as <https://c2sp.org/signed-note> writes them.
    pub journal: Vec<String>,
    /// The verifier key with which its gateway cosigns the others' journals, if it does.
    pub witness: Option<String>,
}

/// Where a gateway listens: a host name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// An IPv6 address stands here without its brackets.
    host: String,
    port: u16,
}

/// A text that is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{input}` is not an endpoint: expected `host:port`, such as `gateway.civil.gov.example:8443`"
)]
pub struct EndpointError {
    input: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectory {
    #[serde(default)]
    department: Vec<RawDepartment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDepartment {
    id: Spanned<String>,
    name: String,
    #[serde(default)]
    name_zh: String,
    endpoints: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    journal: Vec<Spanned<String>>,
    witness: Option<Spanned<String>>,
}

impl Directory {
    /// Reads a directory file, or reports every fault in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let raw: RawDirectory = toml::from_str(text).map_err(|error| {
            vec![at(
                file,
                text,
                error.span().unwrap_or_default(),
                "",
                error.message(),
            )]
        })?;
        let mut reader = Reader {
            file,
            text,
            faults: Vec::new(),
        };
        let departments = reader.departments(raw.department);
        if !reader.faults.is_empty() {
            return Err(reader.faults);
        }
        Ok(Self { departments })
    }

    pub fn department(&self, id: &DepartmentId) -> Option<&Department> {
        self.departments.get(id)
    }

    /// In the order of their ids.
    pub fn departments(&self) -> impl Iterator<Item = &Department> {
        self.departments.values()
    }

    pub fn ids(&self) -> impl Iterator<Item = &DepartmentId> {
        self.departments.keys()
    }

    /// All departments but this one, in the order of their ids.
    pub fn others(&self, own: &DepartmentId) -> impl Iterator<Item = Other<'_>> {
        let others = self.departments.values().filter(move |d| d.id != *own);
        others.map(Other)
    }

    /// A department, if it is a member and not this one.
    pub fn other(&self, own: &DepartmentId, id: &DepartmentId) -> Option<Other<'_>> {
        self.departments.get(id).filter(|_| id != own).map(Other)
    }
}

/// A department other than this one. Only such a one can be dialled: a gateway that asks itself refuses itself for ever.
#[derive(Debug, Clone, Copy)]
pub struct Other<'d>(&'d Department);

impl Deref for Other<'_> {
    type Target = Department;

    fn deref(&self) -> &Department {
        self.0
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn departments(&mut self, raw: Vec<RawDepartment>) -> BTreeMap<DepartmentId, Department> {
        if raw.is_empty() {
            self.fault(
                0..0,
                "department",
                "the directory is empty: add a `[[department]]`",
            );
        }
        if raw.len() > MAX_DEPARTMENTS {
            self.fault(0..0, "department", "more than 100,000 departments");
            return BTreeMap::new();
        }
        let mut departments = BTreeMap::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let span = raw.id.span();
            let Some(department) = self.department(index, raw) else {
                continue;
            };
            let twice = format!("department `{}` stands here twice", department.id);
            if departments
                .insert(department.id.clone(), department)
                .is_some()
            {
                self.fault(span, &format!("department[{index}].id"), &twice);
            }
        }
        departments
    }

    fn department(&mut self, index: usize, raw: RawDepartment) -> Option<Department> {
        let key = |rest: &str| format!("department[{index}].{rest}");
        if raw.name.trim().is_empty() {
            self.fault(raw.id.span(), &key("name"), "the name is empty");
        }
        let count = raw.endpoints.get_ref().len();
        if !(1..=MAX_ENDPOINTS).contains(&count) {
            let message = "needs 1 to 64 endpoints, such as `\"gateway.civil.gov.example:8443\"`";
            self.fault(raw.endpoints.span(), &key("endpoints"), message);
        }
        let mut endpoints = Vec::new();
        for (number, raw) in raw.endpoints.into_inner().into_iter().enumerate() {
            endpoints.extend(self.parse(&raw, &key(&format!("endpoints[{number}]"))));
        }
        let mut journal = Vec::new();
        for (number, raw) in raw.journal.into_iter().enumerate() {
            journal.push(self.verifier_key(raw, &key(&format!("journal[{number}]"))));
        }
        let witness = raw
            .witness
            .map(|raw| self.verifier_key(raw, &key("witness")));
        Some(Department {
            id: self.parse(&raw.id, &key("id"))?,
            name: raw.name,
            name_zh: raw.name_zh,
            endpoints,
            journal,
            witness,
        })
    }

    fn verifier_key(&mut self, raw: Spanned<String>, key: &str) -> String {
        if !is_verifier_key(raw.get_ref()) {
            let message = "is not a verifier key: expected `<name>+<8 hexadecimal digits>+<base64>`, as `landbridge audit key` prints it";
            self.fault(raw.span(), key, message);
        }
        raw.into_inner()
    }

    fn parse<T: FromStr<Err: fmt::Display>>(
        &mut self,
        raw: &Spanned<String>,
        key: &str,
    ) -> Option<T> {
        match raw.get_ref().parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(raw.span(), key, &error.to_string());
                None
            }
        }
    }

    fn fault(&mut self, span: Range<usize>, key: &str, message: &str) {
        self.faults
            .push(at(self.file, self.text, span, key, message));
    }
}

fn at(file: &str, text: &str, span: Range<usize>, key: &str, message: &str) -> Fault {
    let (line, column) = match span.end {
        0 => (0, 0),
        _ => position(text, span.start),
    };
    Fault {
        file: file.to_owned(),
        line,
        column,
        key: key.to_owned(),
        message: message.to_owned(),
    }
}

/// The shape only: the journal's own verification reads the key.
fn is_verifier_key(text: &str) -> bool {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    !name.is_empty()
        && name.len() <= 512
        && !name.contains(char::is_whitespace)
        && id.len() == 8
        && id.bytes().all(|b| b.is_ascii_hexdigit())
        && (4..=8192).contains(&key.len())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

impl Endpoint {
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(s: &str) -> Result<Self, EndpointError> {
        endpoint(s).ok_or_else(|| EndpointError {
            input: s.chars().take(80).flat_map(char::escape_default).collect(),
        })
    }
}

fn endpoint(s: &str) -> Option<Endpoint> {
    let (host, port) = s.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(address) => {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            address.to_string()
        }
        None => is_host(host).then(|| host.to_owned())?,
    };
    // `parse` alone would take `+443`.
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|&port| digits && port != 0)?;
    Some(Endpoint { host, port })
}

/// A DNS name or an IPv4 address.
fn is_host(s: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    s.len() <= 253 && s.split('.').all(is_label)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
