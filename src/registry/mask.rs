//! Masks: what is left of a value that is released in part.

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
