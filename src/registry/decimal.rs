//! Decimal numbers as texts write them, compared exactly however many digits they have.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A decimal number, in the shortest form in which a text writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Decimal(Arc<str>);

/// It is a value of a record.
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decimal(..)")
    }
}

/// A decimal number, borrowed from its text. Zeros that say nothing are left out, and zero has no sign, so that equal
/// numbers have equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl Decimal {
    /// Reads digits, with a `-` before them and a point between them where need be: `-12.50`.
    pub fn parse(text: &str) -> Option<Self> {
        let Parts {
            is_negative,
            whole,
            fraction,
        } = Parts::of(text)?;
        let sign = if is_negative { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        Some(Self(format!("{sign}{whole}{point}{fraction}").into()))
    }

    pub fn zero() -> Self {
        Self("0".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many digits stand before the point and after it.
    pub(crate) fn digits(&self) -> (usize, usize) {
        let parts = self.parts();
        (parts.whole.len(), parts.fraction.len())
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        // Its own form always reads.
        Parts::of(&self.0).unwrap_or(Parts {
            is_negative: false,
            whole: "",
            fraction: "",
        })
    }
}

impl<'a> Parts<'a> {
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (digits, ""),
        };
        let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        Some(Self {
            is_negative: is_negative && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        })
    }
}

impl Ord for Parts<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |parts: &Self| parts.whole.len();
        let magnitude = size(self)
            .cmp(&size(other))
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction));
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Parts<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_as_numbers_and_keep_every_digit() {
        let ascending = [
            "-100",
            "-99.5",
            "-1",
            "-0.10",
            "0",
            "0.09",
            "0.1",
            "1",
            "9",
            "10",
            "10.5",
            "100",
            "123456789012345678901234567890.00000000000000000000000000000001",
        ];
        for (i, one) in ascending.iter().enumerate() {
            for (j, other) in ascending.iter().enumerate() {
                let ordering = Parts::of(one).unwrap().cmp(&Parts::of(other).unwrap());
                assert_eq!(ordering, i.cmp(&j), "{one} {other}");
            }
        }
        for (text, shortest) in [
            ("-0.0", "0"),
            ("007.50", "7.5"),
            ("-00.5", "-0.5"),
            ("0", "0"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().as_str(), shortest);
        }
        for odd in [
            "", "-", ".5", "5.", "+5", "1e3", "1,5", "NaN", "٣", " 1", "--1", "1.2.3",
        ] {
            assert!(Decimal::parse(odd).is_none(), "{odd}");
        }
    }
}
