//! Times as browsers send them when they are picked, at the department's offset.

use time::PrimitiveDateTime;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::clock::Moment;
use crate::door::operators::unread::Unread;

const PICKED: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// None where none was picked.
pub(super) fn picked(
    field: &'static str,
    text: &str,
    offset: UtcOffset,
) -> Result<Option<Moment>, Unread> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = PrimitiveDateTime::parse(text, PICKED)
        .map_err(|_| Unread::invalid(field, "expected a time such as `2026-01-31T10:20`"))?
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
