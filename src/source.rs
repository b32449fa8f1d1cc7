//! Where records come from: a database, or the peer that has them.

pub mod import;
pub mod sql;

use std::time::Duration;

use bytes::Bytes;

use crate::policy::decision::Permit;

/// Records as a source gives them, still to be redacted, with the permit under which they were fetched.
///
/// Nothing is read before it is asked for, and dropping it frees the source at once.
pub struct Records {
    permit: Permit,
    cursor: Cursor,
}

enum Cursor {
    Sql(sql::Reading),
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    fn new(permit: Permit, cursor: Cursor) -> Self {
        Self { permit, cursor }
    }

    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The next records, each encoded as its record type; `None` at the end. A batch is at most about 128 KiB.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        match &mut self.cursor {
            Cursor::Sql(reading) => reading.next().await,
        }
    }
}

/// Why a source could not answer. `Display` is for the operator and holds no value of a record.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the source cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the source took longer than {0:?}")]
    Timeout(Duration),
    #[error("a record of the source does not fit its schema: {0}")]
    Misfit(String),
    #[error("the source failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
