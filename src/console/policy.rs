//! The policy in time: what is spent of its quotas, and how each reload changed it.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Console;
use super::difference;
use super::extractors::AnyRole;
use super::page;
use super::page::Page;
use super::page::fact;
use super::page_error::PageError;
use super::words::Words;
use crate::digest::digest_of;
use crate::digest::hex;
use crate::evidence::hit::Hit;
use crate::evidence::policy_texts;
use crate::exchange::Exchange;
use crate::exchange::snapshot::Snapshot;
use crate::journal::Kind;
use crate::journal::policies::KeptText;
use crate::journal::policies::Policies;
use crate::journal::policies::TextsOnRecord;
use crate::journal::reader::Reader;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::reading::error::ReadingError;
use crate::reading::lookup;

const HERE: &str = "/console/policy";
/// The reloads that are listed.
const RELOADS: usize = 50;
/// A quota is nearly spent from that part of it on, in percent.
const NEARLY: u64 = 80;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let found = console
        .newest(Kind::Policy, RELOADS)
        .await
        .map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, "policy")
        .await
        .map_err(visitor.unread())?;
    let exchange = &console.desk.exchange;
    let snapshot = exchange.snapshot();
    Ok(Page::new(&visitor, words.policy, HERE).show(on_record, &html! {
        dl .facts { (fact(words.policy_revision, &html! { code { (hex(snapshot.policy.revision())) } })) }
        (quotas(&snapshot, exchange, words))
        (reloads(&found.hits, console.desk.offset, words))
    }))
}

/// What one reload changed, text by text.
pub(super) async fn changes(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
    Path(index): Path<u64>,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let journal = console.desk.journal.clone();
    let read = move || {
        let stored = Reader::open(&journal)
            .entry(index)
            .map_err(ReadingError::failed)?;
        let record = match stored {
            Some(stored) => stored.record().map_err(ReadingError::failed)?,
            None => None,
        };
        let Some(Record::Policy(record)) = record.and_then(|record| record.kind) else {
            return Err(ReadingError::NotFound);
        };
        let policies = Policies::beside(&journal);
        let known = texts_on_record(&journal)?;
        let text = |digest: &[u8]| match digest.try_into() {
            Ok(digest) => known.text(&policies, digest).map_err(ReadingError::failed),
            // There was none.
            Err(_) => Ok(KeptText::Text(String::new())),
        };
        let texts = record.changes.iter().map(|change| {
            Ok((
                change.clone(),
                [text(&change.before)?, text(&change.after)?],
            ))
        });
        let texts = texts.collect::<Result<Vec<_>, ReadingError>>()?;
        Ok((record, texts))
    };
    let (record, texts) = console.desk.look_up(read).await.map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, &format!("policy changes index={index}"))
        .await
        .map_err(visitor.unread())?;
    let title = format!("{} {index}", words.reload);
    Ok(Page::new(&visitor, &title, HERE).show(on_record, &html! {
        dl .facts {
            (fact(words.policy_revision, &html! { code { (hex(&record.revision)) } }))
            (fact(words.outcome, &applied(&record, words)))
        }
        @if !record.detail.is_empty() { pre tabindex="0" { @for line in record.detail.lines() { (page::value(line)) "\n" } } }
        @for (change, texts) in &texts {
            section {
                h2 { (page::value(&change.name)) " " small { (kind(change, words)) } }
                @match texts {
                    [KeptText::Text(before), KeptText::Text(after)] => (difference::draw(before, after)),
                    // What is wrong with one of them is told, and the other is shown.
                    [before, after] => { (kept_text(before, words)) (kept_text(after, words)) }
                }
            }
        }
    }))
}

/// The text that was in force under a digest.
pub(super) async fn text(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
    Path(digest): Path<String>,
) -> Result<Response, PageError> {
    let Some(digest) = digest_of(&digest) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let journal = console.desk.journal.clone();
    let policies = Policies::beside(&journal);
    let kept = console
        .desk
        .look_up(move || {
            let known = texts_on_record(&journal)?;
            match known
                .text(&policies, &digest)
                .map_err(ReadingError::failed)?
            {
                KeptText::Nothing => Err(ReadingError::NotFound),
                kept => Ok(kept),
            }
        })
        .await
        .map_err(visitor.unread())?;
    let shown_digest = hex(&digest);
    let on_record = console
        .view(&visitor.who, &format!("policy text={shown_digest}"))
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    Ok(Page::new(&visitor, words.as_of_then, HERE).show(
        on_record,
        &html! {
            dl .facts { (fact(words.digest, &html! { code { (shown_digest) } })) }
            (kept_text(&kept, words))
        },
    ))
}

/// Which texts the journal says were in force.
pub(super) fn texts_on_record(journal: &FilePath) -> Result<TextsOnRecord, ReadingError> {
    let index = lookup::index(journal);
    policy_texts::on_record(journal, index.as_ref()).map_err(ReadingError::failed)
}

/// A text that was in force, or why there is none to be shown as such.
pub(super) fn kept_text(kept: &KeptText, words: &Words) -> Markup {
    let shown = |text: &str| {
        html! { pre tabindex="0" { @for line in text.lines() { (page::value(line)) "\n" } } }
    };
    html! {
        @match kept {
            KeptText::Text(text) => (shown(text)),
            KeptText::Unproven(text) => { p .state data-good="false" { (words.text_unproven) } (shown(text)) }
            KeptText::Altered => p .state data-good="false" { (words.text_altered) },
            KeptText::Nothing => p { (words.text_not_kept) },
        }
    }
}

/// What of each day's quota is spent.
fn quotas(snapshot: &Snapshot, exchange: &Exchange, words: &Words) -> Markup {
    let now = exchange.clock().now();
    let lines = snapshot.policy.agreements().flat_map(|agreement| {
        let grants = agreement.grants.iter().enumerate();
        grants.flat_map(move |(number, grant)| {
            let record = grant.schema.name();
            let spent = exchange.ledger().spent(&agreement.id, number, record, now);
            let records = grant
                .daily
                .map(|daily| (words.records, spent.records, daily));
            let misses = grant.may_guess().then_some((
                words.looked_up_in_vain,
                spent.lookup_misses.into(),
                grant.lookup_misses.into(),
            ));
            let quotas = records.into_iter().chain(misses);
            quotas.map(move |(what, spent, daily)| (agreement, record, what, spent, daily))
        })
    });
    let lines: Vec<_> = lines.collect();
    html! {
        section {
            h2 { (words.quotas) }
            @if lines.is_empty() { p { (words.no_quotas) } } @else {
                div .wide tabindex="0" role="region" aria-label=(words.quotas) {
                    table .figures {
                        thead { tr {
                            th scope="col" { (words.agreement) } th scope="col" { (words.consumer) } th scope="col" { (words.record_type) }
                            th scope="col" { (words.quota_of) } th scope="col" { (words.spent_today) } th scope="col" { (words.daily) } th scope="col" { "%" }
                        } }
                        tbody { @for (agreement, record, what, spent, daily) in &lines {
                            @let percent = spent.saturating_mul(100) / daily.max(&1);
                            tr {
                                th scope="row" { a href={ "/console/agreements#" (agreement.id) } { (agreement.id) } }
                                td { (agreement.consumer) } td { code { (record) } }
                                td { (what) } td { (spent) } td { (daily) }
                                td { span .state data-good=(percent < NEARLY) { (percent) } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn reloads(hits: &[Hit], offset: UtcOffset, words: &Words) -> Markup {
    let record = |hit: &'_ Hit| match hit.record_kind() {
        Some(Record::Policy(record)) => Some(record.clone()),
        _ => None,
    };
    html! {
        section {
            h2 { (words.reloads) }
            @if hits.is_empty() { p { (words.no_reloads) } } @else {
                div .wide tabindex="0" role="region" aria-label=(words.reloads) {
                    table {
                        thead { tr {
                            th scope="col" { "#" } th scope="col" { (words.time) } th scope="col" { (words.outcome) }
                            th scope="col" { (words.policy_revision) } th scope="col" { (words.changes) }
                        } }
                        tbody { @for hit in hits {
                            tr {
                              @if let Some(record) = record(hit) {
                                th scope="row" { a href={ (HERE) "/changes/" (hit.index) } { (hit.index) } }
                                td .time { (page::moment(hit.leaf.time, offset)) }
                                td { (applied(&record, words)) }
                                td { code { (hex(&record.revision).get(..12).unwrap_or_default()) } }
                                td { ul .tags { @for change in &record.changes { li { (page::value(&change.name)) " " small { (kind(change, words)) } } } } }
                              } @else {
                                th scope="row" { a href={ "/console/entries/" (hit.index) } { (hit.index) } }
                                td .time { (page::moment(hit.leaf.time, offset)) }
                                td colspan="3" { (words.erased) }
                              }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn applied(record: &pb::PolicyRecord, words: &Words) -> Markup {
    let text = match record.applied {
        true => words.applied,
        false => words.refused,
    };
    html! { span .state data-good=(record.applied) { (text) } }
}

fn kind(change: &pb::PolicyChange, words: &Words) -> &'static str {
    match (change.before.is_empty(), change.after.is_empty()) {
        (true, _) => words.came,
        (false, true) => words.went,
        (false, false) => words.changed,
    }
}
