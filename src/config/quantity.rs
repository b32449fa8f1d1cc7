//! Values that settings give as text: spans of time, sizes, offsets.

use std::time::Duration;

use time::UtcOffset;
use time::macros::format_description;

use crate::clock::parse_span;

/// `UtcOffset` has no default of its own.
pub(super) struct Offset(pub(super) UtcOffset);

impl Default for Offset {
    fn default() -> Self {
        Self(UtcOffset::UTC)
    }
}

pub(super) const DURATION: &str = "a duration such as `30s`: a number with ms, s, m or h";
pub(super) const DELAY: &str = "a delay such as `90d`: a number with d, h, m or s";
pub(super) const SIZE: &str = "a size such as `64MiB`: a number of at least 1 with KiB or MiB";

pub(super) fn parse_offset(text: &str) -> Option<Offset> {
    let format = format_description!("[offset_hour sign:mandatory]:[offset_minute]");
    UtcOffset::parse(text, format).ok().map(Offset)
}

/// A duration that may be told in days.
pub(super) fn parse_delay(text: &str) -> Option<Duration> {
    let Some(days) = text.strip_suffix('d') else {
        return parse_span(text);
    };
    let days = days.trim_end().parse::<u32>().ok()?;
    Some(Duration::from_secs(u64::from(days) * 24 * 3_600))
}

pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = quantity(text).filter(|(number, _)| *number > 0)?;
    match unit {
        "KiB" => number.checked_mul(1 << 10),
        "MiB" => number.checked_mul(1 << 20),
        _ => None,
    }
}

fn quantity(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim()))
}
