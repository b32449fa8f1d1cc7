//! Whose data went to whom: the exchanges that a person's identifier is behind.
//!
//! The identifier is sent in a form's body, so that it stands in no address, no history and no log; the journal keeps a tag.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Console;
use super::exchanges;
use super::extractors::Auditor;
use super::fields::free;
use super::fields::one_of;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::words::Words;
use crate::evidence::person::Gaps;
use crate::evidence::person::schemes;
use crate::evidence::search::SearchResult;
use crate::exchange::snapshot::Snapshot;
use crate::pb;
use crate::reading::desk::OnRecord;
use crate::reading::error::ReadingError;

const HERE: &str = "/console/subjects";
/// The most exchanges that are shown of one person: as many as a search gives at once.
const MOST: u32 = 1_000;

/// What the form has.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SubjectForm {
    scheme: String,
    identifier: Zeroizing<String>,
    mandate: String,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
) -> Result<Response, PageError> {
    let on_record = console
        .view(&visitor.who, "subjects")
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    let form = form(
        &SubjectForm::default(),
        &console.desk.exchange.snapshot(),
        words,
    );
    Ok(Page::new(&visitor, words.subjects, HERE).show(on_record, &form))
}

pub(super) async fn search(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    headers: HeaderMap,
    Form(asked): Form<SubjectForm>,
) -> Result<Response, PageError> {
    console.check_own_page(&headers)?;
    let words = visitor.language.words();
    let (on_record, found) = match find(&console, &visitor, &asked).await {
        Ok((on_record, found, gaps)) => {
            let found = html! {
                @for gap in gap_notes(&gaps, words) { p .alert role="alert" { (gap) } }
                @if found.next.is_some() { p .alert role="alert" { (words.more_than) " " (MOST) } }
                (exchanges::table(&found, console.desk.offset, words))
            };
            (on_record, found)
        }
        Err(ReadingError::Invalid { field, why }) => {
            let on_record = console.view(&visitor.who, "subjects").await;
            let on_record = on_record.map_err(visitor.unread())?;
            (on_record, page::invalid(field, &why))
        }
        Err(unread) => return Err(visitor.unread()(unread)),
    };
    Ok(Page::new(&visitor, words.subjects, HERE).show(
        on_record,
        &html! {
            (form(&asked, &console.desk.exchange.snapshot(), words))
            (found)
        },
    ))
}

async fn find(
    console: &Console,
    visitor: &Auditor,
    asked: &SubjectForm,
) -> Result<(OnRecord, SearchResult, Gaps), ReadingError> {
    let request = pb::SearchRequest {
        mandate: asked.mandate.trim().to_owned(),
        subject: Some(pb::Subject {
            scheme: asked.scheme.trim().to_owned(),
            identifier: asked.identifier.as_str().to_owned(),
        }),
        limit: MOST,
        ..pb::SearchRequest::default()
    };
    exchanges::find(console, visitor, request).await
}

/// What the list does not tell.
fn gap_notes(gaps: &Gaps, words: &Words) -> Vec<String> {
    let mut told = Vec::new();
    for (months, text) in [
        (&gaps.without_key, words.without_key),
        (&gaps.erased, words.erased_months),
    ] {
        if !months.is_empty() {
            told.push(format!("{text} {}", months.join(", ")));
        }
    }
    if gaps.bulk > 0 {
        told.push(format!("{} {}", words.bulk, gaps.bulk));
    }
    if gaps.unattributed > 0 {
        let more = if gaps.has_more { "+" } else { "" };
        told.push(format!(
            "{} {}{more}",
            words.unattributed, gaps.unattributed
        ));
    }
    told
}

fn form(asked: &SubjectForm, snapshot: &Snapshot, words: &Words) -> Markup {
    let schemes = schemes(&snapshot.registry);
    let schemes: Vec<_> = schemes.iter().map(String::as_str).collect();
    html! {
        p { (words.subjects_hint) }
        form .search method="post" action=(HERE) {
            div .fields {
                (one_of(words.scheme, "scheme", &asked.scheme, &schemes, words))
                (free(words.identifier, "identifier", &asked.identifier))
                (free(words.mandate, "mandate", &asked.mandate))
            }
            button { (words.search) }
        }
    }
}
