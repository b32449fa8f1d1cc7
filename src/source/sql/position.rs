//! Where an answer stopped, so that the next question resumes there.

use std::cmp::Ordering;
use std::fmt;

use aws_lc_rs::digest;
use bytes::Bytes;

use super::narrow::default_of;
use crate::policy::decision::Permit;
use crate::registry::decimal::Decimal;
use crate::registry::extract;
use crate::registry::field::Field;
use crate::registry::query::Order;
use crate::registry::query::Selection;
use crate::registry::scalar::Datum;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;
use crate::registry::wire::WireFields;
use crate::registry::wire::WireValue;
use crate::registry::wire::put_key;
use crate::registry::wire::put_len;
use crate::registry::wire::put_varint;

/// The place after one record in the order of one question. Holds personal data: it leaves only sealed.
#[derive(Clone, PartialEq)]
pub struct Position {
    /// Of the record type's schema and the order.
    shape: [u8; 16],
    /// One for each term of the order, the key last.
    values: Vec<Literal>,
}

/// Shows that there is a position, not where.
impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Position")
    }
}

/// Bytes that are not a position of this question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor belongs to another question")]
pub struct ForeignPosition;

impl Position {
    /// The place after a record as the source gave it. `None` where the records have no order.
    pub fn after(permit: &Permit, record: &[u8]) -> Option<Self> {
        Self::following(&permit.query().schema, &order_of(permit)?, record)
    }

    pub(in crate::source) fn following(
        schema: &RecordSchema,
        order: &[Order],
        record: &[u8],
    ) -> Option<Self> {
        let values = order
            .iter()
            .map(|by| value(record, &by.field))
            .collect::<Option<_>>()?;
        Some(Self {
            shape: shape(schema, order),
            values,
        })
    }

    pub(in crate::source) fn values(&self) -> &[Literal] {
        &self.values
    }

    /// Whether this place comes after another in the order of their question.
    pub(in crate::source) fn is_after(&self, other: &Self, order: &[Order]) -> bool {
        let terms = order.iter().zip(self.values.iter().zip(&other.values));
        let mut differing = terms.filter_map(|(by, (here, there))| {
            let ordering = Datum::of(here).place(&Datum::of(there))?;
            let ordering = match by.descending {
                true => ordering.reverse(),
                false => ordering,
            };
            ordering.is_ne().then_some(ordering)
        });
        differing.next().is_some_and(Ordering::is_gt)
    }

    /// A protobuf message: field 1 is the shape, each further value stands under the number of its type.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_len(&mut out, 1, &self.shape);
        for value in &self.values {
            match value {
                Literal::Text(text) => put_len(&mut out, 2, text.as_bytes()),
                Literal::Decimal(decimal) => put_len(&mut out, 11, decimal.as_str().as_bytes()),
                Literal::Integer(value) => put_number(&mut out, 3, *value as u64),
                Literal::Unsigned(value) => put_number(&mut out, 4, *value),
                Literal::Number(value) => put_number(&mut out, 5, value.to_bits()),
                Literal::Boolean(value) => put_number(&mut out, 6, (*value).into()),
                Literal::Data(bytes) => put_len(&mut out, 7, bytes),
                Literal::Enum { number, .. } => put_number(&mut out, 8, i64::from(*number) as u64),
                Literal::Time { seconds, nanos } => {
                    put_number(&mut out, 9, *seconds as u64);
                    put_number(&mut out, 10, *nanos as u64);
                }
            }
        }
        out
    }

    /// Reads a position of the permit's question; refuses that of another record type, schema or order.
    pub fn decode(bytes: &[u8], permit: &Permit) -> Result<Self, ForeignPosition> {
        let order = order_of(permit).ok_or(ForeignPosition)?;
        let expected = shape(&permit.query().schema, &order);
        let mut fields = WireFields::of(bytes);
        let mut next = || fields.next().transpose().map_err(|_| ForeignPosition);
        match next()? {
            Some(field) if field.number == 1 && field.value == WireValue::Len(&expected) => {}
            _ => return Err(ForeignPosition),
        }
        let mut values = Vec::with_capacity(order.len());
        while let Some(field) = next()? {
            values.push(match (field.number, field.value) {
                (2, WireValue::Len(text)) => {
                    let text = std::str::from_utf8(text).map_err(|_| ForeignPosition)?;
                    Literal::Text(text.into())
                }
                (11, WireValue::Len(text)) => {
                    let decimal = std::str::from_utf8(text).ok().and_then(Decimal::parse);
                    Literal::Decimal(decimal.ok_or(ForeignPosition)?)
                }
                (3, WireValue::Varint(value)) => Literal::Integer(value as i64),
                (4, WireValue::Varint(value)) => Literal::Unsigned(value),
                (5, WireValue::Varint(value)) => Literal::Number(f64::from_bits(value)),
                (6, WireValue::Varint(value)) => Literal::Boolean(value != 0),
                (7, WireValue::Len(bytes)) => Literal::Data(Bytes::copy_from_slice(bytes)),
                (8, WireValue::Varint(value)) => Literal::Enum {
                    name: "".into(),
                    number: value as i32,
                },
                (9, WireValue::Varint(seconds)) => match next()? {
                    Some(nanos) if nanos.number == 10 => Literal::Time {
                        seconds: seconds as i64,
                        nanos: match nanos.value {
                            WireValue::Varint(nanos) => nanos as i32,
                            _ => return Err(ForeignPosition),
                        },
                    },
                    _ => return Err(ForeignPosition),
                },
                _ => return Err(ForeignPosition),
            });
        }
        let fits = |(by, value): (&Order, &Literal)| {
            default_of(&by.field)
                .is_some_and(|d| std::mem::discriminant(&d) == std::mem::discriminant(value))
        };
        if values.len() == order.len() && order.iter().zip(&values).all(fits) {
            let shape = expected;
            Ok(Self { shape, values })
        } else {
            Err(ForeignPosition)
        }
    }
}

fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, 0);
    put_varint(out, value);
}

fn value(record: &[u8], field: &Field) -> Option<Literal> {
    match extract::value_of(record, field).ok()? {
        Some(value) => Some(value),
        None => default_of(field),
    }
}

/// The order of a question's records, ending with the key; `None` where they have none: an order by a key that is not
/// released in clear would disclose it.
pub(super) fn order_of(permit: &Permit) -> Option<Vec<Order>> {
    let query = permit.query();
    let Selection::Query { order, .. } = &query.selection else {
        return None;
    };
    let key = query.schema.key();
    if order.is_empty() && !releases_key(permit) {
        return None;
    }
    let mut whole: Vec<Order> = Vec::with_capacity(order.len() + 1);
    for by in order {
        whole.push(by.clone());
        if by.field.path() == key.path() {
            return Some(whole);
        }
    }
    whole.push(Order {
        field: key.clone(),
        descending: false,
    });
    Some(whole)
}

fn releases_key(permit: &Permit) -> bool {
    let key = permit.query().schema.key().path();
    let mut released = permit.grant().released.iter();
    released.any(|released| released.mask.is_none() && key.within(released.field.path()))
}

fn shape(schema: &RecordSchema, order: &[Order]) -> [u8; 16] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(schema.digest());
    for by in order {
        hash.update(&[u8::from(by.descending)]);
        hash.update(by.field.path().as_str().as_bytes());
        hash.update(&[0]);
    }
    let mut shape = [0; 16];
    for (to, from) in shape.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    shape
}
