//! Single values as they stand in an encoded record, borrowed from it.

use std::cmp::Ordering;
use std::str;

use prost_reflect::Kind;

use super::decimal::Parts;
use super::value::Literal;
use super::wire::Malformed;
use super::wire::WireValue;
use super::wire::varint;

/// A declared type other than a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    Bool,
    Enum,
    Text,
    Data,
}

/// What a record states for a field. Holds personal data: it has no `Debug`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Datum<'a> {
    Nothing,
    Text(&'a str),
    /// A literal's only: a record states texts.
    Decimal(Parts<'a>),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    Boolean(bool),
    Data(&'a [u8]),
    Enum(i32),
    Time {
        seconds: i64,
        nanos: i32,
    },
    /// A message, a list or a map, of which only the presence is read.
    Something,
}

impl Scalar {
    /// `None` for messages.
    pub(crate) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::Uint32,
            Kind::Uint64 => Self::Uint64,
            Kind::Sint32 => Self::Sint32,
            Kind::Sint64 => Self::Sint64,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Sfixed32 => Self::Sfixed32,
            Kind::Sfixed64 => Self::Sfixed64,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::Bool => Self::Bool,
            Kind::Enum(_) => Self::Enum,
            Kind::String => Self::Text,
            Kind::Bytes => Self::Data,
            Kind::Message(_) => return None,
        })
    }

    /// The value that proto3 gives to a field that is not there.
    pub(crate) fn default(self) -> Datum<'static> {
        match self {
            Self::Int32 | Self::Int64 | Self::Sint32 | Self::Sint64 => Datum::Integer(0),
            Self::Sfixed32 | Self::Sfixed64 => Datum::Integer(0),
            Self::Uint32 | Self::Uint64 | Self::Fixed32 | Self::Fixed64 => Datum::Unsigned(0),
            Self::Float | Self::Double => Datum::Number(0.0),
            Self::Bool => Datum::Boolean(false),
            Self::Enum => Datum::Enum(0),
            Self::Text => Datum::Text(""),
            Self::Data => Datum::Data(&[]),
        }
    }

    /// Reads one value. A varint wider than its 32-bit type loses its high bits, as everywhere in protobuf.
    pub(crate) fn read(self, number: u32, value: WireValue<'_>) -> Result<Datum<'_>, Malformed> {
        use WireValue::Fixed32;
        use WireValue::Fixed64;
        use WireValue::Len;
        use WireValue::Varint;
        Ok(match (self, value) {
            (Self::Int32, Varint(v)) => Datum::Integer(i64::from(v as i32)),
            (Self::Int64, Varint(v)) => Datum::Integer(v as i64),
            (Self::Uint32, Varint(v)) => Datum::Unsigned(u64::from(v as u32)),
            (Self::Uint64, Varint(v)) => Datum::Unsigned(v),
            (Self::Sint32, Varint(v)) => Datum::Integer(unzigzag(u64::from(v as u32))),
            (Self::Sint64, Varint(v)) => Datum::Integer(unzigzag(v)),
            (Self::Fixed32, Fixed32(v)) => Datum::Unsigned(u64::from(v)),
            (Self::Fixed64, Fixed64(v)) => Datum::Unsigned(v),
            (Self::Sfixed32, Fixed32(v)) => Datum::Integer(i64::from(v as i32)),
            (Self::Sfixed64, Fixed64(v)) => Datum::Integer(v as i64),
            (Self::Float, Fixed32(v)) => Datum::Number(f64::from(f32::from_bits(v))),
            (Self::Double, Fixed64(v)) => Datum::Number(f64::from_bits(v)),
            (Self::Bool, Varint(v)) => Datum::Boolean(v != 0),
            (Self::Enum, Varint(v)) => Datum::Enum(v as i32),
            (Self::Text, Len(v)) => {
                Datum::Text(str::from_utf8(v).map_err(|_| Malformed::Utf8(number))?)
            }
            (Self::Data, Len(v)) => Datum::Data(v),
            _ => return Err(Malformed::Mismatch(number)),
        })
    }

    /// How a value of this type stands on the wire; `None` for a value that the type does not hold.
    pub(crate) fn write(self, value: Datum<'_>) -> Option<WireValue<'_>> {
        use WireValue::Fixed32;
        use WireValue::Fixed64;
        use WireValue::Len;
        use WireValue::Varint;
        Some(match (self, value) {
            (Self::Int32, Datum::Integer(v)) => Varint(i64::from(i32::try_from(v).ok()?) as u64),
            (Self::Int64, Datum::Integer(v)) => Varint(v as u64),
            (Self::Uint32, Datum::Unsigned(v)) => Varint(u64::from(u32::try_from(v).ok()?)),
            (Self::Uint64, Datum::Unsigned(v)) => Varint(v),
            (Self::Sint32, Datum::Integer(v)) => Varint(zigzag(i64::from(i32::try_from(v).ok()?))),
            (Self::Sint64, Datum::Integer(v)) => Varint(zigzag(v)),
            (Self::Fixed32, Datum::Unsigned(v)) => Fixed32(u32::try_from(v).ok()?),
            (Self::Fixed64, Datum::Unsigned(v)) => Fixed64(v),
            (Self::Sfixed32, Datum::Integer(v)) => Fixed32(i32::try_from(v).ok()? as u32),
            (Self::Sfixed64, Datum::Integer(v)) => Fixed64(v as u64),
            (Self::Float, Datum::Number(v)) => {
                let narrow = v as f32;
                (f64::from(narrow) == v).then_some(Fixed32(narrow.to_bits()))?
            }
            (Self::Double, Datum::Number(v)) => Fixed64(v.to_bits()),
            (Self::Bool, Datum::Boolean(v)) => Varint(u64::from(v)),
            (Self::Enum, Datum::Enum(v)) => Varint(i64::from(v) as u64),
            (Self::Text, Datum::Text(v)) => Len(v.as_bytes()),
            (Self::Data, Datum::Data(v)) => Len(v),
            _ => return None,
        })
    }

    /// Whether a list of it may stand packed in one length-delimited field.
    pub(crate) fn packs(self) -> bool {
        !matches!(self, Self::Text | Self::Data)
    }

    /// Takes the next value off a packed list. Only for types that pack.
    pub(crate) fn unpack<'a>(
        self,
        number: u32,
        packed: &mut &'a [u8],
    ) -> Result<WireValue<'a>, Malformed> {
        match self {
            Self::Fixed32 | Self::Sfixed32 | Self::Float => {
                let (taken, left) = packed.split_first_chunk().ok_or(Malformed::Truncated)?;
                *packed = left;
                Ok(WireValue::Fixed32(u32::from_le_bytes(*taken)))
            }
            Self::Fixed64 | Self::Sfixed64 | Self::Double => {
                let (taken, left) = packed.split_first_chunk().ok_or(Malformed::Truncated)?;
                *packed = left;
                Ok(WireValue::Fixed64(u64::from_le_bytes(*taken)))
            }
            Self::Text | Self::Data => Err(Malformed::Mismatch(number)),
            _ => varint(packed).map(WireValue::Varint),
        }
    }
}

fn unzigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

impl<'a> Datum<'a> {
    /// The order of two values of one type; `None` for NaN, for nothing, and between types.
    /// Text is ordered by its bytes, which is by code point.
    pub(crate) fn order(&self, other: &Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
            (Self::Decimal(a), Datum::Decimal(b)) => Some(a.cmp(b)),
            (Self::Text(a), Datum::Decimal(b)) => Some(Parts::of(a)?.cmp(b)),
            (Self::Decimal(a), Datum::Text(b)) => Some(a.cmp(&Parts::of(b)?)),
            (Self::Integer(a), Datum::Integer(b)) => Some(a.cmp(b)),
            (Self::Unsigned(a), Datum::Unsigned(b)) => Some(a.cmp(b)),
            (Self::Number(a), Datum::Number(b)) => a.partial_cmp(b),
            (Self::Boolean(a), Datum::Boolean(b)) => Some(a.cmp(b)),
            (Self::Data(a), Datum::Data(b)) => Some(a.cmp(b)),
            (Self::Enum(a), Datum::Enum(b)) => Some(a.cmp(b)),
            (
                Self::Time { seconds, nanos },
                Datum::Time {
                    seconds: other_seconds,
                    nanos: other_nanos,
                },
            ) => Some((seconds, nanos).cmp(&(other_seconds, other_nanos))),
            _ => None,
        }
    }

    /// The order in which records come: that of the values, where NaN comes last and is equal to itself.
    pub(crate) fn place(&self, other: &Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Datum::Number(b)) if a.is_nan() || b.is_nan() => {
                Some(a.is_nan().cmp(&b.is_nan()))
            }
            _ => self.order(other),
        }
    }

    /// The value of a literal.
    pub(crate) fn of(literal: &'a Literal) -> Self {
        match literal {
            Literal::Text(v) => Self::Text(v),
            Literal::Decimal(v) => Self::Decimal(v.parts()),
            Literal::Integer(v) => Self::Integer(*v),
            Literal::Unsigned(v) => Self::Unsigned(*v),
            Literal::Number(v) => Self::Number(*v),
            Literal::Boolean(v) => Self::Boolean(*v),
            Literal::Data(v) => Self::Data(v),
            Literal::Enum { number, .. } => Self::Enum(*number),
            Literal::Time { seconds, nanos } => Self::Time {
                seconds: *seconds,
                nanos: *nanos,
            },
        }
    }
}
