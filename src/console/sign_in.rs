//! Signing in and out, and choosing a language.

use std::sync::Arc;

use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Console;
use super::account::Proven;
use super::openid::NotProven;
use super::page::Page;
use super::session::Rejected;
use super::session::SignedIn;
use super::visitor;
use super::visitor::Guest;
use super::visitor::LANGUAGE;
use super::visitor::SESSION;
use super::visitor::Visitor;
use super::words::Language;
use super::words::Words;
use crate::door::operators::desk::Action;
use crate::fault::chain;
use crate::name::ReaderName;

pub(super) const HOME: &str = "/console";
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: Zeroizing<String>,
    code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    language: Option<String>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSignedIn {
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    NotProven(#[from] NotProven),
    #[error("a local account has the name that the provider gives")]
    NameTaken,
    #[error("the console cannot sign anybody in")]
    Unable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The form; or, with a language, that language from now on, and back to where one was.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Guest(language): Guest,
    Query(chosen): Query<Chosen>,
    headers: HeaderMap,
) -> Response {
    match chosen.language {
        Some(tag) => choose(&tag, &headers),
        None => form(&console, language, None),
    }
}

pub(super) async fn sign_in(
    State(console): State<Arc<Console>>,
    Guest(language): Guest,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Response {
    if !is_own(&headers, &console.config.origin) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match begin(&console, credentials).await {
        Ok(shown) => {
            let cookie = format!("{SESSION}={shown}; {}", console.flags("Strict"));
            ([(header::SET_COOKIE, cookie)], Redirect::to(HOME)).into_response()
        }
        Err(refused) => refuse(&console, language, &refused),
    }
}

pub(super) fn refuse(console: &Console, language: Language, refused: &NotSignedIn) -> Response {
    tracing::warn!(error = %chain(refused), "nobody was signed in at the console");
    form(console, language, Some(refused))
}

pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    visitor: Option<Visitor>,
) -> Response {
    if !is_own(&headers, &console.config.origin) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(shown) = visitor::cookie(&headers, SESSION) {
        console.sessions.end(shown);
    }
    if let Some(Visitor { who, .. }) = visitor {
        let told = console.record(&who, Action::SignOut, String::new(), 0, String::new());
        // The session is over all the same.
        if let Err(unread) = told.await {
            unread.told("console");
        }
    }
    let gone = format!("{SESSION}=; Max-Age=0; {}", console.flags("Strict"));
    (
        [(header::SET_COOKIE, gone)],
        Redirect::to("/console/sign-in"),
    )
        .into_response()
}

impl Console {
    /// Not for scripts, for other sites as far as it says, and over TLS only where there is TLS.
    pub(super) fn flags(&self, same_site: &str) -> String {
        let secure = match self.config.origin.starts_with("https:") {
            true => "; Secure",
            false => "",
        };
        format!("Path=/console; HttpOnly; SameSite={same_site}{secure}")
    }
}

/// Gives what the browser shows from now on.
async fn begin(console: &Console, credentials: Credentials) -> Result<String, NotSignedIn> {
    let who = prove(console, credentials).await?;
    enter(console, who).await
}

/// Begins a session once it is on record.
pub(super) async fn enter(console: &Console, who: SignedIn) -> Result<String, NotSignedIn> {
    console
        .record(&who, Action::SignIn, who.role.to_string(), 0, String::new())
        .await
        .map_err(unable)?;
    console
        .sessions
        .begin(who, console.desk.now())
        .map_err(unable)
}

async fn prove(console: &Console, credentials: Credentials) -> Result<SignedIn, NotSignedIn> {
    let now = console.desk.now();
    let accounts = console.accounts().await.map_err(unable)?;
    // Tries are counted for accounts that are there: what others make up is not kept.
    let known = accounts
        .names()
        .find(|name| name.as_str() == credentials.name)
        .cloned();
    if let Some(name) = &known {
        console.sessions.may_try(name, now)?;
    }
    let proven = console
        .desk
        .look_up(move || {
            let Credentials {
                name,
                password,
                code,
            } = &credentials;
            Ok(accounts.prove(name, password, code.trim(), now))
        })
        .await
        .map_err(unable)?;
    accepted(console, known.as_ref(), proven)
}

fn accepted(
    console: &Console,
    known: Option<&ReaderName>,
    proven: Option<Proven>,
) -> Result<SignedIn, NotSignedIn> {
    let now = console.desk.now();
    let Some(proven) = proven else {
        if let Some(name) = known {
            console.sessions.failed(name, now);
        }
        return Err(Rejected::Wrong.into());
    };
    Ok(console.sessions.accept(&proven, now)?)
}

pub(super) fn unable(error: impl std::error::Error + Send + Sync + 'static) -> NotSignedIn {
    NotSignedIn::Unable(Box::new(error))
}

/// Whether a page of this console asks, and not one from elsewhere that the browser has open.
pub(super) fn is_own(headers: &HeaderMap, origin: &str) -> bool {
    headers
        .get(header::ORIGIN)
        .is_some_and(|from| from.as_bytes() == origin.as_bytes())
}

fn choose(tag: &str, headers: &HeaderMap) -> Response {
    let tag = Language::of(Some(tag), headers).tag();
    let cookie = format!(
        "{LANGUAGE}={tag}; Path=/console; Max-Age={YEAR_SECONDS}; HttpOnly; SameSite=Strict"
    );
    // Of where one was, the path alone: it leads nowhere else.
    let back = headers
        .get(header::REFERER)
        .and_then(|from| from.to_str().ok()?.parse::<Uri>().ok())
        .and_then(|from| Some(from.path_and_query()?.as_str().to_owned()))
        .filter(|path| path.starts_with(HOME))
        .unwrap_or_else(|| HOME.to_owned());
    ([(header::SET_COOKIE, cookie)], Redirect::to(&back)).into_response()
}

fn form(console: &Console, language: Language, refused: Option<&NotSignedIn>) -> Response {
    let words = language.words();
    let status = match refused {
        None => StatusCode::OK,
        Some(NotSignedIn::Rejected(Rejected::Wrong | Rejected::Used)) => StatusCode::FORBIDDEN,
        Some(NotSignedIn::NotProven(NotProven::Provider(_) | NotProven::Secret(_))) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Some(NotSignedIn::NotProven(_) | NotSignedIn::NameTaken) => StatusCode::FORBIDDEN,
        Some(NotSignedIn::Rejected(Rejected::TooOften)) => StatusCode::TOO_MANY_REQUESTS,
        Some(NotSignedIn::Unable(_)) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Page::for_guest(language, words.sign_in).with_status(status).show(&html! {
        @if let Some(refused) = refused {
            p .alert role="alert" { (told(refused, words)) }
        }
        @if let Some(openid) = &console.openid {
            p { a .button href="/console/sign-in/openid" { (words.sign_in_by) " " (openid.issuer()) } }
        }
        @if console.config.accounts.is_some() { (credentials_form(words)) }
    })
}

fn credentials_form(words: &Words) -> Markup {
    html! {
        form .sign-in method="post" action="/console/sign-in" {
            (input(words.name, "name", &html! {
                input #name name="name" required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64";
            }))
            (input(words.password, "password", &html! {
                input #password name="password" type="password" required autocomplete="current-password" maxlength="256";
            }))
            (input(words.code, "code", &html! {
                input #code name="code" required inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}"
                    maxlength="6" aria-describedby="code-hint";
                small #code-hint { (words.code_hint) }
            }))
            button { (words.sign_in) }
        }
    }
}

fn input(text: &str, id: &str, input: &Markup) -> Markup {
    html! { p { label for=(id) { (text) } (input) } }
}

fn told(refused: &NotSignedIn, words: &Words) -> &'static str {
    match refused {
        NotSignedIn::Rejected(Rejected::Wrong) => words.wrong,
        NotSignedIn::Rejected(Rejected::TooOften) => words.too_often,
        NotSignedIn::Rejected(Rejected::Used) => words.used,
        NotSignedIn::NotProven(NotProven::Provider(_) | NotProven::Secret(_))
        | NotSignedIn::Unable(_) => words.busy,
        NotSignedIn::NotProven(_) | NotSignedIn::NameTaken => words.not_proven,
    }
}
