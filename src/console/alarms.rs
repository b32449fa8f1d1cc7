//! What in the journal somebody should look at, each with its evidence one click away.

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Console;
use super::extractors::Auditor;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::period;
use super::period::PeriodForm;
use super::words::Words;
use crate::clock::Moment;
use crate::evidence::alarm;
use crate::evidence::alarm::Alarm;
use crate::evidence::alarm::Pattern;
use crate::journal::reader::Reader;
use crate::reading::desk::Action;
use crate::reading::error::ReadingError;

const HERE: &str = "/console/alarms";
const WEEK_MICROS: i64 = 7 * 24 * 3600 * 1_000_000;
const SECOND_MICROS: i64 = 1_000_000;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Auditor,
    Query(picked): Query<PeriodForm>,
) -> Result<Response, PageError> {
    let words = visitor.language.words();
    let (journal, offset) = (console.desk.journal.clone(), console.desk.offset);
    let (since, until) = picked
        .period(WEEK_MICROS, console.desk.now(), offset)
        .map_err(visitor.unread())?;
    let found = console
        .desk
        .look_up(move || {
            alarm::alarms(&Reader::open(&journal), since, until, offset)
                .map_err(ReadingError::failed)
        })
        .await
        .map_err(visitor.unread())?;
    let query = format!("alarms {}", period::pairs(since, until, UtcOffset::UTC));
    let on_record = console
        .record(&visitor.who, Action::Search, query, 0, String::new())
        .await
        .map_err(visitor.unread())?;
    Ok(Page::new(&visitor, words.alarms, HERE).show(on_record, &html! {
        p { (words.alarms_hint) }
        (period::form(HERE, since, until, offset, words))
        (page::coverage(found.coverage, offset, words))
        @if found.found.is_empty() { p { (if found.coverage.is_whole() { words.no_alarms } else { words.none_among_these }) } } @else { (table(&found.found, offset, words)) }
    }))
}

fn table(alarms: &[Alarm], offset: UtcOffset, words: &Words) -> Markup {
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.alarms) {
            table {
                thead { tr {
                    th scope="col" { (words.pattern) } th scope="col" { (words.who) } th scope="col" { (words.record_type) }
                    th scope="col" { (words.since) } th scope="col" { (words.until) } th scope="col" { (words.evidence) }
                } }
                tbody { @for alarm in alarms {
                    tr {
                        th scope="row" { (title(alarm, words)) }
                        td { (page::value(&alarm.department)) @if !alarm.system.is_empty() { "/" (page::value(&alarm.system)) } }
                        td { (alarm.record_type) }
                        td .time { (page::moment(alarm.since, offset)) }
                        td .time { (page::moment(alarm.until, offset)) }
                        td { a href=(evidence(alarm, offset)) { (words.exchanges) } }
                    }
                } }
            }
        }
    }
}

fn title(alarm: &Alarm, words: &Words) -> String {
    let text = match alarm.pattern {
        Pattern::Orphaned => words.orphaned,
        Pattern::Uncompared => words.uncompared,
        Pattern::Enumeration => words.enumeration,
        Pattern::RefusedStreak => words.refused_streak,
        Pattern::UnusualVolume => words.unusual_volume,
        Pattern::OffHours => words.off_hours,
        Pattern::Guessing => words.guessing,
    };
    format!("{text}: {}", alarm.count)
}

/// The search that shows the entries.
fn evidence(alarm: &Alarm, offset: UtcOffset) -> String {
    let after = Moment::from_micros(alarm.until.micros().saturating_add(SECOND_MICROS));
    let period = period::pairs(alarm.since, after, offset);
    let Alarm {
        department,
        system,
        record_type,
        ..
    } = alarm;
    match alarm.pattern {
        Pattern::Orphaned | Pattern::Uncompared => {
            format!("/console/exchanges?peer={department}&{period}")
        }
        Pattern::RefusedStreak => {
            format!(
                "/console/exchanges?consumer={department}&system={system}&outcome=denied&{period}"
            )
        }
        Pattern::Enumeration | Pattern::UnusualVolume | Pattern::OffHours | Pattern::Guessing => {
            format!(
                "/console/exchanges?consumer={department}&system={system}&record_type={record_type}&{period}"
            )
        }
    }
}
