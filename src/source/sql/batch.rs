//! Rows on their way into records, and the connections that they come over.

use bytes::Bytes;
use bytes::BytesMut;
use sqlx::Database;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

use super::encode::Row;
use super::encode::put_row;
use super::plan::Plan;
use crate::source::SourceError;
use crate::source::reading::MAX_RECORD;

/// Batches are sent when they have reached this size.
const BATCH: usize = 96 * 1024;

/// Records on their way into one buffer.
#[derive(Default)]
pub(super) struct Batch {
    buffer: BytesMut,
    records: Vec<Bytes>,
    ends: Vec<usize>,
}

impl Batch {
    pub(super) fn push<R: Row>(&mut self, plan: &Plan, row: &R) -> Result<(), SourceError> {
        let start = self.buffer.len();
        put_row(&mut self.buffer, &plan.nodes, row).map_err(|misfit| {
            SourceError::Misfit(format!(
                "{}: the field `{}` {}",
                plan.binding.schema.name(),
                misfit.column.field.path(),
                misfit.unfit.0
            ))
        })?;
        if self.buffer.len() - start > MAX_RECORD {
            return Err(SourceError::Misfit(format!(
                "{}: a record has more than {MAX_RECORD} bytes",
                plan.binding.schema.name()
            )));
        }
        self.ends.push(self.buffer.len());
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= BATCH
    }

    /// Slices of one shared buffer.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        let mut whole = self.buffer.split().freeze();
        let mut start = 0;
        self.records.reserve(self.ends.len());
        for end in self.ends.drain(..) {
            self.records.push(whole.split_to(end - start));
            start = end;
        }
        std::mem::take(&mut self.records)
    }
}

/// How many rows to fetch so that they fill a batch.
pub(super) fn rows_for_batch(rows: usize, bytes: usize) -> usize {
    let size = bytes.checked_div(rows).unwrap_or(0).max(16);
    (BATCH / size).clamp(16, 4096)
}

/// A connection out of the pool, opened if need be. What opens one is a future of many kilobytes: it stands apart, so
/// that who finds a connection idle does not carry it, nor anyone who waits for them.
pub(super) async fn acquire<DB: Database>(
    pool: &Pool<DB>,
) -> Result<PoolConnection<DB>, sqlx::Error> {
    match pool.try_acquire() {
        Some(idle) => Ok(idle),
        None => Box::pin(pool.acquire()).await,
    }
}

/// A connection out of the pool. Back in the pool it would first read to its end whatever is under way, so one that is
/// dropped at work is closed instead.
pub(super) struct Lease<DB: Database> {
    pub(super) connection: PoolConnection<DB>,
    pub(super) at_work: bool,
}

impl<DB: Database> Lease<DB> {
    pub(super) fn new(connection: PoolConnection<DB>) -> Self {
        Self {
            connection,
            at_work: false,
        }
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if self.at_work {
            self.connection.close_on_drop();
        }
    }
}
