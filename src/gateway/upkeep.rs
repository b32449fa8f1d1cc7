//! What a journal needs now and then: records that are due are erased, and all that is published is proven again.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::clock::Clock;
use crate::fault::chain;
use crate::journal::Journal;
use crate::journal::expiry::Expired;
use crate::journal::expiry::Expiry;
use crate::journal::expiry::ExpiryError;
use crate::journal::pace::Pace;
use crate::journal::verify::Fault;

const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);
const SCRUB_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// A start has other things to do first.
const FIRST_EXPIRY: Duration = Duration::from_secs(60);
const FIRST_SCRUB: Duration = Duration::from_secs(600);
/// Of the journal's disk, in bytes a second. A writer that goes as fast as it can keeps commits waiting for a hundred times
/// as long as they take.
const PACE: u64 = 8 << 20;

impl Gateway {
    /// Until the gateway stops.
    pub(super) fn start_upkeep(&self, expiry: Expiry) {
        let upkeep = Upkeep {
            journal: self.exchange.journal().clone(),
            clock: self.clock.clone(),
            stop: self.life.stop.clone(),
        };
        self.life.tasks.spawn(upkeep.run(expiry));
    }
}

struct Upkeep {
    journal: Journal,
    clock: Clock,
    stop: CancellationToken,
}

impl Upkeep {
    /// One after the other: a scrub must not meet a segment that is being rewritten.
    async fn run(self, mut expiry: Expiry) {
        let now = Instant::now();
        let mut expire = interval_at(now + FIRST_EXPIRY, EXPIRE_EVERY);
        let mut scrub = interval_at(now + FIRST_SCRUB, SCRUB_EVERY);
        for interval in [&mut expire, &mut scrub] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let done = tokio::select! {
                () = self.stop.cancelled() => return,
                _ = expire.tick() => self.expire(&mut expiry).await,
                _ = scrub.tick() => self.scrub().await,
            };
            if let Err(error) = done {
                tracing::error!(%error, "the journal's upkeep has panicked; it is tried again");
            }
        }
    }

    async fn expire(&self, expiry: &mut Expiry) -> Result<(), JoinError> {
        let (now, mut pace) = (self.clock.now(), self.pace());
        let mut own = expiry.clone();
        let (own, passed) = tokio::task::spawn_blocking(move || {
            let passed = own.pass(now, &mut pace);
            (own, passed)
        })
        .await?;
        *expiry = own;
        log(&passed);
        Ok(())
    }

    async fn scrub(&self) -> Result<(), JoinError> {
        let (journal, mut pace) = (self.journal.clone(), self.pace());
        let scrubbed = tokio::task::spawn_blocking(move || journal.scrub(&mut pace)).await?;
        // That the journal has failed by it, the journal has said itself.
        let outcome = match &scrubbed {
            Ok(report) if matches!(report.fault, Some(Fault::Stopped(_))) => "stopped",
            Ok(_) => "whole",
            Err(_) => "damaged",
        };
        metrics::counter!("landbridge_journal_scrubs_total", "outcome" => outcome).increment(1);
        if let Ok(report) = &scrubbed {
            tracing::info!(
                entries = report.entries,
                outcome,
                "the journal was scrubbed"
            );
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace::throttled(PACE, self.stop.clone())
    }
}

fn log(passed: &Result<Expired, ExpiryError>) {
    let outcome = match passed {
        Ok(_) => "done",
        Err(ExpiryError::Stopped(_)) => "stopped",
        Err(_) => "failed",
    };
    metrics::counter!("landbridge_journal_expiry_passes_total", "outcome" => outcome).increment(1);
    match passed {
        Ok(expired) if expired.records > 0 => {
            let months = expired.epochs.len();
            tracing::info!(
                records = expired.records,
                months,
                "records whose retention has ended are erased"
            );
        }
        Ok(_) | Err(ExpiryError::Stopped(_)) => {}
        Err(error) => {
            tracing::error!(error = %chain(error), "records whose retention has ended are still there")
        }
    }
}
