//! Whether a question would be allowed, and why: the evaluator that serves, asked through a form.

use std::sync::Arc;

use axum::extract::Query as Asking;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use super::Console;
use super::extractors::AnyRole;
use super::fields::department;
use super::fields::free;
use super::fields::one_of;
use super::fields::record_type;
use super::fields::when;
use super::page;
use super::page::Page;
use super::page::fact;
use super::page_error::PageError;
use super::period;
use super::words::Words;
use crate::clock::Moment;
use crate::exchange::snapshot::Snapshot;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::policy::explanation::ConsideredGrant;
use crate::policy::explanation::Explanation;
use crate::policy::explanation::Outcome;
use crate::reading::query_words::QueryWords;
use crate::registry::query::Mode;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;

const HERE: &str = "/console/explain";
const MODES: [Mode; 3] = [Mode::Get, Mode::Query, Mode::Count];

/// What the form has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExplainForm {
    department: String,
    system: String,
    record_type: String,
    purpose: String,
    mode: String,
    /// Paths, separated by commas; all that is granted when empty.
    fields: String,
    filter: String,
    /// Now when empty.
    at: String,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
    Asking(asked): Asking<ExplainForm>,
) -> Result<Response, PageError> {
    let on_record = console
        .view(&visitor.who, &asked.on_record())
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    let snapshot = console.desk.exchange.snapshot();
    let answer = match asked.record_type.is_empty() {
        true => html! {},
        false => match explained(&asked, &snapshot, &console) {
            Ok(explanation) => answer(&explanation, words),
            Err(why) => html! { p .alert role="alert" { (page::value(&why)) } },
        },
    };
    Ok(Page::new(&visitor, words.explain, HERE).show(
        on_record,
        &html! {
            p { (words.explain_hint) }
            (form(&asked, &snapshot, words))
            (answer)
        },
    ))
}

impl ExplainForm {
    /// What the journal keeps: names, and no text that could be a person's.
    fn on_record(&self) -> String {
        let mut told = QueryWords::default();
        for (key, text, is_name) in [
            (
                "department",
                &self.department,
                self.department.parse::<DepartmentId>().is_ok(),
            ),
            (
                "record_type",
                &self.record_type,
                self.record_type.parse::<RecordType>().is_ok(),
            ),
            (
                "purpose",
                &self.purpose,
                self.purpose.parse::<Purpose>().is_ok(),
            ),
        ] {
            if is_name {
                told.word(key, text);
            }
        }
        format!("explain {told}").trim_end().to_owned()
    }
}

/// Or what is wrong with the question.
fn explained(
    asked: &ExplainForm,
    snapshot: &Snapshot,
    console: &Console,
) -> Result<Explanation, String> {
    let department = asked.department.parse().map_err(message)?;
    let system = match asked.system.trim() {
        "" => None,
        system => Some(system.parse().map_err(message)?),
    };
    let schema = snapshot
        .registry
        .record(&asked.record_type)
        .map_err(message)?;
    let fields = asked
        .fields
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty());
    let fields: Vec<_> = fields.map(str::to_owned).collect();
    let cursor = Bytes::new();
    let filter = asked.filter.trim();
    let selection = match asked.mode.as_str() {
        "query" => RawSelection::Query {
            filter,
            order_by: "",
            limit: 0,
            cursor: &cursor,
        },
        "count" => RawSelection::Count { filter },
        // No decision rests on a key.
        _ => RawSelection::Get { key: "0" },
    };
    let raw = Raw {
        purpose: asked.purpose.trim(),
        fields: &fields,
        selection,
    };
    let query = Query::check(schema, &raw).map_err(message)?;
    let at = moment(&asked.at, console)?;
    let caller = Caller::assumed(department, system);
    Ok(snapshot.policy.explain(&caller, &query, at))
}

fn moment(text: &str, console: &Console) -> Result<Moment, String> {
    let picked = period::picked("at", text, console.desk.offset).map_err(message)?;
    Ok(picked.unwrap_or_else(|| console.desk.now()))
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn form(asked: &ExplainForm, snapshot: &Snapshot, words: &Words) -> Markup {
    let modes = MODES.map(Mode::as_str);
    html! {
        form .search method="get" action=(HERE) {
            div .fields {
                (department(words.consumer, "department", &asked.department, snapshot, words))
                (free(words.system, "system", &asked.system))
                (record_type(&asked.record_type, snapshot, words))
                (free(words.purpose, "purpose", &asked.purpose))
                (one_of(words.mode, "mode", &asked.mode, &modes, words))
                (free(words.fields_asked, "fields", &asked.fields))
                (free(words.filter, "filter", &asked.filter))
                (when(words.time, "at", &asked.at))
            }
            button { (words.explain) }
        }
    }
}

fn answer(explanation: &Explanation, words: &Words) -> Markup {
    let chosen = explanation
        .chosen
        .and_then(|chosen| explanation.considered.get(chosen));
    html! {
        section {
            h2 { @match &explanation.denial {
                None => span .state data-good="true" { (words.permitted) },
                Some(denial) => span .state data-good="false" { (words.would_be_denied) " " (denial.reason) },
            } }
            @if let Some(denial) = &explanation.denial { p { (page::value(&denial.message)) } }
            @if let Some(chosen) = chosen {
                dl .facts {
                    (fact(words.agreement, &html! { a href={ "/console/agreements#" (chosen.agreement) } { (chosen.agreement) } }))
                    (fact(words.file, &html! { code { (chosen.file) } }))
                    (fact(words.policy_revision, &html! { code { (explanation.revision) } }))
                }
                (released(chosen, words))
            }
            @if explanation.considered.is_empty() { p { (words.no_grant) } } @else { (considered(explanation, words)) }
        }
    }
}

fn released(chosen: &ConsideredGrant, words: &Words) -> Markup {
    let Outcome::Permitted { released } = &chosen.outcome else {
        return html! {};
    };
    html! {
        h3 { (words.would_be_released) }
        ul .tags {
            @for field in released {
                li { code { (field.field) } @if let Some(mask) = &field.mask { " " small { (words.masked) " (" (mask) ")" } } }
            }
        }
    }
}

fn considered(explanation: &Explanation, words: &Words) -> Markup {
    html! {
        h3 { (words.considered) }
        div .wide tabindex="0" role="region" aria-label=(words.considered) {
            table {
                thead { tr { th scope="col" { (words.agreement) } th scope="col" { (words.grant) } th scope="col" { (words.file) } th scope="col" { (words.outcome) } } }
                tbody {
                    @for one in &explanation.considered {
                        tr {
                            th scope="row" { (one.agreement) } td { (one.grant) } td { code { (one.file) } }
                            td { @match &one.outcome {
                                Outcome::Permitted { .. } => (words.permitted),
                                Outcome::Refused { why, .. } => { code { (why.reason) } " " (page::value(&why.message)) }
                            } }
                        }
                    }
                }
            }
        }
    }
}
