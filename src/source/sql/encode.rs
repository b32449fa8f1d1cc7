//! From a database's values to the bytes of a record, without a message tree in between.

use std::ops::Range;

use bytes::BufMut;
use bytes::BytesMut;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use prost_reflect::EnumDescriptor;
use prost_reflect::Kind;
use time::Date;

use super::binding::Column;
use super::binding::Node;
use super::binding::Target;
use super::codec::Codec;
use super::codec::ValueKind;
use crate::registry::decimal::Parts;
use crate::registry::wire::put_key;
use crate::registry::wire::put_len;
use crate::registry::wire::put_varint;

/// One value as the database gave it.
pub(super) enum Cell<'r> {
    Null,
    Text(&'r str),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    Boolean(bool),
    Data(&'r [u8]),
    Date(Date),
    Instant { seconds: i64, nanos: i32 },
    List(Vec<Self>),
}

/// What is wrong with a value; never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EncodeError(pub(super) &'static str);

/// A row of one of the databases.
pub(super) trait Row {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, EncodeError>;
}

/// A value that does not fit, and the field that it is of.
pub(super) struct Misfit<'n> {
    pub(super) column: &'n Column,
    pub(super) unfit: EncodeError,
}

/// Writes the fields that the row states, and says where the key came to stand. Returns whether any column had a value.
pub(super) fn put_row<'n, R: Row>(
    out: &mut BytesMut,
    nodes: &'n [Node],
    row: &R,
    key: &mut Range<usize>,
) -> Result<bool, Misfit<'n>> {
    let mut stated = false;
    for node in nodes {
        stated |= match node {
            Node::Column { index, column } => {
                let start = out.len();
                let stated = row
                    .cell(*index, &column.codec)
                    .and_then(|cell| put_column(out, column, &cell))
                    .map_err(|unfit| Misfit { column, unfit })?;
                if column.target.is_key {
                    *key = start..out.len();
                }
                stated
            }
            Node::Message { number, fields } => {
                let mut inner = BytesMut::new();
                let stated = put_row(&mut inner, fields, row, &mut Range::default())?;
                if stated {
                    put_len(out, *number, &inner);
                }
                stated
            }
        };
    }
    Ok(stated)
}

fn put_column(out: &mut BytesMut, column: &Column, cell: &Cell<'_>) -> Result<bool, EncodeError> {
    let target = &column.target;
    match cell {
        Cell::Null if target.is_key => return Err(EncodeError("is NULL, and it is the key")),
        Cell::Null => return Ok(false),
        Cell::Text("") if target.is_key => return Err(EncodeError("is empty, and it is the key")),
        Cell::List(cells) => put_list(out, target, cells)?,
        Cell::Text(text) if matches!(column.codec, Codec::Json(_)) => put_json(out, column, text)?,
        cell => put_value(out, target, cell, target.states_default)?,
    }
    Ok(true)
}

/// `stating` writes the type's default value too, which implicit presence leaves out.
fn put_value(
    out: &mut BytesMut,
    target: &Target,
    cell: &Cell<'_>,
    stating: bool,
) -> Result<(), EncodeError> {
    let number = target.number;
    match (target.want, cell) {
        (ValueKind::Text, Cell::Text(text)) => {
            let is_stated = stating || !text.is_empty();
            if target.is_decimal && is_stated && Parts::of(text).is_none() {
                return Err(EncodeError("is not a decimal number such as `-12.50`"));
            }
            if is_stated {
                put_len(out, number, text.as_bytes());
            }
        }
        (ValueKind::Text, Cell::Date(date)) => put_len(out, number, &iso(*date)?),
        (ValueKind::Data, Cell::Data(bytes)) => {
            if stating || !bytes.is_empty() {
                put_len(out, number, bytes);
            }
        }
        (ValueKind::Instant, Cell::Instant { seconds, nanos }) => {
            put_instant(out, number, *seconds, *nanos)?;
        }
        _ => {
            let scalar = scalar(&target.kind, cell)?;
            if stating || !scalar.is_default() {
                put_key(out, number, scalar.wire_type());
                scalar.put(out);
            }
        }
    }
    Ok(())
}

/// A value of fixed size or a varint, as it stands on the wire.
enum Scalar {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
}

impl Scalar {
    /// Positive zero is the default of a float, negative zero is not: so are the bits.
    fn is_default(&self) -> bool {
        matches!(self, Self::Varint(0) | Self::Fixed32(0) | Self::Fixed64(0))
    }

    fn wire_type(&self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Fixed32(_) => 5,
        }
    }

    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Varint(value) => put_varint(out, *value),
            Self::Fixed32(value) => out.put_u32_le(*value),
            Self::Fixed64(value) => out.put_u64_le(*value),
        }
    }
}

fn scalar(kind: &Kind, cell: &Cell<'_>) -> Result<Scalar, EncodeError> {
    match (kind, cell) {
        (Kind::Bool, Cell::Boolean(value)) => Ok(Scalar::Varint(u64::from(*value))),
        (Kind::Float, Cell::Number(value)) => Ok(Scalar::Fixed32((*value as f32).to_bits())),
        (Kind::Double, Cell::Number(value)) => Ok(Scalar::Fixed64(value.to_bits())),
        (Kind::Enum(names), Cell::Text(name)) => {
            number_of(names, name).map(|number| Scalar::Varint(i64::from(number) as u64))
        }
        (kind, Cell::Integer(value)) => integer(kind, i128::from(*value)),
        (kind, Cell::Unsigned(value)) => integer(kind, i128::from(*value)),
        _ => Err(EncodeError("has a value of another type")),
    }
}

fn number_of(names: &EnumDescriptor, name: &str) -> Result<i32, EncodeError> {
    names
        .get_value_by_name(name)
        .map(|value| value.number())
        .ok_or(EncodeError("is not the name of a value of its enum"))
}

fn integer(kind: &Kind, value: i128) -> Result<Scalar, EncodeError> {
    const RANGE: EncodeError = EncodeError("is out of the field's range");
    let int32 = || i32::try_from(value).map_err(|_| RANGE);
    let int64 = || i64::try_from(value).map_err(|_| RANGE);
    let uint32 = || u32::try_from(value).map_err(|_| RANGE);
    let uint64 = || u64::try_from(value).map_err(|_| RANGE);
    Ok(match kind {
        Kind::Int32 | Kind::Enum(_) => Scalar::Varint(i64::from(int32()?) as u64),
        Kind::Int64 => Scalar::Varint(int64()? as u64),
        Kind::Uint32 => Scalar::Varint(uint32()?.into()),
        Kind::Uint64 => Scalar::Varint(uint64()?),
        Kind::Sint32 => {
            let value = int32()?;
            Scalar::Varint(u64::from(((value << 1) ^ (value >> 31)) as u32))
        }
        Kind::Sint64 => {
            let value = int64()?;
            Scalar::Varint(((value << 1) ^ (value >> 63)) as u64)
        }
        Kind::Fixed32 => Scalar::Fixed32(uint32()?),
        Kind::Sfixed32 => Scalar::Fixed32(int32()? as u32),
        Kind::Fixed64 => Scalar::Fixed64(uint64()?),
        Kind::Sfixed64 => Scalar::Fixed64(int64()? as u64),
        _ => return Err(EncodeError("has a value of another type")),
    })
}

fn put_list(out: &mut BytesMut, target: &Target, cells: &[Cell<'_>]) -> Result<(), EncodeError> {
    if cells.iter().any(|cell| matches!(cell, Cell::Null)) {
        return Err(EncodeError("has a NULL within its list"));
    }
    if !target.packed {
        return cells
            .iter()
            .try_for_each(|cell| put_value(out, target, cell, true));
    }
    let mut packed = BytesMut::new();
    for cell in cells {
        scalar(&target.kind, cell)?.put(&mut packed);
    }
    if !packed.is_empty() {
        put_len(out, target.number, &packed);
    }
    Ok(())
}

/// From 0001 to 9999: ISO 8601 and RFC 3339 have no more.
pub(super) fn iso(date: Date) -> Result<[u8; 10], EncodeError> {
    let (year, month, day) = date.to_calendar_date();
    if !(1..=9999).contains(&year) {
        return Err(EncodeError("is a date out of the years 1 to 9999"));
    }
    let digit = |value: i32| b'0' + (value % 10) as u8;
    let (month, day) = (i32::from(u8::from(month)), i32::from(day));
    Ok([
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
    ])
}

/// The range of google.protobuf.Timestamp: 0001-01-01 to the end of 9999.
pub(super) const INSTANTS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

fn put_instant(
    out: &mut BytesMut,
    number: u32,
    seconds: i64,
    nanos: i32,
) -> Result<(), EncodeError> {
    if !INSTANTS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(EncodeError("is a time out of the years 1 to 9999"));
    }
    let mut inner = BytesMut::new();
    for (number, value) in [(1, seconds as u64), (2, nanos as u64)] {
        if value != 0 {
            put_key(&mut inner, number, 0);
            put_varint(&mut inner, value);
        }
    }
    put_len(out, number, &inner);
    Ok(())
}

/// A message, list or map from its JSON, by protobuf's own JSON mapping; members that the schema does not know are
/// refused.
fn put_json(out: &mut BytesMut, column: &Column, text: &str) -> Result<(), EncodeError> {
    const NOT_JSON: EncodeError = EncodeError("is not the JSON of its type");
    let field = column.field.descriptor();
    if text.trim_ascii() == "null" {
        return Ok(());
    }
    if let (Kind::Message(message), false, false) = (field.kind(), field.is_list(), field.is_map())
    {
        let mut json = serde_json::Deserializer::from_str(text);
        let message = DynamicMessage::deserialize(message, &mut json).map_err(|_| NOT_JSON)?;
        json.end().map_err(|_| NOT_JSON)?;
        put_len(out, field.number(), &message.encode_to_vec());
        return Ok(());
    }
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| NOT_JSON)?;
    let whole = serde_json::Value::Object([(field.name().to_owned(), value)].into_iter().collect());
    let message =
        DynamicMessage::deserialize(field.parent_message().clone(), whole).map_err(|_| NOT_JSON)?;
    message.encode(out).map_err(|_| NOT_JSON)
}
