//! Where records come from: a database, or the peer that has them.

pub mod import;
pub mod sql;

use bytes::Bytes;

use crate::policy::decision::Permit;

/// Records as a source gives them, still to be redacted, with the permit under which they were fetched.
pub struct Records {
    pub(super) permit: Permit,
    // a pull-based cursor: `next` fetches one batch
}

impl Records {
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The next records, each encoded as its record type; `None` at the end. A batch is at most about 128 KiB.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        todo!()
    }
}

/// Why a source could not answer. `Display` is for the operator and holds no value of a record.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the source cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the source took longer than {0:?}")]
    Timeout(std::time::Duration),
    #[error("a record of the source does not fit its schema: {0}")]
    Misfit(String),
    #[error("the source failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
