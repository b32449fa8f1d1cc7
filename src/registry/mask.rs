//! Masks: what is left of a value that is released in part.

use std::fmt;
use std::str::FromStr;

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

/// How a value is blurred before it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mask {
    /// Nothing: the field is left out.
    Drop,
    /// The first N characters; each other one becomes `*`.
    KeepFirst(u16),
    /// The last N characters; each other one becomes `*`.
    KeepLast(u16),
    /// A keyed hash, stable within one agreement.
    Pseudonym,
    /// The year: of an ISO 8601 text, of a `google.protobuf.Timestamp` (its first moment, UTC), of a `google.type.Date`.
    Year,
    /// The year and month, likewise.
    Month,
    /// A number rounded down to a multiple of N.
    Round(u64),
}

/// A mask that is not one of the known forms. Masks are settings: the input is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown mask `{}`; write one of {}, with N from 1",
    crate::fault::shown(.0),
    FORMS.iter().map(|form| format!("`{form}`")).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownMask(String);

/// A mask on a field whose values it cannot blur.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mask `{mask}` does not fit a field of type {kind}: it needs {needs}; `drop` fits any field"
)]
pub struct UnfitMask {
    mask: Mask,
    kind: String,
    needs: &'static str,
}

/// How masks are written. What is shown is what is read: a mask that is not listed here does not compile.
macro_rules! forms {
    ($($mask:ident = $form:literal,)*; $($counted:ident = $counted_form:literal,)*) => {
        impl FromStr for Mask {
            type Err = UnknownMask;

            fn from_str(s: &str) -> Result<Self, UnknownMask> {
                let (form, n) = match s.split_once(':') {
                    Some((form, n)) => (form, Some(n)),
                    None => (s, None),
                };
                let mask = match (form, n) {
                    $(($form, None) => Some(Self::$mask),)*
                    $(($counted_form, Some(n)) => count(n).map(Self::$counted),)*
                    _ => None,
                };
                mask.ok_or_else(|| UnknownMask(s.to_owned()))
            }
        }

        impl fmt::Display for Mask {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$mask => f.write_str($form),)*
                    $(Self::$counted(n) => write!(f, concat!($counted_form, ":{}"), n),)*
                }
            }
        }

        const FORMS: &[&str] = &[$($form,)* $(concat!($counted_form, ":N"),)*];
    };
}

forms! {
    Drop = "drop",
    Pseudonym = "pseudonym",
    Year = "year",
    Month = "month",
    ;
    KeepFirst = "keep-first",
    KeepLast = "keep-last",
    Round = "round",
}

/// A decimal number from 1, in digits only: `parse` alone would take `+1`.
fn count<N: FromStr + PartialOrd + From<u8>>(digits: &str) -> Option<N> {
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let n: N = digits.parse().ok()?;
    (all_digits && n >= N::from(1)).then_some(n)
}

impl Mask {
    /// Whether nothing that this mask hides is shown by the other.
    pub fn is_kept_by(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Drop) => true,
            (Self::KeepFirst(n), Self::KeepFirst(m)) | (Self::KeepLast(n), Self::KeepLast(m)) => {
                m <= n
            }
            // A year is in every month.
            (Self::Month, Self::Year) => true,
            // What is rounded further is rounded to a multiple.
            (Self::Round(n), Self::Round(m)) => m % n == 0,
            (mask, same) => mask == same,
        }
    }

    /// Whether the mask can blur the field's values; of a list, each of its values.
    pub fn fits(self, field: &FieldDescriptor) -> Result<(), UnfitMask> {
        let kind = field.kind();
        let text = matches!(kind, Kind::String) && !field.is_map();
        let (fits, needs) = match self {
            Self::Drop => return Ok(()),
            Self::KeepFirst(_) | Self::KeepLast(_) | Self::Pseudonym => (text, "a string"),
            Self::Year | Self::Month => (
                text || is_date(&kind),
                "a string with an ISO 8601 date, a google.protobuf.Timestamp or a google.type.Date",
            ),
            Self::Round(_) => (is_number(&kind), "a number"),
        };
        if fits {
            return Ok(());
        }
        Err(UnfitMask {
            mask: self,
            kind: super::type_name::type_name(field),
            needs,
        })
    }
}

fn is_date(kind: &Kind) -> bool {
    let Some(message) = kind.as_message() else {
        return false;
    };
    match message.full_name() {
        "google.protobuf.Timestamp" => true,
        "google.type.Date" => {
            [("year", 1), ("month", 2), ("day", 3)]
                .iter()
                .all(|(name, number)| {
                    message.get_field_by_name(name).is_some_and(|f| {
                        f.number() == *number && matches!(f.kind(), Kind::Int32) && !f.is_list()
                    })
                })
        }
        _ => false,
    }
}

fn is_number(kind: &Kind) -> bool {
    match kind {
        Kind::Double
        | Kind::Float
        | Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64 => true,
        Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => false,
    }
}

#[cfg(test)]
mod tests;
