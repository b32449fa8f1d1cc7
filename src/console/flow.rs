//! How much flows between departments, what comes of it, and how well each answers (绩效).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Console;
use super::extractors::AnyRole;
use super::flow_picture::Drawing;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::period;
use super::period::PeriodForm;
use super::plots;
use super::words::Words;
use crate::evidence::tally;
use crate::evidence::tally::Corrections;
use crate::evidence::tally::Line;
use crate::evidence::tally::Period;
use crate::evidence::tally::Series;
use crate::evidence::tally::Sum;
use crate::evidence::tally::Tally;
use crate::journal::reader::Reader;
use crate::name::RecordType;
use crate::pb;
use crate::reading::error::ReadingError;

const HERE: &str = "/console/flow";
const SLOTS: usize = 48;
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
    Query(picked): Query<PeriodForm>,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let (period, tally) = count(&console, &picked).await.map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, &query_words("flow", period))
        .await
        .map_err(visitor.unread())?;
    let offset = console.desk.offset;
    let links = visitor.who.role.reads_journal();
    let drawing = Drawing {
        tally: &tally,
        period,
        offset,
        links,
        words,
    };
    let fresh = console.desk.exchange.snapshot().offers.load();
    let csv = format!(
        "{HERE}.csv?{}",
        period::pairs(period.since, period.until, offset)
    );
    Ok(Page::new(&visitor, words.flow, HERE).show(on_record, &html! {
        (period::form(HERE, period.since, period.until, offset, words))
        (page::coverage(tally.coverage, offset, words))
        @if tally.lines.is_empty() { p { (if tally.coverage.is_whole() { words.nothing_exchanged } else { words.none_among_these }) } } @else {
            (drawing.islands())
            (drawing.over_time())
            (plots::of(&tally.all, period, offset, words))
            section {
                h2 { (words.review) }
                p { (page::moment(period.since, offset)) " – " (page::moment(period.until, offset)) }
                p { (words.review_hint) " " a .no-print href=(csv) download { (words.csv) } }
                (review(&tally, &fresh, words))
                (plots::lines(&tally, words))
            }
        }
    }))
}

/// The same figures for a spreadsheet.
pub(super) async fn csv(
    State(console): State<Arc<Console>>,
    visitor: AnyRole,
    Query(picked): Query<PeriodForm>,
) -> Result<Response, PageError> {
    let (period, tally) = count(&console, &picked).await.map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, &query_words("flow.csv", period))
        .await
        .map_err(visitor.unread())?;
    let table = table(&tally).map_err(|error| visitor.unread()(ReadingError::failed(error)))?;
    Ok(page::file(
        on_record,
        "flow.csv",
        "text/csv; charset=utf-8",
        table,
    ))
}

async fn count(console: &Console, picked: &PeriodForm) -> Result<(Period, Tally), ReadingError> {
    let (since, until) = picked.period(DAY_MICROS, console.desk.now(), console.desk.offset)?;
    let period = Period {
        since,
        until,
        slots: SLOTS,
    };
    let (journal, own, offset) = (
        console.desk.journal.clone(),
        console.desk.exchange.department().clone(),
        console.desk.offset,
    );
    let counted = console
        .desk
        .look_up(move || {
            tally::tally(&Reader::open(&journal), &own, period, offset)
                .map_err(ReadingError::failed)
        })
        .await?;
    Ok((period, counted))
}

fn query_words(page: &str, period: Period) -> String {
    format!(
        "{page} {}",
        period::pairs(period.since, period.until, UtcOffset::UTC)
    )
}

fn review(tally: &Tally, fresh: &BTreeMap<RecordType, pb::Offer>, words: &Words) -> Markup {
    let mut providers: BTreeMap<&str, Sum> = BTreeMap::new();
    for (line, series) in &tally.lines {
        providers
            .entry(&line.provider)
            .or_default()
            .join(&series.whole);
    }
    for provider in tally.corrections.keys() {
        providers.entry(provider).or_default();
    }
    let row = |name: Markup, sum: &Sum, corrections: &str, fresh: &str| {
        html! { tr {
            th scope="row" { (name) }
            td { (sum.requests()) } td { (sum.answered) } td { (share(sum.denied, sum)) } td { (share(sum.failed, sum)) }
            td { (sum.records) }
            @for percent in [50, 95, 99] {
                td { @if sum.requests() > 0 { (millis(sum.latencies.within(percent))) } @else { "–" } }
            }
            td { (sum.by_asker) } td { (sum.unanswered) }
            td { (corrections) } td { (fresh) }
        } }
    };
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.review) {
            table .figures {
                thead { tr {
                    th scope="col" { (words.provider) } th scope="col" { (words.requests) } th scope="col" { (words.answered) }
                    th scope="col" { (words.denied) } th scope="col" { (words.failed_share) } th scope="col" { (words.records) }
                    th scope="col" { "p50, ms" } th scope="col" { "p95, ms" } th scope="col" { "p99, ms" }
                    th scope="col" { (words.by_asker) } th scope="col" { (words.unanswered) }
                    th scope="col" { (words.corrections_in_time) } th scope="col" { (words.fresh_as_of) }
                } }
                @for (provider, sum) in &providers {
                    tbody {
                        (row(html! { strong { (unnamed(provider)) } }, sum, &corrections(tally, provider, words), ""))
                        @for (line, series) in tally.lines.iter().filter(|(line, _)| line.provider == *provider) {
                            @let fresh = fresh.get(line.record_type.as_str());
                            @let fresh = fresh.map_or("", |offer| offer.fresh_as_of.as_str());
                            (row(html! { code { (line.record_type) } " → " (line.consumer) }, &series.whole, "", fresh))
                        }
                    }
                }
            }
        }
    }
}

/// E.g. "3 of 4, 1 open".
fn corrections(tally: &Tally, provider: &str, words: &Words) -> String {
    let Some(Corrections {
        in_time,
        late,
        open,
    }) = tally.corrections.get(provider)
    else {
        return String::new();
    };
    let answered = in_time + late;
    match open {
        0 => format!("{in_time} / {answered}"),
        open => format!("{in_time} / {answered}, {open} {}", words.open),
    }
}

fn table(tally: &Tally) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record([
        "provider",
        "consumer",
        "record_type",
        "requests",
        "answered",
        "denied",
        "failed",
        "records",
        "p50_us",
        "p95_us",
        "p99_us",
        "by_asker",
        "unanswered",
    ])?;
    for (line, Series { whole: sum, .. }) in &tally.lines {
        let Line {
            consumer,
            provider,
            record_type,
        } = line;
        let numbers = [
            sum.requests(),
            sum.answered,
            sum.denied,
            sum.failed,
            sum.records,
            sum.latencies.within(50),
            sum.latencies.within(95),
            sum.latencies.within(99),
            sum.by_asker,
            sum.unanswered,
        ];
        let words = [provider, consumer, record_type].map(Clone::clone);
        table.write_record(
            words
                .into_iter()
                .chain(numbers.map(|number| number.to_string())),
        )?;
    }
    table
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

fn unnamed(name: &str) -> &str {
    match name {
        "" => "–",
        name => name,
    }
}

fn share(part: u64, sum: &Sum) -> String {
    let of_thousand = part * 1_000 / sum.requests().max(1);
    format!("{part} ({}.{} %)", of_thousand / 10, of_thousand % 10)
}

fn millis(micros: u64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}
