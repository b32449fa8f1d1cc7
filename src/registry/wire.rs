//! The protobuf wire format, read in one pass without a message tree.
//!
//! Rules: <https://protobuf.dev/programming-guides/encoding/>. Groups are not read: proto3 has none.

use bytes::BufMut;

/// Bytes that are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the message ends within a field")]
    Truncated,
    #[error("a varint has more than 64 bits")]
    Varint,
    #[error("field number {0} is out of range")]
    Number(u64),
    #[error("field {number} has wire type {wire_type}, which is not read")]
    WireType { number: u32, wire_type: u8 },
    #[error("field {0} has not the wire type of its declaration")]
    Mismatch(u32),
    #[error("field {0} is not UTF-8")]
    Utf8(u32),
    #[error("field {0} is not a decimal number")]
    Decimal(u32),
    #[error("messages are nested deeper than {} levels", MAX_DEPTH)]
    Depth,
}

/// The deepest nesting of messages that is read, as in other protobuf implementations.
pub const MAX_DEPTH: usize = 100;

/// One field as it stands in a message.
#[derive(Clone, Copy, PartialEq)]
pub struct WireField<'a> {
    pub number: u32,
    pub value: WireValue<'a>,
    /// Key and value, as they stand.
    pub whole: &'a [u8],
}

#[derive(Clone, Copy, PartialEq)]
pub enum WireValue<'a> {
    Varint(u64),
    Fixed64(u64),
    Len(&'a [u8]),
    Fixed32(u32),
}

/// Shows the number and the size, not the value.
impl std::fmt::Debug for WireField<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WireField")
            .field("number", &self.number)
            .field("bytes", &self.whole.len())
            .finish()
    }
}

/// Shows the wire type, not the value.
impl std::fmt::Debug for WireValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Varint(_) => "Varint",
            Self::Fixed64(_) => "Fixed64",
            Self::Len(_) => "Len",
            Self::Fixed32(_) => "Fixed32",
        })
    }
}

/// The fields of a message, in the order of the bytes. Ends after the first fault.
#[derive(Clone)]
pub struct WireFields<'a> {
    rest: &'a [u8],
}

impl std::fmt::Debug for WireFields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WireFields")
            .field("bytes_left", &self.rest.len())
            .finish()
    }
}

impl<'a> WireFields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    #[inline]
    fn read(&mut self) -> Result<WireField<'a>, Malformed> {
        let start = self.rest;
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3)
            .ok()
            .filter(|n| (1..1 << 29).contains(n))
            .ok_or(Malformed::Number(key >> 3))?;
        let value = match key & 7 {
            0 => WireValue::Varint(varint(&mut self.rest)?),
            1 => WireValue::Fixed64(u64::from_le_bytes(fixed(&mut self.rest)?)),
            2 => {
                let len =
                    usize::try_from(varint(&mut self.rest)?).map_err(|_| Malformed::Truncated)?;
                WireValue::Len(take(&mut self.rest, len)?)
            }
            5 => WireValue::Fixed32(u32::from_le_bytes(fixed(&mut self.rest)?)),
            other => {
                return Err(Malformed::WireType {
                    number,
                    wire_type: other as u8,
                });
            }
        };
        let (whole, _) = start.split_at(start.len() - self.rest.len());
        Ok(WireField {
            number,
            value,
            whole,
        })
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Result<WireField<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Malformed> {
    let (taken, left) = rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
    *rest = left;
    Ok(taken)
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, left) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    *rest = left;
    Ok(*taken)
}

/// Reads one varint off the front.
#[inline]
pub fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    // Keys and lengths nearly always have one byte.
    if let Some((&byte, left)) = rest.split_first()
        && byte < 0x80
    {
        *rest = left;
        return Ok(u64::from(byte));
    }
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first().ok_or(Malformed::Truncated)?;
        *rest = left;
        if shift == 63 && byte > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed::Varint)
}

pub fn put_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

pub fn put_key(out: &mut impl BufMut, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Writes a length-delimited field.
pub fn put_len(out: &mut impl BufMut, number: u32, bytes: &[u8]) {
    put_key(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Writes a field with its key.
pub fn put_value(out: &mut impl BufMut, number: u32, value: WireValue<'_>) {
    let wire_type = match value {
        WireValue::Varint(_) => 0,
        WireValue::Fixed64(_) => 1,
        WireValue::Len(_) => 2,
        WireValue::Fixed32(_) => 5,
    };
    put_key(out, number, wire_type);
    put_bare(out, value);
}

/// Writes a value without its key, as in a packed list.
pub fn put_bare(out: &mut impl BufMut, value: WireValue<'_>) {
    match value {
        WireValue::Varint(v) => put_varint(out, v),
        WireValue::Fixed64(v) => out.put_u64_le(v),
        WireValue::Len(bytes) => {
            put_varint(out, bytes.len() as u64);
            out.put_slice(bytes);
        }
        WireValue::Fixed32(v) => out.put_u32_le(v),
    }
}

/// Writes a length-delimited field whose content is written by `body`, into the same buffer.
///
/// `expected` is a guess at the content's length: a good one saves moving the content when its length is known.
pub fn put_nested<E>(
    out: &mut Vec<u8>,
    number: u32,
    expected: usize,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    put_key(out, number, 2);
    let prefix = out.len();
    put_varint(out, expected as u64);
    let start = out.len();
    body(out)?;
    let len = out.len() - start;
    if len != expected {
        let mut bytes = [0_u8; 10];
        let mut left = &mut bytes[..];
        put_varint(&mut left, len as u64);
        let used = 10 - left.len();
        out.splice(prefix..start, bytes.into_iter().take(used));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
