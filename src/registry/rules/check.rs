//! One demand on one value.

use std::cmp::Ordering;

use prost_reflect::EnumDescriptor;
use regex::Regex;

use super::Requirement;
use crate::registry::scalar::Datum;
use crate::registry::value::Literal;

pub(super) struct Check {
    pub(super) test: Test,
    pub(super) requirement: Requirement,
}

pub(super) enum Test {
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    Range(Range),
    Finite,
    Chars { least: u64, most: u64 },
    Bytes { least: u64, most: u64 },
    Pattern(Regex),
    Prefix(String),
    Suffix(String),
    Contains(String),
    NotContains(String),
    Defined(EnumDescriptor),
}

/// From a low end to a high end; where the low end is above the high one: outside of what lies between.
pub(super) struct Range {
    pub(super) low: Option<End>,
    pub(super) high: Option<End>,
}

pub(super) struct End {
    pub(super) value: Literal,
    pub(super) is_included: bool,
}

impl Check {
    pub(super) fn holds(&self, value: Datum<'_>) -> bool {
        match (&self.test, value) {
            (Test::In(values), value) => is_among(values, value),
            (Test::NotIn(values), value) => !is_among(values, value),
            (Test::Range(range), value) => range.holds(value),
            (Test::Finite, Datum::Number(number)) => number.is_finite(),
            (Test::Chars { least, most }, Datum::Text(text)) => {
                (*least..=*most).contains(&(text.chars().count() as u64))
            }
            (Test::Bytes { least, most }, Datum::Text(text)) => {
                (*least..=*most).contains(&(text.len() as u64))
            }
            (Test::Bytes { least, most }, Datum::Data(data)) => {
                (*least..=*most).contains(&(data.len() as u64))
            }
            (Test::Pattern(pattern), Datum::Text(text)) => pattern.is_match(text),
            (Test::Prefix(part), Datum::Text(text)) => text.starts_with(part.as_str()),
            (Test::Suffix(part), Datum::Text(text)) => text.ends_with(part.as_str()),
            (Test::Contains(part), Datum::Text(text)) => text.contains(part.as_str()),
            (Test::NotContains(part), Datum::Text(text)) => !text.contains(part.as_str()),
            (Test::Defined(kind), Datum::Enum(number)) => kind.get_value(number).is_some(),
            // A test of another type than the field's does not compile.
            (
                Test::Finite
                | Test::Chars { .. }
                | Test::Bytes { .. }
                | Test::Pattern(_)
                | Test::Prefix(_)
                | Test::Suffix(_)
                | Test::Contains(_)
                | Test::NotContains(_)
                | Test::Defined(_),
                _,
            ) => false,
        }
    }
}

fn is_among(values: &[Literal], value: Datum<'_>) -> bool {
    let is_it = |known: &Literal| Datum::of(known).order(&value) == Some(Ordering::Equal);
    values.iter().any(is_it)
}

impl Range {
    pub(super) fn is_inverted(&self) -> bool {
        match (&self.low, &self.high) {
            (Some(low), Some(high)) => {
                let order = Datum::of(&low.value).order(&Datum::of(&high.value));
                order == Some(Ordering::Greater)
            }
            _ => false,
        }
    }

    /// What is no number is in no range.
    fn holds(&self, value: Datum<'_>) -> bool {
        let above = |low: &End| match value.order(&Datum::of(&low.value)) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => low.is_included,
            Some(Ordering::Less) | None => false,
        };
        let below = |high: &End| match value.order(&Datum::of(&high.value)) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => high.is_included,
            Some(Ordering::Greater) | None => false,
        };
        let (above, below) = (self.low.as_ref().map(above), self.high.as_ref().map(below));
        match (above, below) {
            (Some(above), Some(below)) if self.is_inverted() => above || below,
            (above, below) => above.unwrap_or(true) && below.unwrap_or(true),
        }
    }
}
