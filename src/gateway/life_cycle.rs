//! The life cycle of a gateway: its tasks, and the order in which they end.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long streams that were cut off may take to write their closing entries.
const LAST_ENTRIES: Duration = Duration::from_secs(1);

/// Whoever starts a task puts it on one of the trackers, and lets it end by one of the tokens.
#[derive(Debug, Default)]
pub(super) struct LifeCycle {
    /// What a stop waits for: connections, requests, streams.
    pub(super) tasks: TaskTracker,
    /// What ends after them: the operators' door.
    pub(super) operator_tasks: TaskTracker,
    /// Cancelled first: the doors take no more requests.
    pub(super) stop: CancellationToken,
    /// Cancelled when a stop has waited long enough: streams end.
    pub(super) cut: CancellationToken,
    /// Cancelled last: nothing is under way any more.
    pub(super) stopped: CancellationToken,
}

impl LifeCycle {
    /// Lets in no more, waits for what is under way, and then ends the streams that are left.
    pub(super) async fn drain(&self, limit: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(limit, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.cut.cancel();
        let left = self.tasks.len();
        tracing::warn!(
            left,
            "cutting off what is under way: the drain limit was reached"
        );
        // For the closing entries of streams. Clients that do not take their last bytes are not waited for.
        let _ = timeout(LAST_ENTRIES, self.tasks.wait()).await;
    }

    /// Ends the operators' door, when nothing is under way any more.
    pub(super) async fn end(&self) {
        self.stopped.cancel();
        self.operator_tasks.close();
        self.operator_tasks.wait().await;
    }
}
