//! The frame of every page, and the headers that keep it to itself.

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use maud::DOCTYPE;
use maud::Markup;
use maud::html;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::assets;
use super::role::Role;
use super::session::User;
use super::visitor::Visitor;
use super::words::Language;
use super::words::Words;
use crate::clock::Moment;
use crate::evidence::tally::Coverage;
use crate::reading::desk::OnRecord;
use crate::text::is_unseen;
use crate::text::name_of;

/// Nothing from anywhere else, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A page for somebody who is signed in.
pub(super) struct Page<'a>(Frame<'a>);

/// A page for whoever asks: it tells nothing that one has to be signed in for.
pub(super) struct GuestPage<'a>(Frame<'a>);

/// What stands around a page.
struct Frame<'a> {
    language: Language,
    who: Option<&'a User>,
    title: &'a str,
    /// The path that the menu marks as the current one.
    here: &'a str,
    status: StatusCode,
    /// Where the browser goes at once.
    next: Option<&'a str>,
}

impl<'a> Page<'a> {
    pub(super) fn new(visitor: &'a Visitor, title: &'a str, here: &'a str) -> Self {
        Self(Frame {
            language: visitor.language,
            who: Some(&visitor.who),
            title,
            here,
            status: StatusCode::OK,
            next: None,
        })
    }

    /// Only what is on record is shown.
    pub(super) fn show(self, _: OnRecord, content: &Markup) -> Response {
        self.0.show(content)
    }

    /// Says why nothing is shown.
    pub(super) fn refuse(self, status: StatusCode, why: &str) -> Response {
        let frame = Frame { status, ..self.0 };
        frame.show(&html! { p .alert role="alert" { (why) } })
    }
}

impl<'a> GuestPage<'a> {
    pub(super) fn new(language: Language, title: &'a str) -> Self {
        Self(Frame {
            language,
            who: None,
            title,
            here: "",
            status: StatusCode::OK,
            next: None,
        })
    }

    pub(super) fn leading_to(self, next: &'a str) -> Self {
        let next = Some(next);
        Self(Frame { next, ..self.0 })
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self(Frame { status, ..self.0 })
    }

    pub(super) fn show(self, content: &Markup) -> Response {
        self.0.show(content)
    }
}

impl Frame<'_> {
    fn show(self, content: &Markup) -> Response {
        let words = self.language.words();
        let page = html! {
            (DOCTYPE)
            html lang=(self.language.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(next) = self.next { meta http-equiv="refresh" content={ "0; url=" (next) }; }
                    title { (self.title) " · " (words.console) }
                    link rel="stylesheet" href=(assets::STYLE.path());
                    link rel="icon" href=(assets::ICON.path()) type="image/svg+xml";
                    script src=(assets::SCRIPT.path()) defer {}
                }
                body {
                    a .skip href="#content" { (words.skip) }
                    (self.header(words))
                    main id="content" tabindex="-1" {
                        h1 { (self.title) }
                        (content)
                    }
                    @if self.who.is_some() {
                        footer { p { (words.on_record) } }
                    }
                }
            }
        };
        (self.status, headers(), seen(page.into_string())).into_response()
    }

    fn header(&self, words: &Words) -> Markup {
        let other = self.language.other();
        html! {
            header {
                a .brand href="/console" { "Landbridge" }
                @if let Some(who) = self.who {
                    nav aria-label=(words.menu) {
                        ul {
                            (self.link("/console", words.overview))
                            @if who.role.reads_journal() {
                                (self.link("/console/exchanges", words.exchanges))
                                (self.link("/console/subjects", words.subjects))
                                (self.link("/console/alarms", words.alarms))
                                (self.link("/console/export", words.export))
                            }
                            (self.link("/console/flow", words.flow))
                            (self.link("/console/peers", words.peers))
                            (self.link("/console/agreements", words.agreements))
                            (self.link("/console/policy", words.policy))
                            (self.link("/console/explain", words.explain))
                            @if who.role.proposes() { (self.link("/console/propose", words.propose)) }
                        }
                    }
                }
                div .self {
                    form method="get" action="/console/sign-in" {
                        input type="hidden" name="language" value=(other.tag());
                        button .quiet lang=(other.tag()) { (words.other_language) }
                    }
                    @if let Some(who) = self.who {
                        span .who { span .visually-hidden { (words.signed_in_as) " " } (who.name) " · " (role(who.role, words)) }
                        form method="post" action="/console/sign-out" {
                            button .quiet { (words.sign_out) }
                        }
                    }
                }
            }
        }
    }

    fn link(&self, path: &str, text: &str) -> Markup {
        let current = (path == self.here).then_some("page");
        html! { li { a href=(path) aria-current=[current] { (text) } } }
    }
}

/// A part of a page, for the script to put in place.
pub(super) fn part(_: OnRecord, content: Markup) -> Response {
    (headers(), seen(content.into_string())).into_response()
}

/// A file to take away.
pub(super) fn file(_: OnRecord, name: &str, kind: &str, content: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, content).into_response()
}

/// What each page is sent with.
pub(super) fn headers() -> [(HeaderName, HeaderValue); 6] {
    [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ]
}

pub(super) fn role(role: Role, words: &Words) -> &'static str {
    match role {
        Role::Viewer => words.viewer,
        Role::Auditor => words.auditor,
        Role::Administrator => words.administrator,
    }
}

/// A time at the department's offset, to the second.
pub(super) fn moment(at: Moment, offset: UtcOffset) -> Markup {
    let at = at.at(offset);
    let text = at.format(SECOND).unwrap_or_default();
    html! { time datetime=(text.replace(' ', "T")) { (text) } }
}

/// A page in which nothing stands unseen, whoever wrote it and wherever it is told. What is filled in stays as it was typed.
fn seen(page: String) -> String {
    let is_hidden = |c: char| is_unseen(c) && !matches!(c, '\n' | '\t');
    if !page.contains(is_hidden) {
        return page;
    }
    let mut out = String::with_capacity(page.len() + 64);
    let (mut in_tag, mut is_typed) = (false, false);
    for (at, c) in page.char_indices() {
        match c {
            '<' => {
                let tag = page.get(at..).unwrap_or_default();
                is_typed =
                    tag.starts_with("<textarea") || (is_typed && !tag.starts_with("</textarea"));
                in_tag = true;
            }
            '>' => in_tag = false,
            _ => {}
        }
        match is_hidden(c) && !in_tag && !is_typed {
            true => out.push_str(&name_of(c)),
            false => out.push(c),
        }
    }
    out
}

/// A text that somebody else wrote. What would turn the direction of reading, break the line or stand unseen is written out
/// instead, e.g. as ⟨U+202E⟩.
pub(super) fn value(text: &str) -> Markup {
    html! {
        bdi {
            @for piece in text.split_inclusive(is_unseen) {
                @match piece.chars().next_back().filter(|&last| is_unseen(last)) {
                    None => (piece),
                    Some(last) => {
                        (piece.trim_end_matches(last))
                        span .unseen { (name_of(last)) }
                    }
                }
            }
        }
    }
}

/// What figures of a period leave out, if anything.
pub(super) fn coverage(coverage: Coverage, offset: UtcOffset, words: &Words) -> Markup {
    html! {
        @if let Some(at) = coverage.stopped_at {
            p .alert role="alert" { (words.stopped_at) " " (moment(at, offset)) }
        }
        @if coverage.erased > 0 { p .alert { (words.erased_exchanges) " " (coverage.erased) } }
    }
}

/// What of a question cannot be read, and why.
pub(super) fn invalid(field: &str, why: &str) -> Markup {
    html! { p .alert role="alert" { (field) ": " (why) } }
}

/// A term with what it is, in a list of such.
pub(super) fn fact(term: &str, value: &Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}

#[cfg(test)]
mod tests {
    use super::seen;

    #[test]
    fn nothing_stands_unseen_in_a_page_and_what_was_typed_stays() {
        let page = "<h2 title=\"\u{202e}\">a\u{202e}b\u{200b}</h2>\n<textarea>\u{202e}</textarea>\u{2066}<input value=\"\u{202e}\">";
        let shown = "<h2 title=\"\u{202e}\">a⟨U+202E⟩b⟨U+200B⟩</h2>\n<textarea>\u{202e}</textarea>⟨U+2066⟩<input value=\"\u{202e}\">";
        assert_eq!(seen(page.to_owned()), shown);
    }
}
