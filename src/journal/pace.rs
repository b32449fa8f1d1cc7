//! Keeps bulk work on a journal's disk from holding up the commits.

use std::fmt;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

/// How fast bulk work may go, and whether it is still wanted.
pub struct Pace {
    /// `None`: as fast as it can.
    bytes_per_second: Option<u64>,
    stop: CancellationToken,
    /// When what was done so far should have been done.
    due: Instant,
}

/// The work is not wanted any more; it can be begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was stopped before its end")]
pub struct WorkStopped;

impl Pace {
    pub fn full() -> Self {
        Self {
            bytes_per_second: None,
            stop: CancellationToken::new(),
            due: Instant::now(),
        }
    }

    /// At most so many bytes a second, on average, until the token is cancelled. Sleeps: for threads of its own.
    pub fn throttled(bytes_per_second: u64, stop: CancellationToken) -> Self {
        Self {
            bytes_per_second: Some(bytes_per_second.max(1)),
            stop,
            due: Instant::now(),
        }
    }

    /// To be told of each piece of work, after it.
    pub(super) fn pause_after(&mut self, bytes: usize) -> Result<(), WorkStopped> {
        if self.stop.is_cancelled() {
            return Err(WorkStopped);
        }
        let Some(rate) = self.bytes_per_second else {
            return Ok(());
        };
        let now = Instant::now();
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        // Time that was not used is not saved up: a burst is what must not be.
        self.due = self.due.max(now) + takes;
        thread::sleep(self.due.saturating_duration_since(now));
        Ok(())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("bytes_per_second", &self.bytes_per_second)
            .finish_non_exhaustive()
    }
}
