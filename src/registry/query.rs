//! A question that has been checked against the schema.

pub mod question;

mod check;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::field::Field;
use super::filter::Filter;
use super::filter::FilterError;
use super::schema::RecordSchema;
use super::schema::UnknownField;
use super::value::Literal;
use super::value::ValueError;
use crate::name::FieldPath;
use crate::name::NameError;
use crate::name::Purpose;
use crate::pb;

/// A question about one record type, of which every name and value fits the schema.
#[derive(Clone)]
pub struct Query {
    pub schema: Arc<RecordSchema>,
    pub purpose: Purpose,
    pub selection: Selection,
    /// The fields asked for; all that the grant releases when empty.
    pub fields: Vec<Field>,
}

/// Which records, and what is wanted of them.
#[derive(Clone)]
pub enum Selection {
    Get {
        key: Literal,
    },
    Query {
        filter: Option<Filter>,
        order: Vec<Order>,
        limit: Option<u32>,
        cursor: Option<Bytes>,
    },
    Verify {
        key: Literal,
        claims: Vec<(Field, Literal)>,
    },
    Count {
        filter: Option<Filter>,
    },
}

#[derive(Debug, Clone)]
pub struct Order {
    pub field: Field,
    pub descending: bool,
}

/// A request's parts as they came in.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    pub purpose: &'a str,
    /// The paths of the request's field mask.
    pub fields: &'a [String],
    pub selection: RawSelection<'a>,
}

#[derive(Clone, Copy)]
pub enum RawSelection<'a> {
    Get {
        /// As text also where the key field is a number.
        key: &'a str,
    },
    Query {
        /// Every record when empty.
        filter: &'a str,
        /// Field paths, each with an optional ` desc`, separated by commas; may be empty.
        order_by: &'a str,
        /// None when 0.
        limit: u32,
        /// None when empty.
        cursor: &'a Bytes,
    },
    Verify {
        key: &'a str,
        claims: &'a [pb::Claim],
    },
    Count {
        filter: &'a str,
    },
}

/// A request that does not fit its schema. Tells no value of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {reason}")]
pub struct InvalidQuery {
    /// The part of the request, for a `google.rpc.BadRequest` violation: `fields[3]`, `filter`, `claims[0].value`.
    pub location: String,
    pub reason: Reason,
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("it is compulsory")]
    Missing,
    #[error("at most {limit} are allowed")]
    TooMany { limit: usize },
    #[error("at most {limit} bytes are allowed")]
    TooLong { limit: usize },
    #[error(transparent)]
    Purpose(NameError),
    #[error(transparent)]
    Field(UnknownField),
    #[error(transparent)]
    Value(ValueError),
    #[error(transparent)]
    Filter(FilterError),
    #[error("write a field path, alone or followed by `asc` or `desc`")]
    OrderTerm,
    #[error("`{0}` is named twice")]
    Twice(FieldPath),
    #[error("`{field}` has no single value to compare: it is a {type_name}{}", if *.in_list { " within a list" } else { "" })]
    NotSingle {
        field: FieldPath,
        type_name: String,
        in_list: bool,
    },
}

/// A mode of exchange.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Get,
    Query,
    Verify,
    Count,
}

impl Query {
    /// Checks a request's parts against the schema of the record type that it names.
    pub fn check(schema: &Arc<RecordSchema>, raw: &Raw<'_>) -> Result<Self, InvalidQuery> {
        check::check(schema, raw)
    }
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Get, Self::Query, Self::Verify, Self::Count];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Query => "query",
            Self::Verify => "verify",
            Self::Count => "count",
        }
    }
}

impl Selection {
    pub fn mode(&self) -> Mode {
        match self {
            Self::Get { .. } => Mode::Get,
            Self::Query { .. } => Mode::Query,
            Self::Verify { .. } => Mode::Verify,
            Self::Count { .. } => Mode::Count,
        }
    }

    pub fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Query { filter, .. } | Self::Count { filter } => filter.as_ref(),
            Self::Get { .. } | Self::Verify { .. } => None,
        }
    }
}

impl RawSelection<'_> {
    fn mode(&self) -> Mode {
        match self {
            Self::Get { .. } => Mode::Get,
            Self::Query { .. } => Mode::Query,
            Self::Verify { .. } => Mode::Verify,
            Self::Count { .. } => Mode::Count,
        }
    }
}

/// Shows what is asked of which record type, no key, filter or claim.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("record", self.schema.name())
            .field("purpose", &self.purpose)
            .field("selection", &self.selection)
            .field("fields", &self.fields)
            .finish()
    }
}

/// Shows the mode only.
impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode().as_str())
    }
}

/// Shows the mode only.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({})", self.selection.mode().as_str())
    }
}

/// Shows the mode only.
impl fmt::Debug for RawSelection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode().as_str())
    }
}

#[cfg(test)]
mod tests;
