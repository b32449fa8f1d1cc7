//! Who asks for a page, and in which language.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::OptionalFromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;

use super::Console;
use super::page_error::PageError;
use super::role::Role;
use super::session::SignInMethod;
use super::session::User;
use super::words::Language;
use crate::door::operators::introduction::Introduction;
use crate::fault::chain;

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

/// Somebody who is signed in and asks for a page. What opens a page is one of the extractors below, so that none is opened
/// without a look at the role.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) who: User,
    pub(super) language: Language,
}

/// Opens what everybody may see who is signed in.
#[derive(Debug)]
pub(super) struct AnyRole(Visitor);

/// Opens the journal.
#[derive(Debug)]
pub(super) struct Auditor(Visitor);

/// Opens what is for those who may change the policy's files.
#[derive(Debug)]
pub(super) struct Administrator(Visitor);

/// The language alone, of somebody who may not be signed in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest(pub(super) Language);

impl Visitor {
    async fn of(parts: &Parts, console: &Console) -> Result<Self, PageError> {
        let language = language(&parts.headers);
        let signed_in = cookie(&parts.headers, &console.cookies.session)
            .and_then(|shown| console.sessions.of(shown, console.desk.now()));
        let who = signed_in.ok_or(PageError::NotSignedIn)?;
        // An account that was taken away, or given another role, ends what it had begun.
        let role = match who.means {
            SignInMethod::Account => role_of(console, &who).await,
            SignInMethod::OpenId => Some(who.role),
        };
        match role {
            Some(role) if role == who.role => {
                if let Some(introduction) = parts.extensions.get::<Introduction>() {
                    introduction.make();
                }
                Ok(Self { who, language })
            }
            _ => Err(PageError::NotSignedIn),
        }
    }

    fn with(self, opens: impl FnOnce(Role) -> bool) -> Result<Self, PageError> {
        match opens(self.who.role) {
            true => Ok(self),
            false => Err(PageError::NotYours(self)),
        }
    }
}

/// An extractor of whoever has a role that fits.
macro_rules! extractor {
    ($name:ident, $opens:expr) => {
        impl FromRequestParts<Arc<Console>> for $name {
            type Rejection = PageError;

            async fn from_request_parts(
                parts: &mut Parts,
                console: &Arc<Console>,
            ) -> Result<Self, PageError> {
                Ok(Self(Visitor::of(parts, console).await?.with($opens)?))
            }
        }

        impl Deref for $name {
            type Target = Visitor;

            fn deref(&self) -> &Visitor {
                &self.0
            }
        }
    };
}

extractor!(AnyRole, |_| true);
extractor!(Auditor, Role::reads_journal);
extractor!(Administrator, Role::proposes);

impl OptionalFromRequestParts<Arc<Console>> for AnyRole {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Arc<Console>,
    ) -> Result<Option<Self>, Infallible> {
        Ok(Visitor::of(parts, console).await.ok().map(Self))
    }
}

impl FromRequestParts<Arc<Console>> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Arc<Console>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(language(&parts.headers)))
    }
}

async fn role_of(console: &Console, who: &User) -> Option<Role> {
    match console.accounts().await {
        Ok(accounts) => accounts.role(&who.name),
        Err(error) => {
            tracing::error!(error = %chain(&error), "nobody can use the console");
            None
        }
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
