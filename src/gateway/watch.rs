//! Notices that what is read by path is no longer what was read, and tells of it when it has come to rest.
//!
//! It looks, and is not told: notices of the kernel are of inodes, and a folder that was swapped, a link that leads elsewhere,
//! a mount or a server's file makes none, or makes them where nobody listens any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::inputs::Contents;
use super::inputs::Inputs;
use super::inputs::Stamp;
use crate::assembly::run_blocking;

/// How often files are looked at.
pub(super) const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often they are read, though nothing about them has changed.
const READ_EVERY: Duration = Duration::from_secs(10);
/// Where looking or reading takes long, the pause after it is so many times as long, up to ten times the usual one.
const PAUSE: u32 = 50;
/// An editor or a deployment writes several files: they are told of once nothing has changed for so long.
pub(super) const REST: Duration = Duration::from_millis(300);
/// What never rests is told of after so many looks.
const RESTLESS: u32 = 30;

/// Looks at the files until the gateway stops.
#[derive(Debug)]
pub(super) struct Watch {
    inputs: Arc<Inputs>,
    changes: mpsc::Sender<Contents>,
    last: Option<Stamp>,
    read_at: Instant,
}

impl Watch {
    pub(super) fn new(inputs: Arc<Inputs>, changes: mpsc::Sender<Contents>) -> Self {
        Self {
            inputs,
            changes,
            last: None,
            read_at: Instant::now(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let look = async {
            loop {
                let pause = self.look().await;
                sleep(pause).await;
            }
        };
        stop.run_until_cancelled(look).await;
    }

    /// Looks once, and gives how long to pause.
    async fn look(&mut self) -> Duration {
        let began = Instant::now();
        let inputs = self.inputs.clone();
        let stamp = run_blocking(move || inputs.stamp()).await;
        let until_next = pause(POLL_EVERY, began);
        if self.last.as_ref() == Some(&stamp) && began < self.read_at {
            return until_next;
        }
        // Taken before the files are read: what changes meanwhile is another stamp the next time.
        self.last = Some(stamp);
        let began = Instant::now();
        let contents = self.inputs.contents_blocking().await;
        self.read_at = Instant::now() + pause(READ_EVERY, began);
        if !self.inputs.is_read(contents) {
            let rested = self.rest(contents).await;
            // The gateway is gone, and soon this task with it.
            let _ = self.changes.send(rested).await;
        }
        until_next
    }

    async fn rest(&self, mut contents: Contents) -> Contents {
        for _ in 0..RESTLESS {
            sleep(REST).await;
            let now = self.inputs.contents_blocking().await;
            if now == contents {
                break;
            }
            contents = now;
        }
        contents
    }
}

fn pause(usual: Duration, began: Instant) -> Duration {
    (began.elapsed() * PAUSE).clamp(usual, usual * 10)
}
