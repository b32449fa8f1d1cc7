//! What the four questions have in common: what is asked about and why, and what the answer rests on.

use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use prost_reflect::MessageDescriptor;
use tonic::transport::Channel;

use super::client::ClientOptions;
use super::client::Gateway;
use super::client::MAX_MESSAGE;
use super::exit::Failure;
use super::output::OutputOptions;
use super::schema;
use crate::clock::Clock;
use crate::pb;
use crate::pb::exchange_service_client::ExchangeServiceClient;
use crate::text::visible;

/// Taken by `get`, `query`, `verify` and `count`.
#[derive(Args)]
pub(super) struct AskOptions {
    /// Why it is asked for: one of the purposes of the agreement, such as `tax-assessment`
    #[arg(long, short = 'p', env = "LANDBRIDGE_PURPOSE")]
    purpose: String,
    /// The file number of the case, for the journals of both departments
    #[arg(long = "case", value_name = "REFERENCE")]
    case_reference: Option<String>,
    /// The officer on whose behalf it is asked, for the journals of both departments
    #[arg(long, env = "LANDBRIDGE_OFFICER", value_name = "NAME")]
    officer: Option<String>,
    /// The department that is asked [default: the record type's owner]
    #[arg(long, value_name = "DEPARTMENT")]
    provider: Option<String>,
    /// Takes the schema from this `.proto` tree rather than from the gateway
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    #[command(flatten)]
    client: ClientOptions,
}

/// A gateway ready to be asked about one record type.
pub(super) struct AskSession {
    pub(super) gateway: Gateway,
    pub(super) client: ExchangeServiceClient<Channel>,
    /// None when the gateway does not know the record type; it will say so.
    pub(super) schema: Option<MessageDescriptor>,
}

impl AskOptions {
    pub(super) async fn open(&self, record: &str) -> Result<AskSession, Failure> {
        let gateway = self.client.gateway(Clock::System)?;
        let schema = schema::find(&gateway, self.registry.as_deref(), record).await?;
        let client = ExchangeServiceClient::new(gateway.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE);
        Ok(AskSession {
            gateway,
            client,
            schema,
        })
    }

    pub(super) fn grounds(&self) -> Option<pb::Grounds> {
        Some(pb::Grounds {
            purpose: self.purpose.clone(),
            case_reference: self.case_reference.clone().unwrap_or_default(),
            officer: self.officer.clone().unwrap_or_default(),
        })
    }

    pub(super) fn provider(&self) -> String {
        self.provider.clone().unwrap_or_default()
    }
}

impl AskSession {
    /// Needed once there are records to be read.
    pub(super) fn message(&self, record: &str) -> Result<MessageDescriptor, Failure> {
        self.schema.clone().ok_or_else(|| {
            let failure =
                Failure::from(anyhow::anyhow!("the gateway does not describe `{record}`"));
            failure.hint("give the registry's folder with `--registry`")
        })
    }
}

pub(super) fn field_mask(fields: &[String]) -> Option<prost_types::FieldMask> {
    let paths: Vec<_> = fields
        .iter()
        .map(|path| path.trim().to_owned())
        .filter(|path| !path.is_empty())
        .collect();
    (!paths.is_empty()).then_some(prost_types::FieldMask { paths })
}

/// More than any key has.
const MAX_KEY: u64 = 64 * 1024;

/// The key as given, or, for `-`, the one line on standard input: other users of a machine see its command lines.
pub(super) fn key(given: &str) -> io::Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut line = String::new();
    io::stdin().lock().take(MAX_KEY).read_to_string(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// What an answer rests on: printed beside it, on standard error.
#[derive(Default)]
pub(super) struct Account {
    pub(super) info: pb::ExchangeInfo,
    /// Of a stream: its end.
    pub(super) closed: Option<pb::Receipt>,
    pub(super) records: Option<u64>,
    pub(super) next_cursor: Bytes,
    /// Of a query that was asked on.
    pub(super) exchanges: u64,
}

impl Account {
    pub(super) fn of(info: Option<pb::ExchangeInfo>) -> Self {
        Self {
            info: info.unwrap_or_default(),
            ..Self::default()
        }
    }

    pub(super) fn print(&self, output: &OutputOptions) -> io::Result<()> {
        let mut err = io::stderr().lock();
        let line = if output.is_json() {
            self.json().to_string()
        } else {
            self.line()
        };
        writeln!(err, "{line}")
    }

    fn line(&self) -> String {
        let info = &self.info;
        let mut parts = Vec::new();
        parts.extend(self.records.map(|records| {
            format!(
                "{records} {}",
                if records == 1 { "record" } else { "records" }
            )
        }));
        match self.exchanges {
            0 | 1 => parts.push(format!("exchange {}", info.exchange_id)),
            more => parts.push(format!("{more} exchanges, the last {}", info.exchange_id)),
        }
        parts.push(format!("agreement {}", info.agreement));
        if let Some(receipt) = &info.receipt {
            let closed = self
                .closed
                .as_ref()
                .map(|closed| format!(", closed by #{}", closed.index));
            parts.push(format!(
                "journal {} #{}{}",
                receipt.origin,
                receipt.index,
                closed.unwrap_or_default()
            ));
        }
        if !info.masked.is_empty() {
            parts.push(format!("masked {}", info.masked.join(", ")));
        }
        let mut line = visible(&parts.join(" · ")).into_owned();
        if !self.next_cursor.is_empty() {
            line.push_str(&format!(
                "\nthere are more: `--cursor {}`, or `--all`",
                STANDARD.encode(&self.next_cursor)
            ));
        }
        line
    }

    fn json(&self) -> serde_json::Value {
        let info = &self.info;
        let place = |receipt: &pb::Receipt| serde_json::json!({ "origin": receipt.origin, "index": receipt.index });
        serde_json::json!({
            "exchange": info.exchange_id,
            "provider": info.provider,
            "agreement": info.agreement,
            "policy_revision": info.policy_revision,
            "fields": info.fields,
            "masked": info.masked,
            "journal": info.receipt.as_ref().map(place),
            "closed": self.closed.as_ref().map(place),
            "records": self.records,
            "next_cursor": (!self.next_cursor.is_empty()).then(|| STANDARD.encode(&self.next_cursor)),
        })
    }
}

#[cfg(test)]
mod tests;
