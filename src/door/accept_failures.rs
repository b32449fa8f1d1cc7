//! Connections that could not be accepted: for want of file handles, most likely.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// While nothing changes it is told so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// A stranger who has lost its place gives its handle back in about that time; to spin would free none.
const REST: Duration = Duration::from_millis(5);

/// Of one door.
#[derive(Debug, Default)]
pub(crate) struct AcceptFailures {
    told: Option<Instant>,
}

impl AcceptFailures {
    pub(crate) async fn log_and_pause(&mut self, door: &str, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(door, %error, "connections cannot be accepted");
        }
        tokio::time::sleep(REST).await;
    }
}
