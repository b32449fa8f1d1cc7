//! Signing in and out, and choosing a language.

use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::AppendHeaders;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Console;
use super::account::Accounts;
use super::account::AccountsError;
use super::account::ProvenCredentials;
use super::device::DeviceId;
use super::extractors::AnyRole;
use super::judges::NotJudged;
use super::openid::NotProven;
use super::page::GuestPage;
use super::page_error::PageError;
use super::refusals::Refusal;
use super::session::CodeUsed;
use super::session::User;
use super::tries::Key;
use super::tries::NoTryLeft;
use super::visitor;
use super::visitor::Guest;
use super::visitor::LANGUAGE;
use super::words::Language;
use super::words::Words;
use crate::clock::Moment;
use crate::door::operators::introduction::Introduction;
use crate::fault::chain;
use crate::name::ReaderName;
use crate::reading::desk::Action;

pub(super) const HOME: &str = "/console";
const YEAR_SECONDS: u32 = 365 * 24 * 3600;
/// When to come again, if too many sign in at once.
const CROWDED_SECONDS: u32 = 2;

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: Zeroizing<String>,
    code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct LanguageChoice {
    language: Option<String>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSignedIn {
    #[error("the name, the password or the code is not right")]
    Wrong,
    #[error("this code was used already")]
    Used,
    #[error("too many tries; one comes back each minute, the next in {0} seconds")]
    TooOften(u32),
    #[error(transparent)]
    NotJudged(#[from] NotJudged),
    #[error("the provider sends people back to another host than this one")]
    OtherHost,
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
    Query(chosen): Query<LanguageChoice>,
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
    introduction: Option<Extension<Introduction>>,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, PageError> {
    console.check_own_page(&headers)?;
    let device = visitor::cookie(&headers, &console.cookies.device);
    let device = device.and_then(|shown| console.devices.recognise(shown, &credentials.name));
    if let (Some(_), Some(Extension(introduction))) = (&device, introduction) {
        introduction.make();
    }
    let entered = match prove(&console, credentials, device).await {
        Ok(who) => admit(&console, who, &headers)
            .await
            .map_err(|refused| (refused, None)),
        Err(refused) => Err(refused),
    };
    Ok(match entered {
        Ok(cookies) => (cookies, Redirect::to(HOME)).into_response(),
        Err((refused, who)) => refuse(&console, language, &refused, who),
    })
}

/// Begins a session; gives the cookies of it, and of the browser, which is known from now on.
async fn admit(
    console: &Console,
    who: User,
    headers: &HeaderMap,
) -> Result<AppendHeaders<[(HeaderName, String); 2]>, NotSignedIn> {
    let device = console.devices.issue(&who.name).map_err(unable)?;
    let shown = enter(console, who).await?;
    let device = format!(
        "{}={device}; Max-Age={YEAR_SECONDS}; {}",
        console.cookies.device,
        console.flags("Strict", headers)
    );
    let session = console.session_cookie(&shown, headers);
    Ok(AppendHeaders(
        [session, device].map(|cookie| (header::SET_COOKIE, cookie)),
    ))
}

/// The form again, with what was wrong. `who` is the account that it was about, if there is one.
pub(super) fn refuse(
    console: &Console,
    language: Language,
    refused: &NotSignedIn,
    who: Option<ReaderName>,
) -> Response {
    let refusal = Refusal {
        why: refused.why(),
        who,
        error: chain(refused),
    };
    let mut answer = form(console, language, Some(refused));
    answer.extensions_mut().insert(refusal);
    if let Some(seconds) = refused.retry_after() {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    visitor: Option<AnyRole>,
) -> Result<Response, PageError> {
    console.check_own_page(&headers)?;
    if let Some(shown) = visitor::cookie(&headers, &console.cookies.session) {
        console.sessions.end(shown);
    }
    if let Some(visitor) = visitor {
        let recorded = console.record(
            &visitor.who,
            Action::SignOut,
            String::new(),
            0,
            String::new(),
        );
        // The session is over all the same.
        if let Err(unread) = recorded.await {
            unread.log("console");
        }
    }
    let gone = format!(
        "{}=; Max-Age=0; {}",
        console.cookies.session,
        console.flags("Strict", &headers)
    );
    let gone = [(header::SET_COOKIE, gone)];
    Ok((gone, Redirect::to("/console/sign-in")).into_response())
}

impl Console {
    /// Not for scripts, for other sites as far as it says, and over TLS only where the browser has TLS.
    pub(super) fn flags(&self, same_site: &str, headers: &HeaderMap) -> String {
        let own = self.config.origin.as_bytes();
        let origin = headers.get(header::ORIGIN);
        let origin = origin.map_or(own, |origin| origin.as_bytes());
        let secure = match origin.starts_with(b"https:") {
            true => "; Secure",
            false => "",
        };
        format!("Path=/console; HttpOnly; SameSite={same_site}{secure}")
    }

    pub(super) fn session_cookie(&self, shown: &str, headers: &HeaderMap) -> String {
        let flags = self.flags("Strict", headers);
        format!("{}={shown}; {flags}", self.cookies.session)
    }
}

impl NotSignedIn {
    /// The journal's word for it.
    fn why(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Used => "code-used",
            Self::TooOften(_) => "too-often",
            Self::NotJudged(NotJudged::Crowded) => "crowded",
            Self::NotProven(_) => "provider",
            Self::OtherHost => "other-host",
            Self::NameTaken => "name-taken",
            Self::NotJudged(NotJudged::Broken(_)) | Self::Unable(_) => "unable",
        }
    }

    /// In seconds.
    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooOften(seconds) => Some(*seconds),
            Self::NotJudged(_) => Some(CROWDED_SECONDS),
            _ => None,
        }
    }
}

/// Begins a session once it is on record.
pub(super) async fn enter(console: &Console, who: User) -> Result<String, NotSignedIn> {
    console
        .record(&who, Action::SignIn, who.role.to_string(), 0, String::new())
        .await
        .map_err(unable)?;
    console
        .sessions
        .begin(who, console.desk.now())
        .map_err(unable)
}

/// Takes a try, then judges. With a refusal comes the account that it was about, if there is one.
async fn prove(
    console: &Console,
    credentials: Credentials,
    device: Option<DeviceId>,
) -> Result<User, (NotSignedIn, Option<ReaderName>)> {
    let now = console.desk.now();
    let key = Key::of(&credentials.name, device.as_ref());
    if let Err(NoTryLeft { seconds, who }) = console.tries.take(key, now) {
        return Err((NotSignedIn::TooOften(seconds), who));
    }
    let judged = console.judges.judge(device.is_some(), {
        let file = console.config.accounts.clone();
        move || judge(file.as_deref(), &credentials, now)
    });
    let (account, proven) = match judged.await {
        Ok(Ok(judged)) => judged,
        Ok(Err(unread)) => {
            console.tries.give_back(key);
            return Err((unable(unread), None));
        }
        Err(not_judged) => {
            console.tries.give_back(key);
            return Err((not_judged.into(), None));
        }
    };
    if let Some(account) = &account {
        console.tries.learn(key, account);
    }
    let Some(proven) = proven else {
        return Err((NotSignedIn::Wrong, account));
    };
    match console.sessions.accept(&proven) {
        Ok(who) => {
            console.tries.forget(key);
            Ok(who)
        }
        Err(CodeUsed) => Err((NotSignedIn::Used, account)),
    }
}

/// The account that was named, if there is one, and whose it was proven to be. Blocks.
fn judge(
    file: Option<&Path>,
    credentials: &Credentials,
    now: Moment,
) -> Result<(Option<ReaderName>, Option<ProvenCredentials>), AccountsError> {
    let accounts = file.map(Accounts::load).transpose()?.unwrap_or_default();
    let Credentials {
        name,
        password,
        code,
    } = credentials;
    let proven = accounts.prove(name, password, code.trim(), now);
    Ok((accounts.name(name).cloned(), proven))
}

pub(super) fn unable(error: impl std::error::Error + Send + Sync + 'static) -> NotSignedIn {
    NotSignedIn::Unable(Box::new(error))
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
        Some(NotSignedIn::NotProven(NotProven::Provider(_) | NotProven::Secret(_))) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Some(NotSignedIn::NotJudged(_) | NotSignedIn::Unable(_)) => StatusCode::SERVICE_UNAVAILABLE,
        Some(NotSignedIn::TooOften(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(NotSignedIn::OtherHost) => StatusCode::MISDIRECTED_REQUEST,
        Some(
            NotSignedIn::Wrong
            | NotSignedIn::Used
            | NotSignedIn::NotProven(_)
            | NotSignedIn::NameTaken,
        ) => StatusCode::FORBIDDEN,
    };
    GuestPage::new(language, words.sign_in).with_status(status).show(&html! {
        @if let Some(refused) = refused {
            p .alert role="alert" { (message(refused, words)) }
            @if let NotSignedIn::OtherHost = refused {
                p { a href=(format!("{}{HOME}/sign-in", console.config.origin)) { (console.config.origin) (HOME) "/sign-in" } }
            }
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

fn message(refused: &NotSignedIn, words: &Words) -> &'static str {
    match refused {
        NotSignedIn::Wrong => words.wrong,
        NotSignedIn::TooOften(_) => words.too_often,
        NotSignedIn::Used => words.used,
        NotSignedIn::NotJudged(NotJudged::Crowded) => words.crowded,
        NotSignedIn::OtherHost => words.other_host,
        NotSignedIn::NotProven(NotProven::Provider(_) | NotProven::Secret(_))
        | NotSignedIn::NotJudged(NotJudged::Broken(_))
        | NotSignedIn::Unable(_) => words.busy,
        NotSignedIn::NotProven(_) | NotSignedIn::NameTaken => words.not_proven,
    }
}
