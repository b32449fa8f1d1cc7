//! Entries taken away as a file, which is on record with its hash.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde::Deserialize;
use time::UtcOffset;

use super::Console;
use super::extractors::Auditor;
use super::fields::when;
use super::page::Page;
use super::page_error::PageError;
use super::period;
use crate::door::operators::export::ExportRequest;
use crate::door::operators::export::FILES;
use crate::door::operators::export::export_for;
use crate::evidence::criteria::Criteria;
use crate::evidence::export::Format;
use crate::evidence::export::Selection;
use crate::journal::reader::Reader;
use crate::reading::error::ReadingError;
use crate::reading::reader::ReadGrant;

const HERE: &str = "/console/export";

/// What the form has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExportForm {
    format: String,
    since: String,
    until: String,
    mandate: String,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
) -> Result<Response, PageError> {
    let on_record = console
        .view(&visitor.who, "export")
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    Ok(Page::new(&visitor, words.export, HERE).show(on_record, &html! {
        p { (words.export_hint) }
        form .search method="get" action={ (HERE) "/file" } {
            div .fields {
                p {
                    label for="format" { (words.format) }
                    select id="format" name="format" { @for format in FILES { option value=(format.as_str()) { (format.as_str()) } } }
                }
                (when(words.since, "since", ""))
                (when(words.until, "until", ""))
                p {
                    label for="mandate" { (words.mandate) }
                    input #mandate name="mandate" maxlength="256";
                }
            }
            button { (words.take_away) }
        }
    }))
}

pub(super) async fn file(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Query(wanted): Query<ExportForm>,
) -> Result<Response, PageError> {
    let asked = wanted.read(console.desk.offset).map_err(visitor.unread())?;
    send(&console, &visitor, asked).await
}

/// All that proves the exchange to which an entry belongs.
pub(super) async fn bundle(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Path(index): Path<u64>,
) -> Result<Response, PageError> {
    let journal = console.desk.journal.clone();
    let stored = console
        .desk
        .look_up(move || {
            let stored = Reader::open(&journal)
                .entry(index)
                .map_err(ReadingError::failed)?;
            stored.ok_or(ReadingError::NotFound)
        })
        .await
        .map_err(visitor.unread())?;
    let selection = match stored.leaf.exchange {
        Some(exchange) => Selection {
            criteria: Criteria {
                exchange: Some(exchange),
                ..Criteria::default()
            },
            ..Selection::default()
        },
        None => Selection {
            from: index,
            to: Some(index + 1),
            ..Selection::default()
        },
    };
    let asked = ExportRequest {
        format: Format::Bundle,
        selection,
        mandate: String::new(),
        told: format!("bundle index={index}"),
    };
    send(&console, &visitor, asked).await
}

async fn send(
    console: &Console,
    visitor: &Auditor,
    asked: ExportRequest,
) -> Result<Response, PageError> {
    let granted = ReadGrant::signed_in(&visitor.who.name);
    export_for(&console.desk, &granted, asked)
        .await
        .map_err(visitor.unread())
}

impl ExportForm {
    fn read(self, offset: UtcOffset) -> Result<ExportRequest, ReadingError> {
        let format = FILES
            .into_iter()
            .find(|format| format.as_str() == self.format)
            .ok_or_else(|| ReadingError::invalid("format", "expected one of those in the form"))?;
        let (since, until) = (
            period::picked("since", &self.since, offset)?,
            period::picked("until", &self.until, offset)?,
        );
        let mut told = format.as_str().to_owned();
        for (end, at) in [("since", since), ("until", until)] {
            if let Some(at) = at {
                told.push_str(&format!(" {end} {}", period::text(at, UtcOffset::UTC)));
            }
        }
        let criteria = Criteria {
            since,
            until,
            ..Criteria::default()
        };
        Ok(ExportRequest {
            format,
            selection: Selection {
                criteria,
                ..Selection::default()
            },
            mandate: self.mandate,
            told,
        })
    }
}
