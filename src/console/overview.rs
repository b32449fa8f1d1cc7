//! How the gateway stands: its journal, its witnesses, its policy, its neighbours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::Date;
use time::UtcOffset;
use tokio::time::timeout;

use super::Console;
use super::Neighbours;
use super::extractors::AnyRole;
use super::page;
use super::page::Page;
use super::page::fact;
use super::page_error::PageError;
use super::words::Words;
use crate::clock::Moment;
use crate::digest::hex;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::fault::chain;
use crate::journal::Journal;
use crate::journal::JournalState;
use crate::journal::JournalTrust;
use crate::name::DepartmentId;
use crate::reading::progress::CheckpointProgress;
use crate::reading::progress::Progress;
use crate::source::SourceError;

/// A source that takes longer is shown as slow.
const PATIENCE: Duration = Duration::from_secs(2);
const DAY_SECONDS: i64 = 24 * 3600;
/// What ends within so many days is to be renewed now.
const DAYS_AHEAD: i64 = 14;

/// What of the sources does not fit, and which of them could not be asked.
type Checked = (Vec<Fault>, Vec<(String, SourceError)>);

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
) -> Result<Response, PageError> {
    let desk = &console.desk;
    let journal = desk.journal.clone();
    let progress = desk.look_up(move || Progress::of(&journal)).await;
    let progress = progress.map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, "overview")
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    let snapshot = desk.exchange.snapshot();
    let checked = timeout(PATIENCE, snapshot.sources.check()).await.ok();
    let own = desk.exchange.department();
    Ok(Page::new(&visitor, words.overview, "/console").show(
        on_record,
        &html! {
            (journal_facts(desk.exchange.journal(), &progress, desk.offset, words))
            (policy_facts(&snapshot, desk.now().date(desk.offset), words))
            (sources(&snapshot, checked.as_ref(), words))
            (expiries(&console.neighbours, desk.now(), desk.offset, words))
        (connected(&console.neighbours, words))
            (departments(&snapshot, own, desk.offset, words))
        },
    ))
}

fn journal_facts(
    journal: &Journal,
    progress: &Progress,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    let (state, cause) = match journal.state() {
        JournalState::Writable => (words.writable, None),
        JournalState::Unpublished(why) => (words.unpublished, Some(why.to_string())),
        JournalState::Full(why) => (words.full, Some(why.to_string())),
        JournalState::Failed(why) => (words.failed, Some(why.to_string())),
    };
    html! {
        section {
            h2 { (words.journal) }
            dl .facts {
                (fact(words.journal, &html! { code { (journal.origin()) } }))
                (fact(words.state, &html! {
                    span .state data-good=(cause.is_none()) { (state) }
                    @if let Some(cause) = cause { small { (cause) } }
                }))
                (fact(words.witnesses, &standing(&journal.trust(), progress.witnessed.is_some(), words)))
                (fact(words.entries, &html! { (journal.checkpoint().size()) }))
                (fact(words.published_to, &reached(progress.published.as_ref(), offset)))
                (fact(words.witnessed_to, &reached(progress.witnessed.as_ref(), offset)))
                (fact(words.indexed_to, &html! { (progress.indexed_to) }))
            }
        }
    }
}

fn standing(standing: &JournalTrust, is_witnessed: bool, words: &Words) -> Markup {
    let (text, why) = match standing {
        JournalTrust::Good if !is_witnessed => return html! { "–" },
        JournalTrust::Good => (words.witnessed, None),
        JournalTrust::Unconfirmed { why } => (words.unconfirmed, Some(why.to_string())),
        JournalTrust::Unwitnessed { why, .. } => (words.unwitnessed, Some(why.to_string())),
    };
    html! {
        span .state data-good=(why.is_none()) { (text) }
        @if let Some(why) = why { small { (why) } }
    }
}

fn reached(reached: Option<&CheckpointProgress>, offset: UtcOffset) -> Markup {
    html! {
        @match reached {
            None => "–",
            Some(CheckpointProgress { size, time }) => {
                (size)
                @if let Some(time) = time { " · " (page::moment(*time, offset)) }
            }
        }
    }
}

fn policy_facts(snapshot: &Snapshot, today: Date, words: &Words) -> Markup {
    let agreements = snapshot.policy.agreements();
    let in_force = agreements
        .filter(|agreement| (agreement.valid_from..=agreement.valid_until).contains(&today))
        .count();
    html! {
        section {
            h2 { (words.agreements) }
            dl .facts {
                (fact(words.policy_revision, &html! { code { (hex(snapshot.policy.revision())) } }))
                (fact(words.in_force, &html! {
                    a href="/console/agreements" { (in_force) }
                }))
            }
        }
    }
}

/// What became of asking each of them; nothing where that took too long.
fn sources(snapshot: &Snapshot, checked: Option<&Checked>, words: &Words) -> Markup {
    let own: Vec<_> = snapshot.sources.own().collect();
    let state = |key: &str| {
        let Some((faults, unasked)) = checked else {
            return html! { span .state data-good="false" { (words.slow) } };
        };
        let mut why: Vec<_> = faults
            .iter()
            .filter(|fault| fault.key.starts_with(key))
            .map(ToString::to_string)
            .collect();
        let silent = unasked.iter().filter(|(silent, _)| silent == key);
        why.extend(silent.map(|(_, error)| chain(error)));
        html! {
            @if why.is_empty() { span .state data-good="true" { (words.answers) } }
            @for why in &why { span .state data-good="false" { (page::value(why)) } " " }
        }
    };
    html! {
        section {
            h2 { (words.sources) }
            @if own.is_empty() { p { (words.no_sources) } } @else {
                div .wide tabindex="0" role="region" aria-label=(words.sources) {
                    table {
                        thead { tr { th scope="col" { (words.source) } th scope="col" { (words.record_type) } th scope="col" { (words.state) } } }
                        tbody { @for (key, records) in &own {
                            tr {
                                th scope="row" { code { (key) } }
                                td { @for record in records { code { (record) } " " } }
                                td { (state(key)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

/// The soonest first.
fn expiries(doors: &Neighbours, now: Moment, offset: UtcOffset, words: &Words) -> Markup {
    let mut all = [doors.systems.expiries(), doors.peers.expiries()].concat();
    all.sort_by_key(|expiry| expiry.at);
    html! {
        section {
            h2 { (words.certificates) }
            div .wide tabindex="0" role="region" aria-label=(words.certificates) {
                table {
                    thead { tr { th scope="col" { (words.file) } th scope="col" { (words.kind) } th scope="col" { (words.ends) } th scope="col" { (words.days_left) } } }
                    tbody { @for expiry in &all {
                        @let days = (expiry.at.seconds() - now.seconds()) / DAY_SECONDS;
                        tr {
                            th scope="row" { code { (expiry.file) } } td { (expiry.what) }
                            td .time { (page::moment(expiry.at, offset)) }
                            td { span .state data-good=(days >= DAYS_AHEAD) { (days) } }
                        }
                    } }
                }
            }
        }
    }
}

fn connected(doors: &Neighbours, words: &Words) -> Markup {
    let mut connections: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for (door, acceptor) in [("systems", &doors.systems), ("peers", &doors.peers)] {
        for peer in acceptor.peers() {
            *connections
                .entry((door, peer.id().to_string()))
                .or_default() += 1;
        }
    }
    html! {
        section {
            h2 { (words.connected) }
            @if connections.is_empty() { p { (words.nobody) } } @else {
                ul { @for ((door, id), count) in &connections { li { code { (id) } " · " (door) " · " (count) } } }
            }
        }
    }
}

fn departments(
    snapshot: &Snapshot,
    own: &DepartmentId,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    let heard = offers_as_of(snapshot);
    html! {
        section {
            h2 { (words.departments) }
            div .wide tabindex="0" role="region" aria-label=(words.departments) {
                table {
                    thead { tr { th scope="col" { (words.department) } th scope="col" { (words.name) } th scope="col" { (words.address) } th scope="col" { (words.last_heard) } } }
                    tbody {
                        @for department in snapshot.directory.departments() {
                            tr {
                                th scope="row" {
                                    code { (department.id) }
                                    @if department.id == *own { " (" (words.reads_own) ")" }
                                }
                                td { (department.name) @if !department.name_zh.is_empty() { " " span lang="zh-CN" { (department.name_zh) } } }
                                td { @for endpoint in &department.endpoints { code { (endpoint) } " " } }
                                td .time { @if let Some(at) = heard.get(&department.id) { (page::moment(*at, offset)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// When each department has last told what it can answer.
fn offers_as_of(snapshot: &Snapshot) -> BTreeMap<DepartmentId, Moment> {
    let mut heard = BTreeMap::new();
    for (record, offer) in snapshot.offers.load().iter() {
        let owner = snapshot
            .registry
            .record(record.as_str())
            .map(|schema| schema.owner());
        if let (Ok(owner), Some(at)) = (owner, offer.told_at) {
            let at = Moment::from_micros(at.seconds.saturating_mul(1_000_000));
            let last = heard.entry(owner.clone()).or_insert(at);
            *last = at.max(*last);
        }
    }
    heard
}
