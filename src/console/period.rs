//! Times as browsers send them when they are picked, at the department's offset.

use maud::Markup;
use maud::html;
use serde::Deserialize;
use time::PrimitiveDateTime;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::fields::when;
use super::words::Words;
use crate::clock::Moment;
use crate::reading::error::ReadingError;

const PICKED: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// The period that somebody has picked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PeriodForm {
    since: String,
    until: String,
}

impl PeriodForm {
    /// Up to now if no end was picked, and as long as is usual if no beginning was.
    pub(super) fn period(
        &self,
        usual_micros: i64,
        now: Moment,
        offset: UtcOffset,
    ) -> Result<(Moment, Moment), ReadingError> {
        let until = picked("until", &self.until, offset)?.unwrap_or(now);
        let since = picked("since", &self.since, offset)?;
        let since = since
            .unwrap_or_else(|| Moment::from_micros(until.micros().saturating_sub(usual_micros)));
        match since < until {
            true => Ok((since, until)),
            false => Err(ReadingError::invalid("since", "is not before `until`")),
        }
    }
}

/// None where none was picked.
pub(super) fn picked(
    field: &'static str,
    text: &str,
    offset: UtcOffset,
) -> Result<Option<Moment>, ReadingError> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = PrimitiveDateTime::parse(text, PICKED)
        .map_err(|_| ReadingError::invalid(field, "expected a time such as `2026-01-31T10:20`"))?
        .assume_offset(offset);
    Ok(Some(Moment::from_micros(at.unix_timestamp() * 1_000_000)))
}

/// As `picked` reads it.
pub(super) fn text(at: Moment, offset: UtcOffset) -> String {
    at.at(offset).format(SECOND).unwrap_or_default()
}

/// The two ends for a link; colons stand in a query as they are.
pub(super) fn pairs(since: Moment, until: Moment, offset: UtcOffset) -> String {
    format!(
        "since={}&until={}",
        text(since, offset),
        text(until, offset)
    )
}

/// A form that asks for a period.
pub(super) fn form(
    action: &str,
    since: Moment,
    until: Moment,
    offset: UtcOffset,
    words: &Words,
) -> Markup {
    html! {
        form .search method="get" action=(action) {
            div .fields {
                (when(words.since, "since", &text(since, offset)))
                (when(words.until, "until", &text(until, offset)))
            }
            button { (words.show) }
        }
    }
}
