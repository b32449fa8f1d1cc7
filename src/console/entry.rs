//! One entry: what it tells, what the other side has of it, and what proves it.

use std::path::Path;
use std::sync::Arc;

use axum::extract::Path as Place;
use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::Date;
use time::UtcOffset;

use super::Console;
use super::extractors::Auditor;
use super::merkle_path;
use super::page;
use super::page::Page;
use super::page::fact;
use super::page_error::PageError;
use super::policy::texts_on_record;
use super::words::Words;
use crate::digest::hex;
use crate::evidence::criteria::Criteria;
use crate::evidence::hit::Hit;
use crate::evidence::json;
use crate::evidence::row::Row;
use crate::evidence::search::Page as Listed;
use crate::exchange::snapshot::Snapshot;
use crate::journal::policies::KeptText;
use crate::journal::policies::Policies;
use crate::journal::reader::Reader;
use crate::journal::reader::StoredEntry;
use crate::pb;
use crate::pb::journal_record::Kind;
use crate::policy::PolicySet;
use crate::reading::desk::Action;
use crate::reading::desk::OnRecord;
use crate::reading::error::ReadingError;
use crate::reading::lookup;
use crate::reading::proof::Prover;
use crate::tlog::note::VerifierKey;
use crate::tlog::proof::Proof;

/// Entries of one exchange in one journal: it has at most two, which are one hit.
const OF_EXCHANGE: usize = 8;

/// An entry with what belongs to it.
struct EntryView {
    stored: StoredEntry,
    record: Option<pb::JournalRecord>,
    proof: Option<Proof>,
    /// Of the same exchange, this entry included.
    exchange: Vec<Hit>,
    /// Whether the text of its agreement is kept.
    has_text: bool,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Place(index): Place<u64>,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let (on_record, shown) = read(&console, &visitor, index, Action::Show).await?;
    let title = format!("{} {index}", words.entry);
    let (snapshot, offset) = (console.desk.exchange.snapshot(), console.desk.offset);
    let key = console.desk.exchange.journal().verifier();
    let today = console.desk.now().date(offset);
    Ok(Page::new(&visitor, &title, "").show(on_record, &html! {
        (story(&shown, offset, words))
        @if let Some(record) = shown.exchange_record() { (grounds(&shown, record, &snapshot, today, words)) }
        @if shown.is_policy() {
            p { a href={ "/console/policy/changes/" (index) } { (words.changes) } }
        }
        (other_side(&shown, words))
        (proven(&shown, key, words))
        (whole(&shown, offset, words))
    }))
}

/// The proof as a file, which `landbridge audit verify-proof` and others' programs read.
pub(super) async fn proof(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Place(index): Place<u64>,
) -> Result<Response, PageError> {
    let (on_record, shown) = read(&console, &visitor, index, Action::Prove).await?;
    let proof = shown
        .proof
        .ok_or_else(|| visitor.unread()(ReadingError::NotFound))?;
    Ok(page::file(
        on_record,
        &format!("entry-{index}.tlog-proof"),
        "text/plain; charset=utf-8",
        proof.to_string(),
    ))
}

/// The entry as a file.
pub(super) async fn json(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Place(index): Place<u64>,
) -> Result<Response, PageError> {
    let (on_record, shown) = read(&console, &visitor, index, Action::Show).await?;
    let text = shown.json(console.desk.offset);
    Ok(page::file(
        on_record,
        &format!("entry-{index}.json"),
        "application/json",
        text,
    ))
}

/// Reads an entry, once it is on record that somebody does.
async fn read(
    console: &Console,
    visitor: &Auditor,
    index: u64,
    action: Action,
) -> Result<(OnRecord, EntryView), PageError> {
    let journal = console.desk.journal.clone();
    let shown = console.desk.look_up(move || look_up(&journal, index)).await;
    let entries = u64::from(shown.is_ok());
    let query = format!("index={index}");
    let on_record = console
        .record(&visitor.who, action, query, entries, String::new())
        .await
        .map_err(visitor.unread())?;
    let shown = shown.map_err(visitor.unread())?;
    Ok((on_record, shown))
}

fn look_up(journal: &Path, index: u64) -> Result<EntryView, ReadingError> {
    let stored = Reader::open(journal)
        .entry(index)
        .map_err(ReadingError::failed)?;
    let stored = stored.ok_or(ReadingError::NotFound)?;
    let exchange = match stored.leaf.exchange {
        None => Vec::new(),
        Some(exchange) => {
            let criteria = Criteria {
                exchange: Some(exchange),
                ..Criteria::default()
            };
            lookup::entries(journal, &criteria, Listed::newest(OF_EXCHANGE))?.hits
        }
    };
    let record = stored.record().map_err(ReadingError::failed)?;
    let agreement = record.as_ref().and_then(|record| match &record.kind {
        Some(Kind::Exchange(record)) => Some(record.agreement_digest.as_ref()),
        _ => None,
    });
    let policies = Policies::beside(journal);
    Ok(EntryView {
        has_text: match agreement.and_then(|digest| digest.try_into().ok()) {
            None => false,
            Some(digest) => {
                let text = texts_on_record(journal)?.text(&policies, digest);
                text.map_err(ReadingError::failed)? != KeptText::Nothing
            }
        },
        record,
        proof: Prover::open(journal)?.prove(index, stored.leaf_bytes())?,
        stored,
        exchange,
    })
}

impl EntryView {
    fn exchange_record(&self) -> Option<&pb::ExchangeRecord> {
        match self.record.as_ref()?.kind.as_ref()? {
            Kind::Exchange(record) => Some(record),
            _ => None,
        }
    }

    fn is_policy(&self) -> bool {
        let record = self.record.as_ref();
        matches!(
            record.and_then(|record| record.kind.as_ref()),
            Some(Kind::Policy(_))
        )
    }

    fn json(&self, offset: UtcOffset) -> String {
        let StoredEntry { index, leaf, .. } = &self.stored;
        match json::entry(*index, leaf, self.record.as_ref(), offset) {
            Ok(json) => format!("{json:#}\n"),
            Err(error) => format!("{error}\n"),
        }
    }
}

/// What the page tells of the entry, marked for the script to hold against the bytes that are proven.
fn marked(what: &str, text: &Markup) -> Markup {
    html! { span data-told=(what) { (text) } }
}

fn story(shown: &EntryView, offset: UtcOffset, words: &Words) -> Markup {
    let StoredEntry { index, leaf, .. } = &shown.stored;
    let of_exchange = shown.exchange.iter().find(|hit| hit.index == *index);
    let row = match of_exchange {
        Some(hit) => Row::of(hit),
        None => Row::new(*index, leaf, shown.record.as_ref(), None),
    };
    html! {
        dl .facts {
            (fact(words.time, &marked("time", &page::moment(row.time, offset))))
            (fact(words.side, &marked("side", &html! { (row.side) })))
            (fact(words.who, &marked("who", &page::value(&row.who))))
            (fact(words.what, &marked("what", &page::value(&row.what))))
            (fact(words.outcome, &marked("outcome", &html! { span .outcome data-outcome=(leaf.outcome.as_str()) { (page::value(&row.outcome)) } })))
            @if let Some(exchange) = row.exchange {
                (fact(words.exchange_id, &marked("exchange", &html! { code { (exchange) } })))
            }
        }
        @if shown.record.is_none() { p .alert { (words.erased) } }
        @if shown.stored.is_bound() == Some(false) { p .alert role="alert" { (words.altered) } }
        @if shown.exchange.len() > 1 {
            section {
                h2 { (words.whole_story) }
                ul { @for hit in &shown.exchange {
                    li { a href={ "/console/entries/" (hit.index) } { (hit.index) } " " (Row::of(hit).outcome) }
                } }
            }
        }
    }
}

fn grounds(
    shown: &EntryView,
    record: &pb::ExchangeRecord,
    snapshot: &Snapshot,
    today: Date,
    words: &Words,
) -> Markup {
    let masked = |field: &String| record.masked.contains(field);
    html! {
        section {
            h2 { (words.ground) }
            dl .facts {
                (fact(words.agreement, &html! { code { (marked("agreement", &page::value(&record.agreement))) } }))
                (fact(words.purpose, &marked("purpose", &page::value(&record.purpose))))
                (fact(words.case_reference, &marked("case_reference", &page::value(&record.case_reference))))
                (fact(words.officer, &marked("officer", &page::value(&record.officer))))
                (fact(words.policy_revision, &html! {
                    @if record.policy_revision.is_empty() { (words.not_recorded) } @else { code { (marked("policy_revision", &html! { (hex(&record.policy_revision)) })) } }
                }))
            }
            @if !record.agreement.is_empty() {
                @if shown.has_text {
                    p { a href={ "/console/policy/texts/" (hex(&record.agreement_digest)) } { (words.as_of_then) } }
                }
                p { (then_and_now(record, &snapshot.policy, today, words)) }
            }
            @if !record.fields.is_empty() {
                h3 { (words.released) }
                ul .tags {
                    @for field in &record.fields {
                        li data-told="field" data-masked[masked(field)] { code { (page::value(field)) } @if masked(field) { " " small { (words.masked) } } }
                    }
                }
            }
        }
    }
}

/// Whether what is in force now is what the exchange rested on. A refusal by the policy rests on no agreement's text: it
/// names one, and the revision of the whole policy.
fn then_and_now(
    record: &pb::ExchangeRecord,
    policy: &PolicySet,
    today: Date,
    words: &Words,
) -> Markup {
    let mut agreements = policy.agreements();
    let now = agreements.find(|one| one.id.as_str() == record.agreement);
    let then = record.agreement_digest.as_ref();
    let text = match now {
        None => words.not_in_force,
        Some(now) if now.digest.as_slice() == then => words.same_as_then,
        Some(_) if !then.is_empty() => words.changed_since,
        Some(_) if policy.revision().as_slice() == record.policy_revision.as_ref() => {
            words.same_policy
        }
        Some(_) => words.nothing_to_compare,
    };
    html! {
        (text)
        @if let Some(now) = now {
            " " a href={ "/console/agreements#" (now.id) } { (page::value(&now.title)) }
            @if now.valid_until < today { " · " (words.ended) }
        }
    }
}

fn other_side(shown: &EntryView, words: &Words) -> Markup {
    let Some(peer) = &shown.stored.leaf.peer else {
        return html! {};
    };
    let origin = shown
        .exchange_record()
        .map_or("", |record| record.peer_origin.as_str());
    html! {
        section {
            h2 { (words.other_side) }
            p { (words.other_side_names) }
            dl .facts {
                (fact(words.other_journal, &html! { code { (origin) } }))
                (fact(words.other_index, &html! { (peer.index) }))
                (fact(words.other_leaf, &html! { code { (hex(&peer.leaf_hash)) } }))
            }
        }
    }
}

fn proven(shown: &EntryView, key: &VerifierKey, words: &Words) -> Markup {
    let Some(proof) = &shown.proof else {
        return html! { section { h2 { (words.proof) } p { (words.no_checkpoint) } } };
    };
    let (index, leaf) = (shown.stored.index, shown.stored.leaf_bytes());
    let verified = proof.prove(leaf, std::slice::from_ref(key));
    let sealed = shown.stored.sealed();
    let (salt, record) =
        sealed.map_or_else(Default::default, |(salt, record)| (hex(salt), hex(record)));
    html! {
        section {
            h2 { (words.proof) }
            @match &verified {
                Ok(checkpoint) => {
                    p { (words.server_says) " " (checkpoint.size()) " " (words.of_entries) "." }
                    (merkle_path::draw(index, checkpoint.size(), &proof.path, checkpoint.root(), words))
                }
                Err(error) => p .alert role="alert" { (error) },
            }
            p .key { (words.key_hint) ": " code { (key) } }
            div #proof data-index=(index) data-leaf=(hex(leaf)) data-note=(proof.note) data-key=(key)
                data-path=(proof.path.iter().map(|hash| hex(hash)).collect::<Vec<_>>().join(" "))
                data-salt=(salt) data-record=(record)
                data-computing=(words.computing) data-proven=(words.proven) data-proven-leaf=(words.proven_leaf)
                data-path-only=(words.path_only) data-refuted=(words.refuted) data-unsigned=(words.unsigned)
                data-unbound=(words.unbound) data-misread=(words.misread) data-insecure=(words.insecure) {
                button #verify type="button" hidden { (words.verify_now) }
                p #verdict role="status" {}
                section #read hidden { h3 { (words.proven_record) } pre tabindex="0" {} }
            }
            p {
                a href={ "/console/entries/" (index) "/proof" } download { (words.download_proof) } " "
                a href={ "/console/entries/" (index) "/entry" } download { (words.download_entry) } " "
                a href={ "/console/entries/" (index) "/bundle" } download { (words.bundle) }
            }
        }
    }
}

fn whole(shown: &EntryView, offset: UtcOffset, words: &Words) -> Markup {
    html! {
        details {
            summary { (words.all_of_it) }
            pre #whole tabindex="0" { (shown.json(offset)) }
        }
    }
}
