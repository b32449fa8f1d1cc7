//! Runs a gateway until it is told to stop, and reloads it when it is told to or when its files change.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::time::Interval;

use super::Gateway;
use super::StartError;
use super::inputs::Contents;
use crate::federation::proposal::Proposal;
use crate::identity::RejudgeScope;

/// Trust that only time takes away, such as a revocation list's end, is judged again so often.
const REJUDGE_EVERY: Duration = Duration::from_secs(60);
/// Connections whose certificates have ended are looked for so often.
const CHECK_ENDED_EVERY: Duration = Duration::from_secs(1);

/// What the gateway is told from outside, from the moment that this is made.
#[derive(Debug)]
pub(super) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Of what is read by path.
    changes: mpsc::Receiver<Contents>,
    rejudge: Interval,
    look_for_ended: Interval,
    proposals: mpsc::Receiver<Proposal>,
}

enum Order {
    Stop,
    Reload(&'static str),
    /// Files that have not been read say this.
    Read(Contents),
    Rejudge(RejudgeScope),
    Consider(Proposal),
}

impl Gateway {
    /// Returns after SIGTERM or SIGINT, when everything that was let in has been answered, or when the witnesses know
    /// another journal than the one that is here.
    pub async fn run(mut self) -> Result<(), StartError> {
        let mut ready = false;
        loop {
            let order = tokio::select! {
                confirmed = &mut self.confirmed, if !ready => {
                    if let Err(refused) = confirmed.map_err(|_| StartError::NotConfirmed).and_then(|released| Ok(released?)) {
                        self.stop().await;
                        return Err(refused);
                    }
                    ready = true;
                    self.log_ready();
                    continue;
                }
                order = self.orders.next() => order,
            };
            match order {
                Order::Stop => {
                    self.stop().await;
                    return Ok(());
                }
                Order::Reload(why) => self.reload_and_log(why).await,
                // What a reload for another reason has read meanwhile is not read again, nor refused again.
                Order::Read(contents) if self.inputs.is_read(contents) => {}
                Order::Read(_) => self.reload_and_log("files changed").await,
                Order::Rejudge(whom) => self.rejudge(whom),
                Order::Consider(proposal) => self.consider(proposal).await,
            }
        }
    }

    fn log_ready(&self) {
        let at = self.addresses;
        tracing::info!(
            department = %self.config.department,
            systems = %at.systems,
            peers = %at.peers,
            operators = %at.operators,
            "ready"
        );
    }

    async fn reload_and_log(&self, why: &'static str) {
        match self.reload().await {
            Ok(()) => tracing::info!(why, "reloaded"),
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(why, %fault, "not reloaded: the old state stays");
                }
            }
        }
    }
}

impl Orders {
    pub(super) fn listen(
        changes: mpsc::Receiver<Contents>,
        proposals: mpsc::Receiver<Proposal>,
    ) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            changes,
            rejudge: tokio::time::interval(REJUDGE_EVERY),
            look_for_ended: tokio::time::interval(CHECK_ENDED_EVERY),
            proposals,
        })
    }

    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hang_up.recv() => Order::Reload("SIGHUP"),
            Some(contents) = self.changes.recv() => Order::Read(contents),
            _ = self.rejudge.tick() => Order::Rejudge(RejudgeScope::All),
            _ = self.look_for_ended.tick() => Order::Rejudge(RejudgeScope::Ended),
            Some(proposal) = self.proposals.recv() => Order::Consider(proposal),
        }
    }
}
