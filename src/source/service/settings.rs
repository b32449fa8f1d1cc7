//! The settings of a gRPC service that records come from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::name::RecordType;
use crate::source::sql::settings::answer_default;
use crate::source::sql::settings::span;
use crate::source::sql::settings::statement_default;

/// `[[service]]`: one service of the department that serves `landbridge.v1.SourceService`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// How faults and logs call it.
    pub name: String,
    pub url: Address,
    /// How long the service may take for one message, as `5s`, `200ms`, `2m` or a number of seconds.
    #[serde(default = "statement_default", deserialize_with = "span")]
    pub message_timeout: Duration,
    /// How long one answer may take in all, its reader's pauses included.
    #[serde(default = "answer_default", deserialize_with = "span")]
    pub answer_timeout: Duration,
    /// The record types that it has.
    pub records: Vec<RecordType>,
}

/// Where a service listens: `http://127.0.0.1:7551` or `unix:/run/pensions.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Address {
    Loopback(SocketAddr),
    Unix(PathBuf),
}

/// Records must not cross a network unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a service is beside its gateway: `http://127.0.0.1:<port>`, `http://[::1]:<port>` or `unix:<path>`; reach one on another machine through a tunnel"
)]
pub struct BadAddress;

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let host = text.strip_prefix("http://").ok_or(BadAddress)?;
        let host = host.strip_suffix('/').unwrap_or(host);
        match host.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Loopback(address)),
            Ok(_) | Err(_) => Err(BadAddress),
        }
    }
}
