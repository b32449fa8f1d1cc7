//! Why a page is not shown, as a page.

use axum::Extension;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::html;

use super::Console;
use super::page::GuestPage;
use super::page::Page;
use super::refusals::Refusal;
use super::visitor;
use super::visitor::Guest;
use super::visitor::Visitor;
use super::words::Language;
use crate::reading::error::ReadingError;

/// Why somebody does not see what they asked for.
#[derive(Debug)]
pub(super) enum PageError {
    NotSignedIn,
    NotYours(Visitor),
    /// A page from elsewhere has sent the form; the origin is the console's own.
    Elsewhere {
        language: Language,
        origin: String,
    },
    Unread(Visitor, ReadingError),
}

impl PageError {
    pub(super) fn elsewhere(console: &Console, headers: &HeaderMap) -> Self {
        Self::Elsewhere {
            language: visitor::language(headers),
            origin: console.config.origin.clone(),
        }
    }
}

impl Visitor {
    /// For `map_err`: what was not read, told to this visitor.
    pub(super) fn unread(&self) -> impl Fn(ReadingError) -> PageError + use<> {
        let visitor = self.clone();
        move |unread| PageError::Unread(visitor.clone(), unread.log("console"))
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (visitor, status, text) = match self {
            Self::NotSignedIn => return Redirect::to("/console/sign-in").into_response(),
            Self::Elsewhere { language, origin } => return elsewhere(language, &origin),
            Self::NotYours(visitor) => {
                let text = visitor.language.words().not_yours;
                let refusal = Refusal {
                    why: "role",
                    who: Some(visitor.who.name.clone()),
                    error: format!("the role {} does not open it", visitor.who.role),
                };
                return (
                    Extension(refusal),
                    page(&visitor, StatusCode::FORBIDDEN, text),
                )
                    .into_response();
            }
            Self::Unread(visitor, unread) => (visitor, unread.status(), unread.to_string()),
        };
        page(&visitor, status, &text)
    }
}

fn page(visitor: &Visitor, status: StatusCode, why: &str) -> Response {
    Page::new(visitor, visitor.language.words().console, "").refuse(status, why)
}

fn elsewhere(language: Language, origin: &str) -> Response {
    let words = language.words();
    let page = GuestPage::new(language, words.console).with_status(StatusCode::FORBIDDEN);
    let refusal = Refusal {
        why: "elsewhere",
        who: None,
        error: "a page from elsewhere sent the form".to_owned(),
    };
    let shown = page.show(&html! {
        p .alert role="alert" { (words.from_elsewhere) }
        p { a href=(format!("{origin}/console")) { (origin) "/console" } }
    });
    (Extension(refusal), shown).into_response()
}

pub(super) async fn no_such_page(Guest(language): Guest) -> Response {
    let words = language.words();
    GuestPage::new(language, words.not_here)
        .with_status(StatusCode::NOT_FOUND)
        .show(&html! { p { a href="/console" { (words.overview) } } })
}
