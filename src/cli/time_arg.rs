//! Times as people type and read them.

use time::Date;
use time::Duration;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::Time;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::clock::Moment;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const SHOWN: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory]:[offset_minute]"
);
const OFFSET: &[BorrowedFormatItem<'_>] =
    format_description!("[offset_hour sign:mandatory]:[offset_minute]");

/// A time as it was typed; what it means depends on the offset and on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeArg {
    At(OffsetDateTime),
    /// A calendar time, at whatever offset the answer is in.
    Local(PrimitiveDateTime),
    Ago(Duration),
}

pub(super) const EXPECTED: &str = "a time such as `2026-05-01`, `2026-05-01T10:00`, `2026-05-01T10:00:00+08:00`, or a while ago such as `30m`, `12h`, `7d`";

/// Reads a time, for clap.
pub(super) fn parse(text: &str) -> Result<TimeArg, String> {
    let local = |format| PrimitiveDateTime::parse(text, format).map(TimeArg::Local);
    OffsetDateTime::parse(text, &Rfc3339)
        .map(TimeArg::At)
        .or_else(|_| local(SECOND))
        .or_else(|_| local(MINUTE))
        .or_else(|_| {
            Date::parse(text, DAY).map(|date| TimeArg::Local(date.with_time(Time::MIDNIGHT)))
        })
        .ok()
        .or_else(|| ago(text))
        .ok_or_else(|| format!("expected {EXPECTED}"))
}

fn ago(text: &str) -> Option<TimeArg> {
    let unit = text.chars().next_back()?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    Some(TimeArg::Ago(Duration::seconds(i64::from(count) * seconds)))
}

impl TimeArg {
    pub(super) fn moment(self, offset: UtcOffset, now: Moment) -> Moment {
        match self {
            Self::At(at) => of(at),
            Self::Local(local) => of(local.assume_offset(offset)),
            Self::Ago(ago) => {
                let micros = i64::try_from(ago.whole_microseconds()).unwrap_or(i64::MAX);
                Moment::from_micros(now.micros().saturating_sub(micros))
            }
        }
    }
}

fn of(at: OffsetDateTime) -> Moment {
    Moment::from_micros(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
}

/// For people.
pub(super) fn shown(moment: Moment, offset: UtcOffset) -> String {
    moment.at(offset).format(SHOWN).unwrap_or_default()
}

/// For programs.
pub(super) fn rfc3339(moment: Moment, offset: UtcOffset) -> String {
    moment.at(offset).format(&Rfc3339).unwrap_or_default()
}

/// Reads an offset from UTC, for clap.
pub(super) fn offset(text: &str) -> Result<UtcOffset, String> {
    match text {
        "Z" | "UTC" | "utc" => Ok(UtcOffset::UTC),
        text => UtcOffset::parse(text, OFFSET)
            .map_err(|_| "expected an offset such as `+08:00`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
