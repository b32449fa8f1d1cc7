//! Off to an identity provider, and back from there.

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::AppendHeaders;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::Console;
use super::openid::NotProven;
use super::page::GuestPage;
use super::sign_in::HOME;
use super::sign_in::NotSignedIn;
use super::sign_in::enter;
use super::sign_in::refuse;
use super::sign_in::unable;
use super::visitor;
use super::visitor::Guest;

/// Where the identity provider sends people back to, after the origin.
pub(super) const BACK: &str = "/console/sign-in/openid/back";
const UNDER_WAY_SECONDS: u32 = 600;

/// What comes back from the provider (RFC 6749, section 4.1.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProviderCallback {
    state: String,
    code: String,
    error: String,
}

/// Off to the identity provider.
pub(super) async fn begin(
    State(console): State<Arc<Console>>,
    Guest(language): Guest,
    headers: HeaderMap,
) -> Response {
    let Some(openid) = &console.openid else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !console.is_where_the_provider_sends_back_to(&headers) {
        return refuse(&console, language, &NotSignedIn::OtherHost, None);
    }
    match openid.begin(console.desk.now()).await {
        Ok(begun) => {
            // Lax: it must come along when the provider sends the browser back.
            let cookie = format!(
                "{}={}; Max-Age={UNDER_WAY_SECONDS}; {}",
                console.cookies.under_way,
                begun.state,
                console.flags("Lax", &headers)
            );
            ([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response()
        }
        Err(refused) => refuse(&console, language, &refused.into(), None),
    }
}

/// Back from there.
pub(super) async fn finish(
    State(console): State<Arc<Console>>,
    Guest(language): Guest,
    headers: HeaderMap,
    Query(returned): Query<ProviderCallback>,
) -> Response {
    let begun = visitor::cookie(&headers, &console.cookies.under_way);
    match proven(&console, begun, returned).await {
        Ok(shown) => {
            let cookies = [
                console.session_cookie(&shown, &headers),
                format!(
                    "{}=; Max-Age=0; {}",
                    console.cookies.under_way,
                    console.flags("Lax", &headers)
                ),
            ];
            let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
            // A redirect would still be the provider's, and the new cookie would not come along.
            let words = language.words();
            let page = GuestPage::new(language, words.sign_in).leading_to(HOME);
            let page = page.show(&html! { p { a href=(HOME) { (words.overview) } } });
            (cookies, page).into_response()
        }
        Err(refused) => refuse(&console, language, &refused, None),
    }
}

impl Console {
    /// The cookie of somebody on the way is for the host at which they set out. Behind a proxy the host may be its name for
    /// this gateway, so that only an origin on this machine tells.
    fn is_where_the_provider_sends_back_to(&self, headers: &HeaderMap) -> bool {
        let Some(("http", known)) = self.config.origin.split_once("://") else {
            return true;
        };
        headers
            .get(header::HOST)
            .is_none_or(|host| host.as_bytes() == known.as_bytes())
    }
}

async fn proven(
    console: &Console,
    begun: Option<&str>,
    returned: ProviderCallback,
) -> Result<String, NotSignedIn> {
    let Some(openid) = &console.openid else {
        return Err(NotProven::Unexpected.into());
    };
    if !returned.error.is_empty() {
        return Err(NotProven::Declined(returned.error.escape_debug().to_string()).into());
    }
    if begun != Some(returned.state.as_str()) {
        return Err(NotProven::Unexpected.into());
    }
    let who = openid
        .finish(&returned.state, returned.code, console.desk.now())
        .await?;
    let accounts = console.accounts().await.map_err(unable)?;
    if accounts.role(&who.name).is_some() {
        return Err(NotSignedIn::NameTaken);
    }
    enter(console, who).await
}
