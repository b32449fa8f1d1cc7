//! Values of a record's fields, as questions state them.

use std::sync::Arc;

use bytes::Bytes;

/// A value of the type that its field has. Holds personal data: it has no `Debug` that shows it.
#[derive(Clone, PartialEq)]
pub enum Literal {
    Text(Arc<str>),
    /// int32, int64, sint32, sint64, sfixed32, sfixed64.
    Integer(i64),
    /// uint32, uint64, fixed32, fixed64.
    Unsigned(u64),
    /// float, double.
    Number(f64),
    Boolean(bool),
    Data(Bytes),
    Enum {
        name: Arc<str>,
        number: i32,
    },
    /// google.protobuf.Timestamp.
    Time {
        seconds: i64,
        nanos: i32,
    },
}
