//! Masks, applied. Each hides something of every value that is not empty; what it cannot blur it leaves out.
//!
//! All but the pseudonym are idempotent, so that a record may pass two gateways with the same mask.

use std::borrow::Cow;

use bytes::BufMut;
use time::Date;
use time::Month;
use time::OffsetDateTime;

use super::Pseudonyms;
use crate::registry::extract::tree::message_of;
use crate::registry::extract::tree::timestamp;
use crate::registry::mask::Mask;
use crate::registry::scalar::Datum;
use crate::registry::scalar::Scalar;
use crate::registry::wire::Malformed;
use crate::registry::wire::WireField;
use crate::registry::wire::WireValue;
use crate::registry::wire::put_bare;
use crate::registry::wire::put_key;
use crate::registry::wire::put_len;
use crate::registry::wire::put_nested;
use crate::registry::wire::put_value;
use crate::registry::wire::put_varint;

/// The most stars that stand for hidden characters: a long text does not tell its length.
const MAX_STARS: usize = 64;

/// Whole numbers up to here have an exact `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// What holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    List,
    /// A field that can be set to its type's zero.
    Presence,
    /// A field that at its type's zero is left out: a zero that is written would tell that it was none before.
    NoPresence,
}

/// Writes a masked value, or the masked values of a packed list; nothing for what cannot be masked.
pub(super) fn value(
    mask: Mask,
    scalar: Scalar,
    of: Place,
    field: WireField<'_>,
    pseudonyms: &Pseudonyms,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    if let WireValue::Len(packed) = field.value
        && of == Place::List
        && scalar.packs()
    {
        return put_nested(out, field.number, packed.len(), |out| {
            round_packed(mask, scalar, field.number, packed, out)
        });
    }
    match (mask, scalar.read(field.number, field.value)?) {
        (Mask::Round(step), found) => {
            let left = rounded(found, step);
            let left = left.filter(|left| of != Place::NoPresence || *left != scalar.default());
            if let Some(value) = left.and_then(|left| scalar.write(left)) {
                put_value(out, field.number, value);
            }
        }
        (mask, Datum::Text(text)) => {
            if let Some(blurred) = blurred(mask, text, pseudonyms) {
                blurred.put(field.number, out);
            }
        }
        _ => {}
    }
    Ok(())
}

fn round_packed(
    mask: Mask,
    scalar: Scalar,
    number: u32,
    mut packed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    while !packed.is_empty() {
        let found = scalar.read(number, scalar.unpack(number, &mut packed)?)?;
        if let Mask::Round(step) = mask
            && let Some(value) = rounded(found, step).and_then(|found| scalar.write(found))
        {
            put_bare(out, value);
        }
    }
    Ok(())
}

/// The greatest multiple of the step that is not above the value; `None` where the type does not hold it exactly.
fn rounded(found: Datum<'_>, step: u64) -> Option<Datum<'static>> {
    match found {
        Datum::Integer(v) => {
            let step = i128::from(step);
            let down = i128::from(v).checked_div_euclid(step)? * step;
            i64::try_from(down).ok().map(Datum::Integer)
        }
        Datum::Unsigned(v) => Some(Datum::Unsigned(v - v.checked_rem(step)?)),
        Datum::Number(v) => {
            let step = step as f64;
            let down = (v / step).floor() * step;
            (step <= MAX_EXACT && down.abs() <= MAX_EXACT).then_some(Datum::Number(down))
        }
        _ => None,
    }
}

/// What is left of a text.
struct MaskedText<'a> {
    stars_before: usize,
    kept: Cow<'a, str>,
    stars_after: usize,
}

fn blurred<'a>(mask: Mask, text: &'a str, pseudonyms: &Pseudonyms) -> Option<MaskedText<'a>> {
    let clear = |kept: &'a str| MaskedText {
        stars_before: 0,
        kept: kept.into(),
        stars_after: 0,
    };
    Some(match mask {
        Mask::KeepFirst(_) | Mask::KeepLast(_) | Mask::Pseudonym if text.is_empty() => clear(""),
        Mask::KeepFirst(keep) => {
            let (kept, hidden) = kept_and_hidden(text, keep);
            let (kept, _) = text.split_at_checked(offset(text, kept))?;
            MaskedText {
                stars_before: 0,
                kept: kept.into(),
                stars_after: hidden.min(MAX_STARS),
            }
        }
        Mask::KeepLast(keep) => {
            let (_, hidden) = kept_and_hidden(text, keep);
            let (_, kept) = text.split_at_checked(offset(text, hidden))?;
            MaskedText {
                stars_before: hidden.min(MAX_STARS),
                kept: kept.into(),
                stars_after: 0,
            }
        }
        Mask::Pseudonym => MaskedText {
            stars_before: 0,
            kept: pseudonyms.of(text).into(),
            stars_after: 0,
        },
        Mask::Year => clear(iso_date(text)?.year),
        Mask::Month => clear(iso_date(text)?.month),
        Mask::Drop | Mask::Round(_) => return None,
    })
}

/// How many characters stay and how many are hidden: one at the least, or a short name would leave in clear.
fn kept_and_hidden(text: &str, keep: u16) -> (usize, usize) {
    let chars = text.chars().count();
    let kept = usize::from(keep).min(chars.saturating_sub(1));
    (kept, chars - kept)
}

/// The byte offset of a character.
fn offset(text: &str, chars: usize) -> usize {
    text.char_indices()
        .nth(chars)
        .map_or(text.len(), |(at, _)| at)
}

impl MaskedText<'_> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        let len = self.stars_before + self.kept.len() + self.stars_after;
        put_key(out, number, 2);
        put_varint(out, len as u64);
        out.put_bytes(b'*', self.stars_before);
        out.extend_from_slice(self.kept.as_bytes());
        out.put_bytes(b'*', self.stars_after);
    }
}

struct IsoDate<'a> {
    year: &'a str,
    /// The year and month; the year alone if no more is said.
    month: &'a str,
}

/// `1986`, `1986-03` or `1986-03-12`, the last also with a time after it.
fn iso_date(text: &str) -> Option<IsoDate<'_>> {
    let digits = |range| -> Option<u16> {
        let digits: &str = text.get(range)?;
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse().ok()).flatten()
    };
    let year = i32::from(digits(0..4)?);
    if text.len() == 4 {
        return Some(IsoDate {
            year: text,
            month: text,
        });
    }
    let month = Month::try_from(u8::try_from(digits(5..7)?).ok()?).ok()?;
    if text.len() > 7 {
        Date::from_calendar_date(year, month, u8::try_from(digits(8..10)?).ok()?).ok()?;
    }
    let dashes = text.get(4..5) == Some("-") && matches!(text.get(7..8), None | Some("-"));
    let ends = matches!(text.get(10..11), None | Some("T" | "t" | " "));
    (dashes && ends && text.is_char_boundary(7)).then_some(IsoDate {
        year: text.get(..4)?,
        month: text.get(..7)?,
    })
}

/// Writes the first moment, UTC, of a timestamp's year or month; nothing for a time out of range.
pub(super) fn time(mask: Mask, field: WireField<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let found = timestamp(message_of(field)?, Datum::Nothing)?;
    let Datum::Time { seconds, .. } = found else {
        return Ok(());
    };
    let Some(start) = start_of(mask, seconds) else {
        return Ok(());
    };
    let mut inner = Vec::new();
    if start != 0 {
        put_key(&mut inner, 1, 0);
        put_varint(&mut inner, start as u64);
    }
    put_len(out, field.number, &inner);
    Ok(())
}

fn start_of(mask: Mask, seconds: i64) -> Option<i64> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let month = match mask {
        Mask::Month => at.month(),
        _ => Month::January,
    };
    let first = Date::from_calendar_date(at.year(), month, 1).ok()?;
    Some(first.midnight().assume_utc().unix_timestamp())
}
