//! Who may open a page: each handler takes one of these, so that none is opened without a look at the role.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;

use super::Console;
use super::page_error::PageError;
use super::role::Role;
use super::session::SignInMethod;
use super::session::User;
use super::visitor::Visitor;
use super::visitor::cookie;
use super::visitor::language;
use crate::door::operators::introduction::Introduction;
use crate::fault::chain;

/// Opens what everybody may see who is signed in.
#[derive(Debug)]
pub(super) struct AnyRole(Visitor);

/// Opens the journal.
#[derive(Debug)]
pub(super) struct Auditor(Visitor);

/// Opens what is for those who may change the policy's files.
#[derive(Debug)]
pub(super) struct Administrator(Visitor);

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

async fn role_of(console: &Console, who: &User) -> Option<Role> {
    match console.accounts().await {
        Ok(accounts) => accounts.role(&who.name),
        Err(error) => {
            tracing::error!(error = %chain(&error), "nobody can use the console");
            None
        }
    }
}
