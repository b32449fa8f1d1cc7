//! Reads single TOML values as what they mean.

use std::ops::RangeInclusive;
use std::str::FromStr;

use time::Date;
use time::Month;
use toml::de::DeValue;

use crate::fault::nearest;
use crate::fault::shown;
use crate::name::NameError;
use crate::registry::mask::Mask;
use crate::registry::mask::UnknownMask;
use crate::registry::query::Mode;

/// A value that does not mean what its key needs. Each text names the hint.
#[derive(Debug, thiserror::Error)]
pub(super) enum WrongValue {
    #[error("this is {found}; write {needed}")]
    Type {
        found: &'static str,
        needed: &'static str,
    },
    #[error("this is empty; write {0}")]
    Empty(&'static str),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("unknown mode `{0}`; write some of `get`, `query`, `verify` and `count`{hint}", hint = hint(.0))]
    Mode(String),
    #[error(transparent)]
    Mask(#[from] UnknownMask),
    #[error(
        "`{0}` is not a rate; write exchanges a second, such as `\"200/s\"`, from 1 to 1000000"
    )]
    Rate(String),
    #[error("this is out of range; write a whole number from {min} to {max}")]
    Range { min: u64, max: u64 },
    #[error(
        "{0}; write a day of the calendar without quotes and without a time, such as 2026-01-31"
    )]
    Day(&'static str),
}

fn hint(input: &str) -> String {
    let modes = ["get", "query", "verify", "count"];
    nearest(input, modes)
        .map(|mode| format!("; did you mean `{mode}`?"))
        .unwrap_or_default()
}

const RATE: RangeInclusive<u32> = 1..=1_000_000;

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn wrong(value: &DeValue<'_>, needed: &'static str) -> WrongValue {
    WrongValue::Type {
        found: kind(value),
        needed,
    }
}

/// Any text that is not blank.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, WrongValue> {
    let DeValue::String(text) = value else {
        return Err(wrong(value, "a text in quotes"));
    };
    match text.trim() {
        "" => Err(WrongValue::Empty("a text")),
        text => Ok(text.to_owned()),
    }
}

pub(super) fn name<T: FromStr<Err = NameError>>(value: &DeValue<'_>) -> Result<T, WrongValue> {
    Ok(text(value)?.parse()?)
}

pub(super) fn mode(value: &DeValue<'_>) -> Result<Mode, WrongValue> {
    match text(value)?.as_str() {
        "get" => Ok(Mode::Get),
        "query" => Ok(Mode::Query),
        "verify" => Ok(Mode::Verify),
        "count" => Ok(Mode::Count),
        other => Err(WrongValue::Mode(shown(other))),
    }
}

pub(super) fn mask(value: &DeValue<'_>) -> Result<Mask, WrongValue> {
    Ok(text(value)?.parse()?)
}

pub(super) fn rate(value: &DeValue<'_>) -> Result<u32, WrongValue> {
    let DeValue::String(text) = value else {
        return Err(wrong(
            value,
            "exchanges a second in quotes, such as `\"200/s\"`",
        ));
    };
    text.strip_suffix("/s")
        .and_then(|n| n.trim().parse().ok())
        .filter(|n| RATE.contains(n))
        .ok_or_else(|| WrongValue::Rate(shown(text)))
}

pub(super) fn number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> Result<T, WrongValue> {
    move |value| {
        let DeValue::Integer(digits) = value else {
            return Err(wrong(value, "a whole number without quotes"));
        };
        u64::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .filter(|n| range.contains(n))
            .and_then(|n| T::try_from(n).ok())
            .ok_or(WrongValue::Range {
                min: *range.start(),
                max: *range.end(),
            })
    }
}

pub(super) fn day(value: &DeValue<'_>) -> Result<Date, WrongValue> {
    let DeValue::Datetime(datetime) = value else {
        return Err(WrongValue::Day("this is not a date"));
    };
    let (Some(day), None) = (datetime.date, datetime.time) else {
        return Err(WrongValue::Day("this has a time"));
    };
    Month::try_from(day.month)
        .and_then(|month| Date::from_calendar_date(day.year.into(), month, day.day))
        .map_err(|_| WrongValue::Day("the calendar has no such day"))
}
