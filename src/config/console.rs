//! The console, and how people reach it.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;

use super::faults::Faults;
use super::raw::beside;
use crate::console::ConsoleConfig;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConsole {
    accounts: PathBuf,
    origin: Option<String>,
}

impl RawConsole {
    /// `listen` is where the operators' door is.
    pub(super) fn check(
        self,
        settings: &Path,
        listen: SocketAddr,
        faults: &mut Faults<'_>,
    ) -> ConsoleConfig {
        let origin = self.origin.unwrap_or_else(|| format!("http://{listen}"));
        if !is_origin(&origin) {
            let message = format!(
                "`{origin}` is no origin; write what browsers have before `/console`, such as `https://audit.civil.gov.example`"
            );
            faults.add("console.origin", message);
        }
        ConsoleConfig {
            accounts: beside(settings, self.accounts),
            origin,
        }
    }
}

/// A scheme, a host and perhaps a port, and nothing behind.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let scheme = uri
        .scheme_str()
        .filter(|scheme| ["http", "https"].contains(scheme));
    let rebuilt = scheme
        .zip(uri.authority())
        .map(|(scheme, authority)| format!("{scheme}://{authority}"));
    rebuilt.as_deref() == Some(text)
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_ends_with_its_host_or_port() {
        for good in ["http://127.0.0.1:9443", "https://audit.civil.gov.example"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "https://a.example/",
            "ftp://a.example",
            "a.example",
            "https://a.example/console",
            "",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
