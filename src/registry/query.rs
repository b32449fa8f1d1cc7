//! A question that has been checked against the schema.

use std::sync::Arc;

use bytes::Bytes;

use super::field::Field;
use super::filter::Filter;
use super::schema::RecordSchema;
use super::value::Literal;
use crate::name::Purpose;

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

impl Mode {
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
