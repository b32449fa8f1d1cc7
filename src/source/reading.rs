//! Reading an answer batch by batch: its source works only while someone asks for the next.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout_at;

use super::SourceError;

/// The largest record that is read: one message of gRPC must hold it.
pub(super) const MAX_RECORD: usize = 3 * 1024 * 1024;

/// An answer that is being read. Dropping it frees its source.
pub(super) struct Reading {
    /// Owns what is read from, or the thread that does; driven from `next` alone.
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
            driver: Some(Box::pin(drive(Outlet::new(sender)))),
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

    pub(super) async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
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
    has_sent: AtomicBool,
}

impl Outlet {
    fn new(sender: mpsc::Sender<Vec<Bytes>>) -> Self {
        Self {
            sender,
            has_sent: AtomicBool::new(false),
        }
    }

    /// Whether the reader may have seen a part of the answer.
    pub(super) fn has_sent(&self) -> bool {
        self.has_sent.load(Ordering::Relaxed)
    }

    /// Waits until the reader has taken all that was sent.
    pub(super) async fn taken(&self) {
        // An error means that the reader is gone, and the driver with it.
        _ = self.sender.reserve().await;
    }

    pub(super) async fn send(&self, records: Vec<Bytes>) {
        if !records.is_empty() {
            self.has_sent.store(true, Ordering::Relaxed);
            // As above.
            _ = self.sender.send(records).await;
        }
    }
}
