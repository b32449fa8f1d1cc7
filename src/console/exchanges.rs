//! The search over the journal: a form that answers as one types, and a page of what fits.

use std::collections::BTreeMap;
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
use super::extractors::Auditor;
use super::fields::department;
use super::fields::free;
use super::fields::least;
use super::fields::one_of;
use super::fields::record_type;
use super::fields::when;
use super::histogram::Histogram;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::period;
use super::words::Words;
use crate::evidence::person::Gaps;
use crate::evidence::row::Row;
use crate::evidence::search::SearchResult;
use crate::exchange::snapshot::Snapshot;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::pb;
use crate::reading::desk::OnRecord;
use crate::reading::error::ReadingError;
use crate::reading::lookup;
use crate::reading::question::Search;

const HERE: &str = "/console/exchanges";
/// Which entries are left out: from that one on.
const BEFORE: &str = "before";
/// The header by which the script asks for the results alone.
const PART: &str = "x-part";
const MICROS_A_MILLI: u64 = 1_000;
const MODES: [&str; 4] = ["get", "query", "verify", "count"];

/// What the form has, by the names of its fields; what is not there is open.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct SearchForm(BTreeMap<String, String>);

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    headers: HeaderMap,
    Query(asked): Query<SearchForm>,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let (on_record, found) = match search(&console, &visitor, &asked).await {
        Ok((on_record, found, histogram)) => {
            let offset = console.desk.offset;
            (
                on_record,
                results(&found, &histogram, &asked, offset, words),
            )
        }
        Err(ReadingError::Invalid { field, why }) => {
            let on_record = console.view(&visitor.who, "exchanges").await;
            let on_record = on_record.map_err(visitor.unread())?;
            (on_record, page::invalid(field, &why))
        }
        Err(unread) => return Err(visitor.unread()(unread)),
    };
    if headers.contains_key(PART) {
        return Ok(page::part(on_record, found));
    }
    let snapshot = console.desk.exchange.snapshot();
    Ok(Page::new(&visitor, words.exchanges, HERE).show(
        on_record,
        &html! {
            (form(&asked, &snapshot, words))
            div #results aria-live="polite" { (found) }
        },
    ))
}

async fn search(
    console: &Console,
    visitor: &Auditor,
    asked: &SearchForm,
) -> Result<(OnRecord, SearchResult, Histogram), ReadingError> {
    let desk = &console.desk;
    let (on_record, found, _) = find(console, visitor, asked.request(desk.offset)?).await?;
    let (journal, now) = (desk.journal.clone(), desk.now());
    let [since, until] =
        ["since", "until"].map(|end| period::picked(end, asked.get(end), desk.offset));
    let (since, until) = (since?, until?);
    let histogram = desk
        .look_up(move || Histogram::count(&journal, since, until, now))
        .await?;
    Ok((on_record, found, histogram))
}

/// What fits, and of a person what that does not tell, once it is on record that it was looked at.
pub(super) async fn find(
    console: &Console,
    visitor: &Auditor,
    request: pb::SearchRequest,
) -> Result<(OnRecord, SearchResult, Gaps), ReadingError> {
    let search = Search::read(&request, &console.desk)?;
    let (query, action) = (search.told.to_string(), search.action);
    let own = console.desk.clone();
    let (found, gaps) = console
        .desk
        .look_up(move || {
            let found = lookup::entries(&own.journal, &search.criteria, search.page)?;
            let gaps = search.about.map(|person| lookup::gaps(&own, &person));
            Ok((found, gaps.transpose()?.unwrap_or_default()))
        })
        .await?;
    let entries = found.hits.len() as u64;
    let on_record = console
        .record(&visitor.who, action, query, entries, request.mandate)
        .await?;
    Ok((on_record, found, gaps))
}

impl SearchForm {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    fn request(&self, offset: UtcOffset) -> Result<pb::SearchRequest, ReadingError> {
        let text = |name| self.get(name).to_owned();
        let number = |name| number(name, self.get(name));
        let moment = |name| picked(name, self.get(name), offset);
        let before = number(BEFORE)?;
        Ok(pb::SearchRequest {
            mandate: text("mandate"),
            kind: text("kind"),
            side: text("side"),
            peer: text("peer"),
            consumer: text("consumer"),
            provider: text("provider"),
            system: text("system"),
            officer: text("officer"),
            case_reference: text("case_reference"),
            purpose: text("purpose"),
            record_type: text("record_type"),
            mode: text("mode"),
            agreement: text("agreement"),
            policy_revision: text("policy_revision"),
            field: text("field"),
            outcome: text("outcome"),
            reason: text("reason"),
            since: moment("since")?,
            until: moment("until")?,
            exchange_id: text("exchange_id"),
            min_records: number("min_records")?.unwrap_or(0),
            min_bytes: number("min_bytes")?.unwrap_or(0),
            min_latency_us: number("min_latency_ms")?
                .unwrap_or(0)
                .saturating_mul(MICROS_A_MILLI),
            cursor: before
                .map(|index| index.to_be_bytes().to_vec().into())
                .unwrap_or_default(),
            ..pb::SearchRequest::default()
        })
    }

    /// The same question, for the entries before one, as a link.
    fn before(&self, before: Option<u64>) -> String {
        let index = before.map(|index| index.to_string());
        self.link([(BEFORE, index.unwrap_or_default())])
    }

    /// The same question with another answer to some of it, as a link.
    fn link<const N: usize>(&self, other: [(&str, String); N]) -> String {
        let mut asked = self.0.clone();
        asked.extend(other.map(|(name, value)| (name.to_owned(), value)));
        let mut link = String::from(HERE);
        let given = asked.iter().filter(|(_, value)| !value.is_empty());
        for (number, (name, value)) in given.enumerate() {
            link.push(if number == 0 { '?' } else { '&' });
            encode(name, &mut link);
            link.push('=');
            encode(value, &mut link);
        }
        link
    }
}

fn number(field: &'static str, text: &str) -> Result<Option<u64>, ReadingError> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| ReadingError::invalid(field, "expected a number")),
    }
}

fn picked(
    field: &'static str,
    text: &str,
    offset: UtcOffset,
) -> Result<Option<Timestamp>, ReadingError> {
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

fn form(asked: &SearchForm, snapshot: &Snapshot, words: &Words) -> Markup {
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
                (when(words.since, "since", asked.get("since")))
                (when(words.until, "until", asked.get("until")))
                (department(words.consumer, "consumer", asked.get("consumer"), snapshot, words))
                (department(words.provider, "provider", asked.get("provider"), snapshot, words))
                (record_type(asked.get("record_type"), snapshot, words))
                (one_of(words.outcome, "outcome", asked.get("outcome"), &outcomes, words))
                (free(words.case_reference, "case_reference", asked.get("case_reference")))
                (free(words.exchange_id, "exchange_id", asked.get("exchange_id")))
            }
            details {
                summary { (words.more_fields) }
                div .fields {
                    (one_of(words.kind, "kind", asked.get("kind"), &kinds, words))
                    (one_of(words.side, "side", asked.get("side"), &sides, words))
                    (department(words.peer, "peer", asked.get("peer"), snapshot, words))
                    (free(words.system, "system", asked.get("system")))
                    (free(words.officer, "officer", asked.get("officer")))
                    (free(words.purpose, "purpose", asked.get("purpose")))
                    (one_of(words.mode, "mode", asked.get("mode"), &MODES, words))
                    (one_of(words.agreement, "agreement", asked.get("agreement"), &agreements, words))
                    (free(words.policy_revision, "policy_revision", asked.get("policy_revision")))
                    (free(words.field, "field", asked.get("field")))
                    (free(words.reason, "reason", asked.get("reason")))
                    (least(words.min_records, "min_records", asked.get("min_records")))
                    (least(words.min_bytes, "min_bytes", asked.get("min_bytes")))
                    (least(words.min_latency, "min_latency_ms", asked.get("min_latency_ms")))
                }
            }
            div .fields {
                p .wide-field {
                    label for="mandate" { (words.mandate) }
                    input #mandate name="mandate" value=(asked.get("mandate")) maxlength="256" aria-describedby="mandate-hint";
                    small #mandate-hint { (words.mandate_hint) }
                }
            }
            button { (words.search) }
        }
    }
}

fn results(
    found: &SearchResult,
    histogram: &Histogram,
    asked: &SearchForm,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    let within = |since, until| {
        let [since, until] = [since, until].map(|at| period::text(at, offset));
        asked.link([("since", since), ("until", until), (BEFORE, String::new())])
    };
    html! {
        (histogram.draw(offset, within, words))
        @if !asked.get("since").is_empty() || !asked.get("until").is_empty() {
            p { a href=(asked.link([("since", String::new()), ("until", String::new()), (BEFORE, String::new())])) { (words.whole_time) } }
        }
        (table(found, offset, words))
        p .pages {
            @if !asked.get(BEFORE).is_empty() { a href=(asked.before(None)) { (words.newest) } " " }
            @if let Some(next) = found.next { a rel="next" href=(asked.before(Some(next))) { (words.older) } }
        }
    }
}

/// What was found, and up to where all was searched.
pub(super) fn table(found: &SearchResult, offset: UtcOffset, words: &Words) -> Markup {
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
            td { (page::value(&row.agreement)) }
            td { span .outcome data-outcome=(outcome.as_str()) { (page::value(&row.outcome)) } }
        }
    }
}
