//! What certificates and revocation lists say beside what webpki tells: their dates, their signatures, a list's number.

#[cfg(test)]
mod tests;

use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::Time;

use crate::clock::Moment;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const LIST_EXTENSIONS: u8 = 0xa0;
/// id-ce-cRLNumber: 2.5.29.20.
const LIST_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];

/// From when and until when something may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Moment,
    pub(super) until: Moment,
}

/// What a CA has signed, by which algorithm, and its signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedObject<'a> {
    pub(super) message: &'a [u8],
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// A public key, and for which kind of signatures.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicKey<'a> {
    pub(super) algorithm: &'a [u8],
    pub(super) key: &'a [u8],
}

/// Of a certificate or a revocation list.
pub(super) fn signed(der: &[u8]) -> Option<SignedObject<'_>> {
    let mut parts = Der(Der(der).take(SEQUENCE)?);
    let before = parts.0;
    parts.take(SEQUENCE)?;
    Some(SignedObject {
        message: before.get(..before.len() - parts.0.len())?,
        algorithm: parts.take(SEQUENCE)?,
        signature: parts.bits()?,
    })
}

/// Of the contents of a SubjectPublicKeyInfo, as trust anchors have them.
pub(super) fn public_key(info: &[u8]) -> Option<PublicKey<'_>> {
    let mut parts = Der(info);
    Some(PublicKey {
        algorithm: parts.take(SEQUENCE)?,
        key: parts.bits()?,
    })
}

/// Whether it is of version 1, which says nothing of what the key is for.
pub(super) fn is_version_1(certificate: &[u8]) -> bool {
    to_be_signed(certificate).is_some_and(|tbs| tbs.peek() == Some(INTEGER))
}

/// Whether a revocation list is of version 1, which has no extensions.
pub(super) fn is_list_of_version_1(list: &[u8]) -> bool {
    to_be_signed(list).is_some_and(|tbs| tbs.peek() == Some(SEQUENCE))
}

/// cRLNumber, big-endian (RFC 5280, 5.2.3).
pub(super) fn list_number(der: &[u8]) -> Option<&[u8]> {
    let mut tbs = to_be_signed(der)?;
    while tbs.peek()? != LIST_EXTENSIONS {
        tbs.skip()?;
    }
    let mut extensions = Der(Der(tbs.take(LIST_EXTENSIONS)?).take(SEQUENCE)?);
    loop {
        let mut extension = Der(extensions.take(SEQUENCE)?);
        if extension.take(OBJECT_ID)? != LIST_NUMBER {
            continue;
        }
        if extension.peek()? != OCTET_STRING {
            extension.skip()?;
        }
        let number = Der(extension.take(OCTET_STRING)?).take(INTEGER)?;
        let zeros = number.iter().take_while(|&&octet| octet == 0).count();
        return number.get(zeros..);
    }
}

/// The kinds of names that constraints speak of, by their tags (RFC 5280, 4.2.1.10); of the contents of nameConstraints.
pub(super) fn constrained_names(constraints: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    let mut subtrees = Der(constraints);
    while let Some((_, contents)) = subtrees.any() {
        let mut subtrees = Der(contents);
        while let Some(subtree) = subtrees.take(SEQUENCE) {
            kinds.extend(Der(subtree).peek());
        }
    }
    kinds
}

/// notBefore and notAfter (RFC 5280, 4.1).
pub(super) fn certificate(der: &[u8]) -> Option<Validity> {
    let mut tbs = to_be_signed(der)?;
    if tbs.peek() == Some(VERSION) {
        tbs.take(VERSION)?;
    }
    tbs.take(INTEGER)?;
    tbs.take(SEQUENCE)?;
    tbs.take(SEQUENCE)?;
    let mut validity = Der(tbs.take(SEQUENCE)?);
    Some(Validity {
        from: validity.time()?,
        until: validity.time()?,
    })
}

/// thisUpdate and nextUpdate (RFC 5280, 5.1).
pub(super) fn revocation_list(der: &[u8]) -> Option<Validity> {
    let mut tbs = to_be_signed(der)?;
    tbs.take(INTEGER)?;
    tbs.take(SEQUENCE)?;
    tbs.take(SEQUENCE)?;
    Some(Validity {
        from: tbs.time()?,
        until: tbs.time()?,
    })
}

fn to_be_signed(der: &[u8]) -> Option<Der<'_>> {
    let mut signed = Der(Der(der).take(SEQUENCE)?);
    Some(Der(signed.take(SEQUENCE)?))
}

/// What is left to read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The contents of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, contents) = self.any()?;
        (found == tag).then_some(contents)
    }

    fn skip(&mut self) -> Option<()> {
        self.any().map(|_| ())
    }

    /// The next value's tag and contents.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// Of a bit string of whole octets.
    fn bits(&mut self) -> Option<&'a [u8]> {
        let (&unused, octets) = self.take(BIT_STRING)?.split_first()?;
        (unused == 0).then_some(octets)
    }

    fn time(&mut self) -> Option<Moment> {
        match self.peek()? {
            UTC_TIME => {
                let (year, rest) = number(self.take(UTC_TIME)?, 2)?;
                // RFC 5280, 4.1.2.5.1: the century of a two-digit year.
                moment(if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            _ => {
                let (year, rest) = number(self.take(GENERALIZED_TIME)?, 4)?;
                moment(year, rest)
            }
        }
    }
}

fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = der.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let octets = usize::from(first & 0x7f);
    if !(1..=4).contains(&octets) {
        return None;
    }
    let (octets, rest) = rest.split_at_checked(octets)?;
    let length = octets
        .iter()
        .fold(0, |length, &octet| length << 8 | usize::from(octet));
    Some((length, rest))
}

fn number(text: &[u8], digits: usize) -> Option<(i32, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// `MMDDHHMMSSZ`, the one form that RFC 5280 allows after the year.
fn moment(year: i32, text: &[u8]) -> Option<Moment> {
    let (month, text) = number(text, 2)?;
    let (day, text) = number(text, 2)?;
    let (hour, text) = number(text, 2)?;
    let (minute, text) = number(text, 2)?;
    let (second, text) = number(text, 2)?;
    if text != b"Z" {
        return None;
    }
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    let time = Time::from_hms(
        u8::try_from(hour).ok()?,
        u8::try_from(minute).ok()?,
        u8::try_from(second).ok()?,
    )
    .ok()?;
    let seconds = OffsetDateTime::new_utc(date, time).unix_timestamp();
    Some(Moment::from_micros(seconds.checked_mul(1_000_000)?))
}
