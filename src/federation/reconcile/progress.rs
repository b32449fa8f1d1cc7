//! Which windows have still to be compared with one department: one that cannot be is set aside, and the next ones go on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::evidence::reconcile::window::Window;

/// Windows that are set aside; more than these, and the department as a whole is waited for.
const MOST_ASIDE: usize = 256;
/// Windows of them that are tried again in one round.
const RETRIES_AT_ONCE: usize = 4;
/// How soon one is tried again; each time twice as long, up to the longest.
const RETRY_MIN: Duration = Duration::from_secs(10);
const RETRY_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Progress {
    next: Window,
    aside: BTreeMap<Window, Deferral>,
}

#[derive(Debug, Clone, Copy)]
struct Deferral {
    until: Instant,
    wait: Duration,
}

impl Progress {
    pub(super) fn from(next: Window) -> Self {
        Self {
            next,
            aside: BTreeMap::new(),
        }
    }

    /// The first one that has not been tried.
    pub(super) fn next(&self) -> Window {
        self.next
    }

    /// The oldest one that has not been compared.
    pub(super) fn oldest(&self) -> Window {
        self.aside.keys().next().copied().unwrap_or(self.next)
    }

    /// Those that are to be tried again now, the oldest first.
    pub(super) fn again(&self, now: Instant) -> Vec<Window> {
        let due = self.aside.iter().filter(|(_, aside)| aside.until <= now);
        due.map(|(window, _)| *window)
            .take(RETRIES_AT_ONCE)
            .collect()
    }

    pub(super) fn finish(&mut self, window: Window) {
        self.aside.remove(&window);
        self.pass(window);
    }

    /// Whether others may go before it now.
    pub(super) fn set_aside(&mut self, window: Window, now: Instant) -> bool {
        let known = self.aside.get(&window).map(|aside| aside.wait);
        if known.is_none() && self.aside.len() >= MOST_ASIDE {
            return false;
        }
        let wait = known.map_or(RETRY_MIN, |wait| (wait * 2).min(RETRY_MAX));
        let until = now + wait;
        self.aside.insert(window, Deferral { until, wait });
        self.pass(window);
        true
    }

    fn pass(&mut self, window: Window) {
        if window == self.next {
            self.next = window.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn first() -> Window {
        Window::containing(Moment::from_micros(0), Duration::from_secs(60))
    }

    #[tokio::test]
    async fn a_window_that_cannot_be_compared_is_tried_again_and_keeps_no_other_waiting() {
        let now = Instant::now();
        let mut progress = Progress::from(first());
        assert!(progress.set_aside(first(), now));
        assert_eq!(
            (progress.next(), progress.oldest()),
            (first().next(), first())
        );
        progress.finish(first().next());
        assert_eq!(progress.next(), first().next().next());
        assert!(progress.again(now).is_empty());
        assert_eq!(progress.again(now + RETRY_MIN), [first()]);

        assert!(progress.set_aside(first(), now + RETRY_MIN));
        assert!(progress.again(now + RETRY_MIN * 2).is_empty());
        assert_eq!(progress.again(now + RETRY_MIN * 3), [first()]);
        progress.finish(first());
        assert_eq!(progress.oldest(), progress.next());
    }

    #[tokio::test]
    async fn so_many_windows_and_no_more_are_set_aside() {
        let now = Instant::now();
        let mut progress = Progress::from(first());
        for _ in 0..MOST_ASIDE {
            assert!(progress.set_aside(progress.next(), now));
        }
        let next = progress.next();
        assert!(!progress.set_aside(next, now));
        assert_eq!(progress.next(), next);
        progress.finish(first());
        assert!(progress.set_aside(next, now));
    }
}
