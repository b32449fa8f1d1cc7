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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_finished() {
        let (tracker, (go_on, may_go_on)) = (TaskTracker::new(), oneshot::channel::<()>());
        let (done, is_done) = oneshot::channel();
        let work = async move {
            may_go_on.await.unwrap();
            done.send(7).unwrap();
        };
        let mut finish = Finish::new(work.boxed(), tracker.clone());
        assert!(futures::poll!(&mut finish).is_pending());
        assert!(tracker.is_empty(), "it has no task of its own yet");

        drop(finish);
        go_on.send(()).unwrap();
        assert_eq!(is_done.await, Ok(7));
        tracker.close();
        tracker.wait().await;
    }
}
