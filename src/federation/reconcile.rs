//! Compares this gateway's journal with those of the departments that it asks, window by window.

mod compare;
mod progress;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry as Known;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::ReconciliationConfig;
use crate::evidence::reconcile::books::Books;
use crate::evidence::reconcile::overdue::OverdueComparison;
use crate::evidence::reconcile::overdue::OverdueComparisons;
use crate::evidence::reconcile::window::Window;
use crate::exchange::Exchange;
use crate::name::DepartmentId;
use crate::source::channel::Channel;
use crate::source::peer::channel::Peers;
use compare::Comparer;
use compare::NotCompared;
use progress::Progress;

/// How long one peer's round may take; what is left goes on in the next.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one window may take.
const WINDOW_PATIENCE: Duration = Duration::from_secs(10);

/// Owns how far each department's journal has been compared with ours.
pub(crate) struct Reconciler {
    peers: Arc<Peers>,
    comparer: Comparer,
    progress: BTreeMap<DepartmentId, Progress>,
    /// Those of whom it has been told already that they could not be compared with.
    late: BTreeSet<DepartmentId>,
    overdue: OverdueComparisons,
}

impl Reconciler {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        peers: Arc<Peers>,
        books: Books,
        config: ReconciliationConfig,
        overdue: OverdueComparisons,
    ) -> Self {
        Self {
            peers,
            comparer: Comparer {
                exchange,
                books: Arc::new(books),
                config,
            },
            progress: BTreeMap::new(),
            late: BTreeSet::new(),
            overdue,
        }
    }

    /// Runs until the gateway stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let window = self.comparer.config.window;
        let every = window.clamp(Duration::from_secs(1), Duration::from_secs(10));
        let mut round = tokio::time::interval(every);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(round.tick()).await.is_some() {
            let compared = stop.run_until_cancelled(self.round()).await;
            if compared.is_none() {
                return;
            }
        }
    }

    /// Compares what is due with each department that an agreement lets us ask.
    async fn round(&mut self) {
        let snapshot = self.comparer.exchange.snapshot();
        let own = self.comparer.exchange.department().clone();
        let agreements = snapshot.policy.agreements();
        let asked = agreements.filter(|agreement| agreement.consumer == own);
        let providers: BTreeSet<_> = asked.map(|agreement| agreement.provider.clone()).collect();
        for provider in providers {
            let Some(department) = snapshot.directory.other(&own, &provider) else {
                continue;
            };
            let channel = self.peers.channel(department);
            // One that does not answer must not keep the others from being compared.
            let compared = timeout(PATIENCE, self.catch_up(&provider, channel)).await;
            let compared = compared.unwrap_or(Err(NotCompared::Late));
            let trouble = compared.err().map(|error| error.to_string());
            self.report(&provider, trouble).await;
        }
    }

    /// Compares what is due; the error that kept a window from being compared, if there is one.
    async fn catch_up(
        &mut self,
        provider: &DepartmentId,
        channel: Channel,
    ) -> Result<(), NotCompared> {
        let comparer = &self.comparer;
        let now = comparer.exchange.clock().now();
        let progress = match self.progress.entry(provider.clone()) {
            Known::Occupied(known) => known.into_mut(),
            Known::Vacant(vacant) => {
                vacant.insert(Progress::from(comparer.first(provider.clone(), now).await?))
            }
        };
        let fresh = std::iter::successors(Some(progress.next()), |window| Some(window.next()));
        let due = fresh.take_while(|window| comparer.is_due(*window, now));
        let mut windows: Vec<Window> = due.collect();
        windows.extend(progress.again(Instant::now()));
        let mut trouble = Ok(());
        for window in windows {
            let compared = comparer.compare(provider, channel.clone(), window);
            match timeout(WINDOW_PATIENCE, compared)
                .await
                .unwrap_or(Err(NotCompared::Late))
            {
                Ok(()) => progress.finish(window),
                Err(error) if error.is_of_the_window() => {
                    if !progress.set_aside(window, Instant::now()) {
                        return Err(error);
                    }
                    trouble = Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        trouble
    }

    /// Says once that a department's journal is not compared, and raises an alarm when that lasts.
    async fn report(&mut self, provider: &DepartmentId, trouble: Option<String>) {
        if let Some(error) = &trouble
            && self.late.insert(provider.clone())
        {
            tracing::warn!(peer = %provider, error, "the journals are not compared yet");
        }
        let Some(oldest) = self.progress.get(provider).map(Progress::oldest) else {
            return;
        };
        let is_overdue = self.comparer.is_overdue(provider, oldest).await;
        if trouble.is_none() && !is_overdue {
            self.late.remove(provider);
        }
        let since = oldest.start();
        let age = match is_overdue {
            true => self.comparer.exchange.clock().now().since(since) as f64 / 1e6,
            false => 0.0,
        };
        metrics::gauge!("landbridge_reconciliation_overdue_seconds", "peer" => provider.to_string())
            .set(age);

        let known = self.overdue.load().get(provider).cloned();
        let is_news = known.is_none();
        let why = trouble.or(known.map(|known| known.why));
        let why = why.unwrap_or_else(|| "it is being caught up with".to_owned());
        if is_overdue && is_news {
            self.comparer.alarm(provider, oldest, why.clone()).await;
        }
        let uncompared = is_overdue.then_some(OverdueComparison { since, why });
        self.overdue.put(provider, uncompared);
    }
}
