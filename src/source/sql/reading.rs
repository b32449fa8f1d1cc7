//! Reading an answer batch by batch: the database works only while someone asks for the next.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use sqlx::Database;
use sqlx::Pool;
use sqlx::pool::PoolConnection;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout_at;

use super::encode::Row;
use super::encode::put_row;
use super::plan::Plan;
use crate::source::SourceError;

/// Batches are sent when they have reached this size.
const BATCH: usize = 96 * 1024;

/// The largest record that is read: one message of gRPC must hold it.
const MAX_RECORD: usize = 3 * 1024 * 1024;

/// An answer that is being read. Dropping it frees the database.
pub(in crate::source) struct Reading {
    /// Owns the connection and the statement, or the thread that does; driven from `next` alone.
    driver: Option<Driver>,
    batches: mpsc::Receiver<Vec<Bytes>>,
    /// How long one batch may take.
    patience: Duration,
    /// How long the whole answer may take.
    lifetime: Duration,
    until: Option<Instant>,
}

type Driver = Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>;

impl Reading {
    pub(super) fn new<F>(
        patience: Duration,
        lifetime: Duration,
        drive: impl FnOnce(Outlet) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), SourceError>> + Send + 'static,
    {
        let (sender, batches) = mpsc::channel(1);
        Self {
            driver: Some(Box::pin(drive(Outlet { sender }))),
            batches,
            patience,
            lifetime,
            until: None,
        }
    }

    /// An answer that is already there.
    pub(super) fn done(batch: Vec<Bytes>) -> Self {
        let (sender, batches) = mpsc::channel(1);
        if !batch.is_empty() {
            // There is room for one, and the receiver lives.
            _ = sender.try_send(batch);
        }
        Self {
            driver: None,
            batches,
            patience: Duration::MAX,
            lifetime: Duration::MAX,
            until: None,
        }
    }

    pub(in crate::source) async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        let Some(driver) = &mut self.driver else {
            return Ok(self.batches.recv().await);
        };
        let now = Instant::now();
        let end = *self.until.get_or_insert(now + self.lifetime);
        let step = now + self.patience;
        let batch = timeout_at(end.min(step), async {
            tokio::select! {
                biased;
                // That no more will come is no end: how it ended, the driver tells.
                Some(batch) = self.batches.recv() => Ok(Some(batch)),
                outcome = driver => outcome.map(|()| None),
            }
        });
        let outcome = match batch.await {
            Ok(Ok(Some(batch))) => return Ok(Some(batch)),
            Ok(Ok(None)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) if end < step => Err(SourceError::Timeout(self.lifetime)),
            Err(_) => Err(SourceError::Timeout(self.patience)),
        };
        // The driver has ended, or must: dropping it lets the connection go.
        self.driver = None;
        outcome?;
        Ok(self.batches.recv().await)
    }
}

/// Where a driver puts its batches.
pub(super) struct Outlet {
    sender: mpsc::Sender<Vec<Bytes>>,
}

impl Outlet {
    /// Waits until the reader has taken all that was sent.
    pub(super) async fn taken(&self) {
        // An error means that the reader is gone, and the driver with it.
        _ = self.sender.reserve().await;
    }

    pub(super) async fn send(&self, batch: &mut Batch) {
        let records = batch.take();
        if !records.is_empty() {
            // As above.
            _ = self.sender.send(records).await;
        }
    }
}

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
