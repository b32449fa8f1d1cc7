//! Whether somebody on a connection has shown who they are.

use tokio_util::sync::CancellationToken;

/// Of one connection, among the extensions of its requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Introduction(CancellationToken);

impl Introduction {
    /// From now on the connection is no stranger's.
    pub(crate) fn make(&self) {
        self.0.cancel();
    }

    /// Returns when somebody has shown who they are.
    pub(crate) async fn made(&self) {
        self.0.cancelled().await;
    }
}
