//! The parameters of a query string.

use std::ops::RangeInclusive;

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::clock::Moment;
use crate::reading::error::ReadingError;

/// As the protocol's examples write a time.
const LOCAL: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Names with their values, decoded.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, ReadingError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        let decoded = decoded.collect::<Option<_>>();
        decoded
            .map(Self)
            .ok_or_else(|| ReadingError::invalid("query", "is not percent-encoded UTF-8"))
    }

    /// A parameter that may come once. Those that nobody asks for are passed over: a newer portal may send more.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, ReadingError> {
        let mut values = self
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str());
        let (first, second) = (values.next(), values.next());
        if second.is_some() {
            return Err(ReadingError::invalid(name, "comes twice"));
        }
        Ok(first)
    }

    pub(super) fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, ReadingError> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let why = || {
            format!(
                "expected a number from {} to {}",
                range.start(),
                range.end()
            )
        };
        number
            .map(Some)
            .ok_or_else(|| ReadingError::invalid(name, why()))
    }

    /// A time as RFC 3339 has it; without an offset, it is at the department's.
    pub(super) fn moment(
        &self,
        name: &'static str,
        offset: UtcOffset,
    ) -> Result<Option<Moment>, ReadingError> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let at = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| {
            PrimitiveDateTime::parse(text, LOCAL).map(|local| local.assume_offset(offset))
        });
        let why = "expected a time such as `2026-01-31T10:20:30` or `2026-01-31T10:20:30Z`";
        let at = at.map_err(|_| ReadingError::invalid(name, why))?;
        let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000);
        let micros = micros.map_err(|_| ReadingError::invalid(name, why))?;
        Ok(Some(Moment::from_micros(micros)))
    }
}

/// Undoes percent-encoding. A `+` stays one, as the offset of a time has it: no value of this protocol has a space.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        bytes.push(hex(*digits)?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests;
