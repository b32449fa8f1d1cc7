//! The operators' door, and who may read at it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use http::uri::Authority;
use serde::Deserialize;

use super::OperatorsConfig;
use super::faults::Faults;
use crate::door::operators::hosts::Hosts;
use crate::name::ReaderName;
use crate::reading::reader::Reader;
use crate::reading::reader::Readers;
use crate::reading::reader::Right;
use crate::reading::reader::TokenDigest;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOperators {
    listen: SocketAddr,
    hosts: Vec<String>,
    reader: Vec<RawReader>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReader {
    name: ReaderName,
    token_sha256: TokenDigest,
    rights: BTreeSet<Right>,
}

impl Default for RawOperators {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9443)),
            hosts: Vec::new(),
            reader: Vec::new(),
        }
    }
}

impl RawOperators {
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// `console` is the host that the console's origin names, if any.
    pub(super) fn check(self, console: Option<String>, faults: &mut Faults<'_>) -> OperatorsConfig {
        if !self.listen.ip().is_loopback() {
            let message = format!(
                "{} is not a loopback address, and this door has no TLS; \
                 listen on 127.0.0.1 and let a reverse proxy or an SSH tunnel reach it",
                self.listen
            );
            faults.add("operators.listen", message);
        }
        for host in self.hosts.iter().filter(|host| !is_host(host)) {
            let message = format!(
                "`{host}` is no host's name; write it without scheme, port and path, such as `audit.civil.gov.example`"
            );
            faults.add("operators.hosts", message);
        }
        for (place, reader) in self.reader.iter().enumerate() {
            let earlier = self.reader.iter().take(place);
            if let Some(fault) = reader.fault(earlier) {
                faults.add("operators.reader", fault);
            }
        }
        let readers = self.reader.into_iter().map(|reader| Reader {
            name: reader.name,
            token: reader.token_sha256,
            rights: reader.rights,
        });
        OperatorsConfig {
            listen: self.listen,
            readers: Readers::new(readers.collect()),
            hosts: Hosts::new(self.hosts.into_iter().chain(console)),
        }
    }
}

fn is_host(text: &str) -> bool {
    let authority = text.parse::<Authority>();
    authority.is_ok_and(|authority| authority.host() == text)
}

impl RawReader {
    /// What is wrong with a reader, beside those before.
    fn fault<'a>(&self, mut earlier: impl Iterator<Item = &'a Self> + Clone) -> Option<String> {
        let name = &self.name;
        if self.rights.is_empty() {
            return Some(format!(
                "`{name}` has no `rights`; give some of tiles, search, subjects, export, or remove the reader"
            ));
        }
        if earlier.clone().any(|other| other.name == *name) {
            return Some(format!(
                "`{name}` is there twice; the journal could not tell the two apart, so give each a name of its own"
            ));
        }
        let other = earlier.find(|other| other.token_sha256 == self.token_sha256)?;
        Some(format!(
            "`{name}` has the token of `{}`; make each reader a token with `landbridge audit token`",
            other.name
        ))
    }
}

#[cfg(test)]
mod tests;
