//! Work that runs to its end, whether or not anybody waits for it.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;

/// A future that goes on in a task of its own when it is dropped before its end: tonic drops a handler when its client
/// goes. A task from the beginning would cost every exchange a hand-over.
pub(super) struct Finish<T: Send + 'static> {
    /// None when it has ended.
    work: Option<BoxFuture<'static, T>>,
    tracker: TaskTracker,
}

impl<T: Send + 'static> Finish<T> {
    pub(super) fn new(work: BoxFuture<'static, T>, tracker: TaskTracker) -> Self {
        Self {
            work: Some(work),
            tracker,
        }
    }
}

impl<T: Send + 'static> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Polled after its end, it is pending for ever.
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.tracker.spawn(work);
        }
    }
}
