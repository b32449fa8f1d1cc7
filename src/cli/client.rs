//! Asking as a system would: who asks, and at which gateway.

mod failure;
mod profile;
mod who;

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hyper_util::rt::TokioIo;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::transport::Channel;
use tonic::transport::Uri;
use tower::service_fn;

use super::exit::Failure;
use crate::clock::Clock;
use crate::identity::connector::Connector;
use crate::identity::directory::Endpoint;
use crate::identity::material::Material;
use crate::identity::material::MaterialPaths;
use crate::text::visible;

pub(super) use failure::refused;

/// Where a gateway's systems door is, unless it is said.
const GATEWAY: &str = "127.0.0.1:7443";

/// The largest message that a gateway sends: a batch of records, one record, or the files of a schema.
pub(super) const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Taken by every verb that asks a gateway.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ClientOptions {
    /// The systems door of the own department's gateway [default: 127.0.0.1:7443]
    #[arg(
        long,
        global = true,
        env = "LANDBRIDGE_GATEWAY",
        value_name = "HOST:PORT"
    )]
    gateway: Option<String>,
    /// The CA that issued the gateway's certificate, PEM
    #[arg(long, global = true, env = "LANDBRIDGE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate of the asking system, PEM
    #[arg(long, global = true, env = "LANDBRIDGE_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(
        long,
        id = "private key",
        global = true,
        env = "LANDBRIDGE_KEY",
        value_name = "FILE"
    )]
    key: Option<PathBuf>,
    /// A TOML file with `gateway`, `ca`, `cert` and `key`; what is given besides overrides it
    #[arg(long, global = true, env = "LANDBRIDGE_PROFILE", value_name = "FILE")]
    profile: Option<PathBuf>,
    /// How many seconds an answer may take to begin
    #[arg(long, global = true, env = "LANDBRIDGE_TIMEOUT", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
}

/// A gateway that can be asked. The connection is made with the first question.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    pub(super) channel: Channel,
    /// For messages: where it is.
    pub(super) address: Arc<str>,
    timeout: Duration,
}

/// The four settings, wherever they came from.
struct Settings {
    gateway: Endpoint,
    paths: MaterialPaths,
}

impl ClientOptions {
    /// Reads certificate, key and CA, and makes ready to dial.
    pub(super) fn gateway(&self, clock: Clock) -> Result<Gateway, Failure> {
        let settings = self.settings()?;
        let id = who::holder(&settings.paths.certificate)?;
        let material =
            Material::load(&settings.paths, id.domain(), clock.now()).map_err(Failure::Faults)?;
        let connector = Arc::new(Connector::to_own_gateway(material, clock));
        let endpoint = settings.gateway;
        let address: Arc<str> = endpoint.to_string().into();
        let dial = service_fn(move |_: Uri| {
            let (connector, endpoint) = (Arc::clone(&connector), endpoint.clone());
            let department = id.department().clone();
            async move {
                connector
                    .connect(&endpoint, &department)
                    .await
                    .map(TokioIo::new)
            }
        });
        // The windows are those of gateways among themselves.
        let channel = tonic::transport::Endpoint::from_static("http://gateway.invalid")
            .initial_stream_window_size(512 * 1024)
            .initial_connection_window_size(2 * 1024 * 1024)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .connect_with_connector_lazy(dial);
        let timeout = Duration::from_secs(u64::from(self.timeout));
        Ok(Gateway {
            channel,
            address,
            timeout,
        })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let profile = self
            .profile
            .as_deref()
            .map(profile::read)
            .transpose()?
            .unwrap_or_default();
        let gateway = self.gateway.clone().or(profile.gateway);
        let gateway = gateway.as_deref().unwrap_or(GATEWAY);
        let needed = |flag: &Option<PathBuf>, profile, name: &str| {
            flag.clone().or(profile).ok_or_else(|| missing(name))
        };
        Ok(Settings {
            gateway: gateway
                .parse()
                .map_err(|error| Failure::usage(format!("--gateway: {error}")))?,
            paths: MaterialPaths {
                ca: needed(&self.ca, profile.ca, "ca")?,
                certificate: needed(&self.cert, profile.cert, "cert")?,
                key: needed(&self.key, profile.key, "key")?,
                crls: Vec::new(),
            },
        })
    }
}

fn missing(name: &str) -> Failure {
    let failure = Failure::usage(format!(
        "`--{name}` is missing: a gateway talks to nobody without a certificate"
    ));
    failure.hint(format!(
        "give `--{name} FILE`, set LANDBRIDGE_{}, or name a `--profile` that has it",
        name.to_uppercase()
    ))
}

impl Gateway {
    /// A request whose answer must begin in time.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    /// What a call brought. That its record type ends is told to people, beside the answer.
    pub(super) fn answered<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, Failure> {
        let answer = answer.map_err(|status| self.failed(&status))?;
        let notice = answer.metadata().get("landbridge-deprecated");
        if let Some(notice) = notice.and_then(|notice| notice.to_str().ok()) {
            let notice = visible(notice);
            writeln!(io::stderr(), "note: this record type ends: {notice}")?;
        }
        Ok(answer.into_inner())
    }

    /// Why a call brought no answer.
    pub(super) fn failed(&self, status: &Status) -> Failure {
        refused(status, &self.address)
    }
}

#[cfg(test)]
mod tests;
