//! The console, and how people reach it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;

use super::faults::Faults;
use super::paths::beside;
use crate::console::ConsoleConfig;
use crate::console::openid::OpenIdConfig;
use crate::console::role::Role;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConsole {
    accounts: Option<PathBuf>,
    origin: Option<String>,
    openid: Option<RawOpenId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpenId {
    issuer: String,
    client_id: String,
    client_secret: Option<PathBuf>,
    ca: Option<PathBuf>,
    #[serde(default = "preferred_username")]
    name: String,
    roles: RawRoles,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    #[serde(default = "groups")]
    claim: String,
    viewer: Option<String>,
    auditor: Option<String>,
    administrator: Option<String>,
}

fn preferred_username() -> String {
    "preferred_username".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
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
        if self.accounts.is_none() && self.openid.is_none() {
            let message = "nobody could sign in; name a file of `accounts`, or a provider under `[console.openid]`";
            faults.add("console", message.to_owned());
        }
        ConsoleConfig {
            accounts: self.accounts.map(|path| beside(settings, path)),
            openid: self.openid.map(|openid| openid.check(settings, faults)),
            origin,
        }
    }
}

impl RawOpenId {
    fn check(self, settings: &Path, faults: &mut Faults<'_>) -> OpenIdConfig {
        if !self
            .issuer
            .parse::<Uri>()
            .is_ok_and(|uri| uri.host().is_some())
        {
            let message = format!(
                "`{}` is no issuer; write its URL, such as `https://id.gov.example`",
                self.issuer
            );
            faults.add("console.openid.issuer", message);
        }
        let RawRoles {
            claim,
            viewer,
            auditor,
            administrator,
        } = self.roles;
        let values = [
            (Role::Viewer, viewer),
            (Role::Auditor, auditor),
            (Role::Administrator, administrator),
        ];
        let values: BTreeMap<_, _> = values
            .into_iter()
            .filter_map(|(role, value)| Some((role, value?)))
            .collect();
        if values.is_empty() {
            let message = "gives nobody a role; write what stands in the claim, such as `auditor = \"landbridge-audit\"`";
            faults.add("console.openid.roles", message.to_owned());
        }
        OpenIdConfig {
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret: self.client_secret.map(|path| beside(settings, path)),
            ca: self.ca.map(|path| beside(settings, path)),
            name: self.name,
            roles: claim,
            values,
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
