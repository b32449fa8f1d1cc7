//! Who may get what: as a matrix, and as sentences.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::Date;

use super::Console;
use super::extractors::AnyRole;
use super::page;
use super::page::Page;
use super::page::fact;
use super::page_error::PageError;
use super::policy::kept_text;
use super::words::Language;
use super::words::Words;
use crate::exchange::snapshot::Snapshot;
use crate::journal::policies::KeptText;
use crate::journal::policies::Policies;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::policy::agreement::Agreement;
use crate::policy::agreement::Grant;
use crate::reading::error::ReadingError;
use crate::registry::query::Mode;

const HERE: &str = "/console/agreements";

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
) -> Result<Response, PageError> {
    let on_record = console
        .view(&visitor.who, "agreements")
        .await
        .map_err(visitor.unread())?;
    let (snapshot, language) = (console.desk.exchange.snapshot(), visitor.language);
    let (kept, journal) = (snapshot.clone(), console.desk.journal.clone());
    let guardrails = console
        .desk
        .look_up(move || guardrails(&kept, &Policies::beside(&journal)))
        .await
        .map_err(visitor.unread())?;
    let today = console.desk.now().date(console.desk.offset);
    let words = language.words();
    Ok(Page::new(&visitor, words.who_gets_what, HERE).show(
        on_record,
        &html! {
            (matrix(&snapshot, today, words))
            @for agreement in snapshot.policy.agreements() {
                (article(agreement, &snapshot, today, language))
            }
            section #guardrails {
                h2 { (words.guardrails) }
                p { (words.guardrails_hint) }
                @for (name, text) in &guardrails {
                    details { summary { code { (name) } } (kept_text(text, words)) }
                }
            }
        },
    ))
}

/// Each file of them, with its text as it is in force.
fn guardrails(
    snapshot: &Snapshot,
    policies: &Policies,
) -> Result<Vec<(String, KeptText)>, ReadingError> {
    let files = snapshot.policy.guardrails();
    let texts = files.map(|part| {
        let text = policies.read(part.text).map_err(ReadingError::failed)?;
        Ok((part.name.to_owned(), text))
    });
    texts.collect()
}

/// Consumers by record types; a cell names the agreements, and how much they release.
fn matrix(snapshot: &Snapshot, today: Date, words: &'static Words) -> Markup {
    let mut cells: BTreeMap<(&RecordType, &DepartmentId), Vec<(&Agreement, &Grant)>> =
        BTreeMap::new();
    for agreement in snapshot.policy.agreements() {
        for grant in &agreement.grants {
            let place = (grant.schema.name(), &agreement.consumer);
            cells.entry(place).or_default().push((agreement, grant));
        }
    }
    let types: BTreeSet<_> = cells.keys().map(|(record, _)| *record).collect();
    let consumers: BTreeSet<_> = cells.keys().map(|(_, consumer)| *consumer).collect();
    html! {
        section {
            h2 { (words.matrix) }
            p { (words.matrix_hint) }
            div .wide tabindex="0" role="region" aria-label=(words.matrix) {
                table .matrix {
                    thead { tr {
                        th scope="col" { (words.record_type) }
                        @for consumer in &consumers { th scope="col" { (name(consumer, snapshot, None)) } }
                    } }
                    tbody { @for record in &types { tr {
                        th scope="row" { code { (record) } }
                        @for consumer in &consumers { td {
                            @for (agreement, grant) in cells.get(&(*record, *consumer)).into_iter().flatten() {
                                a href={ "#" (agreement.id) } { (agreement.id) } " "
                                small { (modes(grant, words)) " · " (grant.released.len()) " " (words.fields)
                                    @if let Some(state) = state(agreement, today, words) { " · " (state) } }
                                br;
                            }
                        } }
                    } } }
                }
            }
        }
    }
}

/// Why it grants nothing today, if so.
fn state(agreement: &Agreement, today: Date, words: &'static Words) -> Option<&'static str> {
    if today > agreement.valid_until {
        Some(words.ended)
    } else if today < agreement.valid_from {
        Some(words.not_begun)
    } else {
        None
    }
}

fn article(agreement: &Agreement, snapshot: &Snapshot, today: Date, language: Language) -> Markup {
    let words = language.words();
    let state = state(agreement, today, words);
    html! {
        article id=(agreement.id) {
            h2 { (page::value(&agreement.title)) " " small { code { (agreement.id) } @if let Some(state) = state { " · " (state) } } }
            dl .facts {
                (fact(words.legal_basis, &page::value(&agreement.legal_basis)))
                (fact(words.accountable, &page::value(&agreement.accountable)))
                (fact(words.file, &html! { code { (agreement.file) } }))
            }
            @for grant in &agreement.grants { (sentence(agreement, grant, snapshot, language)) }
        }
    }
}

/// E.g. "State Tax (tax) may get, verify civil.v1.Resident of Civil Affairs (civil) for income-tax, from 2026-01-01 to …".
fn sentence(
    agreement: &Agreement,
    grant: &Grant,
    snapshot: &Snapshot,
    language: Language,
) -> Markup {
    let words = language.words();
    let purposes: Vec<_> = agreement
        .purposes
        .iter()
        .map(|purpose| purpose.as_str())
        .collect();
    html! {
        section .grant {
            p {
                strong { (name(&agreement.consumer, snapshot, Some(language))) }
                " " (words.may) " " strong { (modes(grant, words)) } " " code { (grant.schema.name()) }
                " " (words.of_department) " " strong { (name(&agreement.provider, snapshot, Some(language))) }
                " " (words.for_purposes) " " (purposes.join(", "))
                ", " (words.from_day) " " (agreement.valid_from) " " (words.to_day) " " (agreement.valid_until) "."
            }
            ul .tags {
                @for released in grant.released.iter() {
                    li { code { (released.field.path()) }
                        @if let Some(mask) = released.mask { " " small { (words.masked) " (" (mask) ")" } }
                    }
                }
                @for field in &grant.lookup { li { code { (field.path()) } " " small { (words.lookup_only) } } }
            }
            @if let Some(rows) = &grant.rows { p { (words.rows) " " code { (rows.text()) } } }
            @if !grant.systems.is_empty() {
                p { (words.systems) " " @for system in &grant.systems { code { (system) } " " } }
            }
            p .limits {
                (words.limits) " " (grant.max_records) " " (words.records_each)
                @if let Some(rate) = grant.rate { ", " (rate) " " (words.each_second) }
                @if let Some(daily) = grant.daily { ", " (daily) " " (words.each_day) }
                @if grant.may_guess() { ", " (grant.lookup_misses) " " (words.misses_each_day) }
                @if grant.modes.contains(&Mode::Count) {
                    @if grant.count_step > 1 { ", " (words.counts_in_steps) " " (grant.count_step) }
                    @if let Some(counts) = grant.distinct_counts { ", " (counts) " " (words.counts_each_day) }
                }
                "."
            }
        }
    }
}

fn modes(grant: &Grant, words: &Words) -> String {
    let modes = grant.modes.iter().map(|mode| match mode {
        Mode::Get => words.get,
        Mode::Query => words.query,
        Mode::Verify => words.verify,
        Mode::Count => words.count,
    });
    modes.collect::<Vec<_>>().join(", ")
}

/// A department's id; with a language, its name in that language before it.
fn name(id: &DepartmentId, snapshot: &Snapshot, language: Option<Language>) -> String {
    let department = snapshot.directory.department(id);
    let called = department
        .zip(language)
        .map(|(department, language)| match language {
            Language::Chinese if !department.name_zh.is_empty() => department.name_zh.as_str(),
            Language::Chinese | Language::English => department.name.as_str(),
        });
    match called {
        Some(called) => format!("{called} ({id})"),
        None => id.to_string(),
    }
}
