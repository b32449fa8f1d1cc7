//! A question in the words in which it was asked, to check it and to pass it on.

use bytes::Bytes;

use super::Mode;
use super::RawSelection;
use crate::pb;

/// Which records, and what is wanted of them, unchecked. Holds personal data: it has no `Debug` that shows it.
#[derive(Clone)]
pub enum Question {
    Get {
        key: String,
    },
    Query {
        filter: String,
        order_by: String,
        limit: u32,
        cursor: Bytes,
    },
    Verify {
        key: String,
        claims: Vec<pb::Claim>,
    },
    Count {
        filter: String,
    },
}

impl Question {
    pub fn mode(&self) -> Mode {
        match self {
            Self::Get { .. } => Mode::Get,
            Self::Query { .. } => Mode::Query,
            Self::Verify { .. } => Mode::Verify,
            Self::Count { .. } => Mode::Count,
        }
    }

    pub fn raw(&self) -> RawSelection<'_> {
        match self {
            Self::Get { key } => RawSelection::Get { key },
            Self::Query {
                filter,
                order_by,
                limit,
                cursor,
            } => RawSelection::Query {
                filter,
                order_by,
                limit: *limit,
                cursor,
            },
            Self::Verify { key, claims } => RawSelection::Verify { key, claims },
            Self::Count { filter } => RawSelection::Count { filter },
        }
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.mode().as_str())
    }
}
