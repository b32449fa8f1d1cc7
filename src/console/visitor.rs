//! Who asks for a page, and in which language.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;

use super::Console;
use super::session::User;
use super::words::Language;

/// The cookie with the language that somebody has chosen.
pub(super) const LANGUAGE: &str = "landbridge_language";

/// The names of one console's cookies. Browsers keep one set for each host, whatever the port: tunnels to two gateways
/// would otherwise sign out of one who signs in at the other.
#[derive(Debug)]
pub(super) struct Cookies {
    /// By which a session is known.
    pub(super) session: String,
    /// Of somebody who is at the identity provider.
    pub(super) under_way: String,
    /// By which a browser is known on which somebody has signed in before.
    pub(super) device: String,
}

impl Cookies {
    pub(super) fn of(console: &str) -> Self {
        Self {
            session: format!("landbridge_session_{console}"),
            under_way: format!("landbridge_openid_{console}"),
            device: format!("landbridge_device_{console}"),
        }
    }
}

/// Somebody who is signed in and asks for a page. What opens a page to somebody is in `extractors`.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) who: User,
    pub(super) language: Language,
}

/// The language alone, of somebody who may not be signed in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest(pub(super) Language);

impl FromRequestParts<Arc<Console>> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Arc<Console>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(language(&parts.headers)))
    }
}

pub(super) fn language(headers: &HeaderMap) -> Language {
    Language::of(cookie(headers, LANGUAGE), headers)
}

/// A cookie's value (RFC 6265, section 5.4).
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
