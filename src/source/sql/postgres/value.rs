//! Values in PostgreSQL's binary format: integers in network order, dates in days and times in microseconds since
//! 2000-01-01.

use std::error::Error;

use bytes::BufMut;
use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::Oid;
use time::Date;

use super::session::PgRow;
use crate::source::sql::codec::Codec;
use crate::source::sql::encode::Cell;
use crate::source::sql::encode::EncodeError;
use crate::source::sql::encode::Row;
use crate::source::sql::statement::Arg;

/// The type by which a value is bound. Every one of these numbers stands in PostgreSQL's `pg_type.dat`.
pub(super) fn oid(arg: &Arg) -> Oid {
    match arg {
        Arg::Text(_) => 25,
        Arg::Integer(_) | Arg::Unsigned(_) => 20,
        Arg::Number(_) => 701,
        Arg::Boolean(_) => 16,
        Arg::Data(_) => 17,
    }
}

pub(super) fn put(arg: &Arg, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
    match arg {
        Arg::Text(text) => out.put_slice(text.as_bytes()),
        Arg::Integer(value) => out.put_i64(*value),
        Arg::Unsigned(value) => out.put_i64(i64::try_from(*value)?),
        Arg::Number(value) => out.put_f64(*value),
        Arg::Boolean(value) => out.put_u8((*value).into()),
        Arg::Data(bytes) => out.put_slice(bytes),
    }
    Ok(IsNull::No)
}

/// Whether values of the type are what the codec reads.
pub(super) fn is_read_by(oid: Oid, codec: &Codec) -> bool {
    match codec {
        Codec::Text | Codec::EnumName(false) | Codec::Json(false) => matches!(oid, 25 | 1043),
        Codec::Rendered | Codec::Decimal | Codec::Uuid | Codec::EnumName(true) => oid == 25,
        Codec::Json(true) => matches!(oid, 114 | 3802),
        Codec::Integer | Codec::EnumNumber => matches!(oid, 20 | 21 | 23),
        Codec::Boolean => oid == 16,
        Codec::Float => oid == 700,
        Codec::Double => oid == 701,
        Codec::Data => oid == 17,
        Codec::Date => oid == 1082,
        Codec::Instant => oid == 1184,
        Codec::List(element) => element_of(oid).is_some_and(|oid| is_read_by(oid, element)),
        Codec::Unsigned | Codec::UnixSeconds | Codec::InstantText | Codec::EnumEither => false,
    }
}

fn element_of(array: Oid) -> Option<Oid> {
    Some(match array {
        1000 => 16,
        1001 => 17,
        1016 => 20,
        1005 => 21,
        1007 => 23,
        1009 => 25,
        199 => 114,
        1021 => 700,
        1022 => 701,
        1015 => 1043,
        1182 => 1082,
        1185 => 1184,
        3807 => 3802,
        _ => return None,
    })
}

impl Row for PgRow<'_> {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, EncodeError> {
        match self.value(index).ok_or(ODD)? {
            None => Ok(Cell::Null),
            Some(bytes) => binary(bytes, codec),
        }
    }
}

const ODD: EncodeError = EncodeError("has a value that the driver cannot read");

fn binary<'r>(bytes: &'r [u8], codec: &Codec) -> Result<Cell<'r>, EncodeError> {
    let text = |bytes| std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| ODD);
    Ok(match codec {
        Codec::Text
        | Codec::Rendered
        | Codec::Decimal
        | Codec::Uuid
        | Codec::EnumName(_)
        | Codec::Json(false) => text(bytes)?,
        // `jsonb` begins with its version.
        Codec::Json(true) => text(bytes.strip_prefix(&[1]).unwrap_or(bytes))?,
        Codec::Integer | Codec::EnumNumber => Cell::Integer(signed(bytes)?),
        Codec::Boolean => Cell::Boolean(bytes != [0]),
        Codec::Float => Cell::Number(f32::from_be_bytes(sized(bytes)?).into()),
        Codec::Double => Cell::Number(f64::from_be_bytes(sized(bytes)?)),
        Codec::Data => Cell::Data(bytes),
        Codec::Date => Cell::Date(date(i32::from_be_bytes(sized(bytes)?))?),
        Codec::Instant => instant(i64::from_be_bytes(sized(bytes)?))?,
        Codec::List(element) => Cell::List(array(bytes, element)?),
        Codec::Unsigned | Codec::UnixSeconds | Codec::InstantText | Codec::EnumEither => {
            return Err(ODD);
        }
    })
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], EncodeError> {
    bytes.try_into().map_err(|_| ODD)
}

fn signed(bytes: &[u8]) -> Result<i64, EncodeError> {
    match bytes.len() {
        2 => Ok(i16::from_be_bytes(sized(bytes)?).into()),
        4 => Ok(i32::from_be_bytes(sized(bytes)?).into()),
        _ => Ok(i64::from_be_bytes(sized(bytes)?)),
    }
}

fn date(days: i32) -> Result<Date, EncodeError> {
    const INFINITE: EncodeError =
        EncodeError("is an infinite date, or one out of the years 1 to 9999");
    const EPOCH: Date = time::macros::date!(2000 - 01 - 01);
    EPOCH
        .checked_add(time::Duration::days(days.into()))
        .ok_or(INFINITE)
}

fn instant<'r>(micros: i64) -> Result<Cell<'r>, EncodeError> {
    /// 2000-01-01 in seconds since 1970.
    const EPOCH: i64 = 946_684_800;
    if micros == i64::MAX || micros == i64::MIN {
        return Err(EncodeError("is an infinite time"));
    }
    Ok(Cell::Instant {
        seconds: micros.div_euclid(1_000_000) + EPOCH,
        nanos: micros.rem_euclid(1_000_000) as i32 * 1_000,
    })
}

/// Dimensions, a flag, the elements' type; length and lower bound of each dimension; then each element with its length,
/// -1 for NULL.
fn array<'r>(bytes: &'r [u8], element: &Codec) -> Result<Vec<Cell<'r>>, EncodeError> {
    let mut rest = bytes;
    let dimensions = take_i32(&mut rest)?;
    let (_flags, _type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    if dimensions > 1 {
        return Err(EncodeError("is a list of lists"));
    }
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    let length = take_i32(&mut rest)?;
    let _lower_bound = take_i32(&mut rest)?;
    (0..length)
        .map(|_| match usize::try_from(take_i32(&mut rest)?) {
            Err(_) => Ok(Cell::Null),
            Ok(size) => {
                let (value, left) = rest.split_at_checked(size).ok_or(ODD)?;
                rest = left;
                binary(value, element)
            }
        })
        .collect()
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, EncodeError> {
    let (value, left) = rest.split_first_chunk().ok_or(ODD)?;
    *rest = left;
    Ok(i32::from_be_bytes(*value))
}
