//! Why a page is not shown, as a page.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::html;

use super::page::Page;
use super::visitor::Guest;
use super::visitor::Visitor;
use crate::door::operators::unread::Unread;

/// Why somebody does not see what they asked for.
#[derive(Debug)]
pub(super) enum Unseen {
    NotSignedIn,
    NotYours(Visitor),
    /// A page from elsewhere has sent the form.
    Elsewhere,
    Unread(Visitor, Unread),
}

impl Visitor {
    /// For `map_err`: what was not read, told to this visitor.
    pub(super) fn unread(&self) -> impl Fn(Unread) -> Unseen + use<> {
        let visitor = self.clone();
        move |unread| Unseen::Unread(visitor.clone(), unread.told("console"))
    }
}

impl IntoResponse for Unseen {
    fn into_response(self) -> Response {
        let (visitor, status, text) = match self {
            Self::NotSignedIn => return Redirect::to("/console/sign-in").into_response(),
            Self::Elsewhere => return StatusCode::FORBIDDEN.into_response(),
            Self::NotYours(visitor) => {
                let text = visitor.language.words().not_yours.to_owned();
                (visitor, StatusCode::FORBIDDEN, text)
            }
            Self::Unread(visitor, unread) => (visitor, unread.status(), unread.to_string()),
        };
        let page = Page::new(&visitor, visitor.language.words().console, "");
        page.with_status(status)
            .show(&html! { p .alert role="alert" { (text) } })
    }
}

pub(super) async fn no_such_page(Guest(language): Guest) -> Response {
    let words = language.words();
    Page::for_guest(language, words.not_here)
        .with_status(StatusCode::NOT_FOUND)
        .show(&html! { p { a href="/console" { (words.overview) } } })
}
