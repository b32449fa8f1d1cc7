//! The search over the journal: a form that answers as one types, and a page of what fits.

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use maud::html;
use prost_types::Timestamp;
use serde::Deserialize;
use time::UtcOffset;

use super::Console;
use super::page;
use super::page::Page;
use super::period;
use super::unseen::Unseen;
use super::visitor::Visitor;
use super::words::Words;
use crate::audit::Kind;
use crate::audit::Outcome;
use crate::audit::Role;
use crate::audit::row::Row;
use crate::audit::search::Found;
use crate::door::operators::audit::question::Search;
use crate::door::operators::lookup;
use crate::door::operators::unread::Unread;
use crate::exchange::snapshot::Snapshot;
use crate::pb;

const HERE: &str = "/console/exchanges";
/// The header by which the script asks for the results alone.
const PART: &str = "x-part";
const MICROS_A_MILLI: u64 = 1_000;
const MODES: [&str; 4] = ["get", "query", "verify", "count"];

/// What the form has; empty is open.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    mandate: String,
    kind: String,
    side: String,
    peer: String,
    consumer: String,
    provider: String,
    system: String,
    officer: String,
    case_reference: String,
    purpose: String,
    record_type: String,
    mode: String,
    agreement: String,
    policy_revision: String,
    field: String,
    outcome: String,
    reason: String,
    since: String,
    until: String,
    exchange_id: String,
    min_records: String,
    min_bytes: String,
    min_latency_ms: String,
    /// Only entries before this one.
    before: String,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Unseen> {
    let visitor = visitor.reads_journal()?;
    let words = visitor.language.words();
    let found = match search(&console, &visitor, &asked).await {
        Ok(found) => results(&found, &asked, console.desk.offset, words),
        Err(Unread::Invalid { field, why }) => html! {
            p .alert role="alert" { (field) ": " (why) }
        },
        Err(unread) => return Err(visitor.unread()(unread)),
    };
    if headers.contains_key(PART) {
        return Ok(page::part(found));
    }
    let snapshot = console.desk.exchange.snapshot();
    Ok(Page::new(&visitor, words.exchanges, HERE).show(&html! {
        (form(&asked, &snapshot, words))
        div #results aria-live="polite" { (found) }
    }))
}

/// What fits, once it is on record that it was looked at.
async fn search(console: &Console, visitor: &Visitor, asked: &Asked) -> Result<Found, Unread> {
    let request = asked.request(console.desk.offset)?;
    let search = Search::read(&request, &console.desk)?;
    let (query, action) = (search.told.to_string(), search.action);
    let journal = console.desk.journal.clone();
    let found = console
        .desk
        .look_up(move || lookup::entries(&journal, &search.criteria, search.page))
        .await?;
    let _on_record = console
        .record(
            &visitor.who,
            action,
            query,
            found.hits.len() as u64,
            request.mandate,
        )
        .await?;
    Ok(found)
}

impl Asked {
    fn request(&self, offset: UtcOffset) -> Result<pb::SearchRequest, Unread> {
        let text = |text: &String| text.trim().to_owned();
        let before = number("before", &self.before)?;
        Ok(pb::SearchRequest {
            mandate: text(&self.mandate),
            kind: text(&self.kind),
            side: text(&self.side),
            peer: text(&self.peer),
            consumer: text(&self.consumer),
            provider: text(&self.provider),
            system: text(&self.system),
            officer: text(&self.officer),
            case_reference: text(&self.case_reference),
            purpose: text(&self.purpose),
            record_type: text(&self.record_type),
            mode: text(&self.mode),
            agreement: text(&self.agreement),
            policy_revision: text(&self.policy_revision),
            field: text(&self.field),
            outcome: text(&self.outcome),
            reason: text(&self.reason),
            since: picked("since", &self.since, offset)?,
            until: picked("until", &self.until, offset)?,
            exchange_id: text(&self.exchange_id),
            min_records: number("min_records", &self.min_records)?.unwrap_or(0),
            min_bytes: number("min_bytes", &self.min_bytes)?.unwrap_or(0),
            min_latency_us: number("min_latency_ms", &self.min_latency_ms)?
                .unwrap_or(0)
                .saturating_mul(MICROS_A_MILLI),
            cursor: before
                .map(|index| index.to_be_bytes().to_vec().into())
                .unwrap_or_default(),
            ..pb::SearchRequest::default()
        })
    }

    /// The same question, for the entries before one, as a link.
    fn link(&self, before: Option<u64>) -> String {
        let before = before.map(|index| index.to_string()).unwrap_or_default();
        let pairs = self
            .fields()
            .into_iter()
            .chain([("before", before.as_str())]);
        let mut link = String::from(HERE);
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str(name);
            link.push('=');
            encode(value, &mut link);
        }
        link
    }

    fn fields(&self) -> [(&'static str, &str); 23] {
        [
            ("mandate", &self.mandate),
            ("kind", &self.kind),
            ("side", &self.side),
            ("peer", &self.peer),
            ("consumer", &self.consumer),
            ("provider", &self.provider),
            ("system", &self.system),
            ("officer", &self.officer),
            ("case_reference", &self.case_reference),
            ("purpose", &self.purpose),
            ("record_type", &self.record_type),
            ("mode", &self.mode),
            ("agreement", &self.agreement),
            ("policy_revision", &self.policy_revision),
            ("field", &self.field),
            ("outcome", &self.outcome),
            ("reason", &self.reason),
            ("since", &self.since),
            ("until", &self.until),
            ("exchange_id", &self.exchange_id),
            ("min_records", &self.min_records),
            ("min_bytes", &self.min_bytes),
            ("min_latency_ms", &self.min_latency_ms),
        ]
    }
}

fn number(field: &'static str, text: &str) -> Result<Option<u64>, Unread> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Unread::invalid(field, "expected a number")),
    }
}

fn picked(field: &'static str, text: &str, offset: UtcOffset) -> Result<Option<Timestamp>, Unread> {
    let at = period::picked(field, text, offset)?;
    Ok(at.map(|at| Timestamp {
        seconds: at.seconds(),
        nanos: 0,
    }))
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                into.push(byte.into())
            }
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn form(asked: &Asked, snapshot: &Snapshot, words: &Words) -> Markup {
    let departments: Vec<_> = snapshot.directory.ids().map(|id| id.as_str()).collect();
    let types: Vec<_> = snapshot
        .registry
        .records()
        .map(|schema| schema.name().as_str())
        .collect();
    let agreements: Vec<_> = snapshot
        .policy
        .agreements()
        .map(|one| one.id.as_str())
        .collect();
    let kinds: Vec<_> = Kind::ALL.iter().map(|&kind| Kind::as_str(kind)).collect();
    let sides: Vec<_> = Role::ALL.iter().map(|&side| Role::as_str(side)).collect();
    let outcomes: Vec<_> = Outcome::ALL
        .iter()
        .map(|&outcome| Outcome::as_str(outcome))
        .collect();
    html! {
        form .search #search method="get" action=(HERE) role="search" {
            div .fields {
                (when(words.since, "since", &asked.since))
                (when(words.until, "until", &asked.until))
                (one_of(words.consumer, "consumer", &asked.consumer, &departments, words))
                (one_of(words.provider, "provider", &asked.provider, &departments, words))
                (one_of(words.record_type, "record_type", &asked.record_type, &types, words))
                (one_of(words.outcome, "outcome", &asked.outcome, &outcomes, words))
                (free(words.case_reference, "case_reference", &asked.case_reference))
                (free(words.exchange_id, "exchange_id", &asked.exchange_id))
            }
            details {
                summary { (words.more_fields) }
                div .fields {
                    (one_of(words.kind, "kind", &asked.kind, &kinds, words))
                    (one_of(words.side, "side", &asked.side, &sides, words))
                    (one_of(words.peer, "peer", &asked.peer, &departments, words))
                    (free(words.system, "system", &asked.system))
                    (free(words.officer, "officer", &asked.officer))
                    (free(words.purpose, "purpose", &asked.purpose))
                    (one_of(words.mode, "mode", &asked.mode, &MODES, words))
                    (one_of(words.agreement, "agreement", &asked.agreement, &agreements, words))
                    (free(words.policy_revision, "policy_revision", &asked.policy_revision))
                    (free(words.field, "field", &asked.field))
                    (free(words.reason, "reason", &asked.reason))
                    (least(words.min_records, "min_records", &asked.min_records))
                    (least(words.min_bytes, "min_bytes", &asked.min_bytes))
                    (least(words.min_latency, "min_latency_ms", &asked.min_latency_ms))
                }
            }
            div .fields {
                p .wide-field {
                    label for="mandate" { (words.mandate) }
                    input #mandate name="mandate" value=(asked.mandate) maxlength="256" aria-describedby="mandate-hint";
                    small #mandate-hint { (words.mandate_hint) }
                }
            }
            button { (words.search) }
        }
    }
}

pub(super) fn free(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) value=(value) maxlength="512" spellcheck="false" autocomplete="off"; } }
}

fn least(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) value=(value) inputmode="numeric" maxlength="20" autocomplete="off"; } }
}

fn when(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) type="datetime-local" step="1" value=(value); } }
}

pub(super) fn one_of(text: &str, name: &str, value: &str, all: &[&str], words: &Words) -> Markup {
    html! {
        p {
            label for=(name) { (text) }
            select id=(name) name=(name) {
                option value="" { (words.any) }
                @for one in all { option value=(one) selected[*one == value] { (one) } }
                // A name of former times is asked for all the same.
                @if !value.is_empty() && !all.contains(&value) { option value=(value) selected { (value) } }
            }
        }
    }
}

fn results(found: &Found, asked: &Asked, offset: UtcOffset, words: &Words) -> Markup {
    html! {
        @if found.hits.is_empty() {
            p { (words.nothing_found) }
        } @else {
            div .wide tabindex="0" role="region" aria-label=(words.exchanges) {
                table .entries {
                    thead { tr {
                        th scope="col" { "#" } th scope="col" { (words.time) } th scope="col" { (words.side) }
                        th scope="col" { (words.who) } th scope="col" { (words.what) } th scope="col" { (words.purpose) }
                        th scope="col" { (words.agreement) } th scope="col" { (words.outcome) }
                    } }
                    tbody {
                        @for hit in &found.hits { (line(&Row::of(hit), hit.outcome(), offset)) }
                    }
                }
            }
        }
        p .reach { (words.searched_to) " " (found.reach.complete_to) }
        p .pages {
            @if !asked.before.is_empty() { a href=(asked.link(None)) { (words.newest) } " " }
            @if let Some(next) = found.next { a rel="next" href=(asked.link(Some(next))) { (words.older) } }
        }
    }
}

fn line(row: &Row, outcome: Outcome, offset: UtcOffset) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "/console/entries/" (row.index) } { (row.index) } }
            td .time { (page::moment(row.time, offset)) }
            td { (row.side) }
            td { (page::value(&row.who)) }
            td { (page::value(&row.what)) }
            td { (page::value(&row.purpose)) }
            td { (row.agreement) }
            td { span .outcome data-outcome=(outcome.as_str()) { (row.outcome) } }
        }
    }
}
