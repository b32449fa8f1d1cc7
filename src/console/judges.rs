//! Passwords, judged one at a time on a thread that serves nobody: each judgement costs 20 MiB and tens of milliseconds.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

/// Who may wait for a judgement; whoever comes beyond is told to come again.
const WAITING: usize = 8;

/// One judge for browsers on which the name has signed in before, and one for all others, who may be many.
#[derive(Debug)]
pub(super) struct Judges {
    familiar: Lane,
    others: Lane,
}

#[derive(Debug)]
struct Lane {
    judge: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// Why nothing was judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotJudged {
    #[error("too many people are signing in at once")]
    Crowded,
    #[error("the judgement broke off")]
    Broken(#[from] JoinError),
}

impl Default for Judges {
    fn default() -> Self {
        Self {
            familiar: Lane::new(),
            others: Lane::new(),
        }
    }
}

impl Judges {
    pub(super) async fn judge<T: Send + 'static>(
        &self,
        is_familiar: bool,
        judgement: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotJudged> {
        let lane = if is_familiar {
            &self.familiar
        } else {
            &self.others
        };
        let place = lane.places.clone().try_acquire_owned();
        let place = place.map_err(|_| NotJudged::Crowded)?;
        let judge = lane.judge.clone().acquire_owned().await;
        let judge = judge.map_err(|_| NotJudged::Crowded)?;
        // Taken into the thread: a client that goes away does not make room for another before this one is judged.
        let judged = tokio::task::spawn_blocking(move || {
            let _held = (place, judge);
            judgement()
        });
        Ok(judged.await?)
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            judge: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(1 + WAITING)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn one_is_judged_at_a_time_and_who_comes_beyond_the_queue_is_sent_away() {
        let judges = Judges::default();
        let under_way = Arc::new(AtomicUsize::new(0));
        let (go, wait) = mpsc::channel();
        let wait = Arc::new(std::sync::Mutex::new(wait));
        let one = |is_familiar| {
            let (under_way, wait) = (under_way.clone(), wait.clone());
            judges.judge(is_familiar, move || {
                let others = under_way.fetch_add(1, Ordering::SeqCst);
                wait.lock().unwrap().recv().unwrap();
                under_way.fetch_sub(1, Ordering::SeqCst);
                others
            })
        };
        let crowd = futures::future::join_all((0..100).map(|_| one(false)));
        let release = async {
            // The crowd has come when this is polled, and waits.
            for _ in 0..=WAITING {
                go.send(()).unwrap();
            }
        };
        let (judged, ()) = tokio::join!(crowd, release);
        let (judged, sent_away): (Vec<_>, Vec<_>) = judged.into_iter().partition(Result::is_ok);
        assert_eq!((judged.len(), sent_away.len()), (1 + WAITING, 99 - WAITING));
        assert!(judged.into_iter().all(|others| others.unwrap() == 0));
        go.send(()).unwrap();
        assert_eq!(one(true).await.unwrap(), 0);
    }
}
