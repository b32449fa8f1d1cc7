//! How far the journals of others agree with ours, and how far witnesses have cosigned it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Console;
use super::extractors::AnyRole;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::words::Words;
use crate::clock::Moment;
use crate::evidence::hit::Hit;
use crate::evidence::reconcile::overdue::OverdueComparison;
use crate::evidence::witness_states::WitnessState;
use crate::exchange::snapshot::Snapshot;
use crate::journal::Kind;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;

const HERE: &str = "/console/peers";
/// The newest comparisons that are read.
const COMPARISONS: usize = 2_000;
const MICROS_A_MILLI: u64 = 1_000;

/// What the newest comparisons with one department, as one side, say.
#[derive(Debug, Default)]
struct ComparisonSummary {
    /// The end of the last window.
    up_to: u64,
    windows: u64,
    exchanges: u64,
    /// Windows in which the two sides differ: the entries that tell of it, the newest first.
    differing: Vec<u64>,
    exchanges_differing: u64,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let found = console
        .newest(Kind::Reconciliation, COMPARISONS)
        .await
        .map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, "peers")
        .await
        .map_err(visitor.unread())?;
    let exchange = &console.desk.exchange;
    let links = visitor.who.role.reads_journal();
    let offset = console.desk.offset;
    let size = exchange.journal().checkpoint().size();
    Ok(Page::new(&visitor, words.peers, HERE).show(on_record, &html! {
        (overdue(&console.neighbours.overdue.load(), offset, words))
        (reconciliation(&found.hits, &exchange.snapshot(), exchange.department(), links, offset, words))
        (witnesses(&console.neighbours.witnesses.load(), size, offset, words))
    }))
}

/// Whose journals should have been compared by now.
fn overdue(
    overdue: &BTreeMap<DepartmentId, OverdueComparison>,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    html! {
        @for (peer, uncompared) in overdue {
            p .alert role="alert" {
                (peer) ": " (words.not_compared_since) " " (page::moment(uncompared.since, offset)) " – "
                (page::value(&uncompared.why))
            }
        }
    }
}

fn reconciliation(
    hits: &[Hit],
    snapshot: &Snapshot,
    own: &DepartmentId,
    links: bool,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    let mut compared: BTreeMap<(&str, &str), ComparisonSummary> = BTreeMap::new();
    for hit in hits {
        if let Some(Record::Reconciliation(record)) = hit.record_kind()
            && record.uncompared.is_empty()
        {
            compared
                .entry((&record.peer, &record.side))
                .or_default()
                .add(hit.index, record);
        }
    }
    let others = snapshot.directory.ids().filter(|&id| id != own);
    let silent: Vec<_> = others
        .filter(|id| !compared.keys().any(|(peer, _)| *peer == id.as_str()))
        .collect();
    html! {
        section {
            h2 { (words.reconciliation) }
            p { (words.reconciliation_hint) }
            div .wide tabindex="0" role="region" aria-label=(words.reconciliation) {
                table .figures {
                    thead { tr {
                        th scope="col" { (words.department) } th scope="col" { (words.side) } th scope="col" { (words.compared_to) }
                        th scope="col" { (words.windows) } th scope="col" { (words.exchange_count) } th scope="col" { (words.differing) }
                    } }
                    tbody {
                        @for ((peer, side), compared) in &compared {
                            tr {
                                th scope="row" { (page::value(peer)) } td { (side) }
                                td .time { (page::moment(millis(compared.up_to), offset)) }
                                td { (compared.windows) } td { (compared.exchanges) }
                                td {
                                    span .state data-good=(compared.differing.is_empty()) { (compared.exchanges_differing) }
                                    @if links { @for index in compared.differing.iter().take(3) {
                                        " " a href={ "/console/entries/" (index) } { "#" (index) }
                                    } }
                                }
                            }
                        }
                        @for id in &silent {
                            tr { th scope="row" { (id) } td colspan="5" { (words.never_compared) } }
                        }
                    }
                }
            }
        }
    }
}

impl ComparisonSummary {
    fn add(&mut self, index: u64, record: &pb::ReconciliationRecord) {
        let end = record
            .window_start_ms
            .saturating_add(record.window_ms.into());
        self.up_to = self.up_to.max(end);
        self.windows += 1;
        self.exchanges += record.count;
        if record.differing > 0 {
            self.differing.push(index);
            self.exchanges_differing += record.differing;
        }
    }
}

fn millis(since_1970: u64) -> Moment {
    let micros = since_1970.saturating_mul(MICROS_A_MILLI);
    Moment::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn witnesses(
    states: &BTreeMap<String, WitnessState>,
    size: u64,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    html! {
        section {
            h2 { (words.witnesses) }
            @if states.is_empty() { p { (words.no_witnesses) } } @else {
                div .wide tabindex="0" role="region" aria-label=(words.witnesses) {
                    table .figures {
                        thead { tr {
                            th scope="col" { (words.witness) } th scope="col" { (words.department) } th scope="col" { (words.cosigned_to) }
                            th scope="col" { (words.time) } th scope="col" { (words.lag) } th scope="col" { (words.state) }
                        } }
                        tbody { @for (name, state) in states {
                            tr {
                                th scope="row" { code { (name) } } td { (state.department) }
                                td { @match state.cosigned { Some(cosigned) => (cosigned), None => "–" } }
                                td .time { @if let Some(at) = state.at { (page::moment(at, offset)) } }
                                td { (size.saturating_sub(state.cosigned.unwrap_or(0))) }
                                td { @match &state.trouble {
                                    None => span .state data-good="true" { (words.cosigns) },
                                    Some(trouble) => span .state data-good="false" { (page::value(trouble)) },
                                } }
                            }
                        } }
                    }
                }
            }
        }
    }
}
