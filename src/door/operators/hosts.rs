//! The names by which the operators' door is reached, so that no page from elsewhere gets at it by a name of its own.
//!
//! A browser sends what stands in its address. Whoever lets a name of theirs point to the loopback address (DNS rebinding)
//! would have their page read and send as if it were the gateway's.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

/// The most of a host's name that is said again, in characters.
const MAX_SAID: usize = 100;

/// Names beside those of this machine itself: `localhost`, what ends with `.localhost`, and loopback addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Names without ports.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| plain(&name)).collect())
    }

    /// Whether the door is reached by what stands in a `Host` header. The port is a tunnel's affair.
    pub(crate) fn has(&self, host: &str) -> bool {
        let name = plain(without_port(host));
        is_own_machine(&name) || self.0.contains(&name)
    }
}

/// Whether a `Host` means the machine on which it is asked, which needs no TLS to be sure of that.
pub(crate) fn is_loopback(host: &str) -> bool {
    is_own_machine(&plain(without_port(host)))
}

/// Answers for hosts that it knows, and whoever names none.
pub(crate) async fn check(
    State(hosts): State<Arc<Hosts>>,
    request: Request,
    next: Next,
) -> Response {
    match unknown(&hosts, &request) {
        None => next.run(request).await,
        Some(host) => {
            metrics::counter!("landbridge_hosts_refused_total").increment(1);
            let host: String = host.escape_default().take(MAX_SAID).collect();
            let why = format!(
                "this gateway is not reached by the host `{host}`\n\
                 hint: ask for localhost or 127.0.0.1, with any port; or have the name put into `operators.hosts` of the settings\n"
            );
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
    }
}

/// A host that the request names, and that is unknown here.
fn unknown(hosts: &Hosts, request: &Request) -> Option<String> {
    let in_headers = named(request.headers());
    let in_uri = request.uri().host().map(str::to_owned);
    in_headers.chain(in_uri).find(|host| !hosts.has(host))
}

fn named(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let all = headers.get_all(HOST).into_iter();
    all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn is_own_machine(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // Of an IPv6 address the port stands after the brackets.
        Some((name, port))
            if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_with_any_port_are_known_and_others_when_they_are_given() {
        let hosts = Hosts::new(["Audit.civil.gov.example".to_owned()]);
        for known in [
            "localhost",
            "localhost:9443",
            "LOCALHOST:1",
            "civil.localhost:9443",
            "127.0.0.1:9543",
            "127.9.9.9",
            "[::1]:9443",
            "[::1]",
            "[::ffff:127.0.0.1]:80",
            "audit.civil.gov.example",
            "audit.civil.gov.example.:443",
        ] {
            assert!(hosts.has(known), "{known}");
        }
        for unknown in [
            "",
            "evil.example",
            "evil.example:9443",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "192.0.2.1",
            "[2001:db8::1]:9443",
            "xlocalhost",
            "localhost:80:80",
            "0.0.0.0:9443",
        ] {
            assert!(!hosts.has(unknown), "{unknown}");
        }
        assert!(is_loopback("localhost:8000") && !is_loopback("audit.civil.gov.example"));
    }
}
