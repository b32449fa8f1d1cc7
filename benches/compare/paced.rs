//! Calls at a given rate, whatever becomes of them: an open loop. A call's latency counts from when it was due, so that
//! what waits behind a stall is counted, too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::harness::client;
use crate::harness::client::Client;
use crate::harness::load::Keys;
use crate::harness::load::Latencies;

/// Calls are made in bunches, as a timer allows; each counts from when it was due.
const TICK: Duration = Duration::from_micros(200);
/// When a caller gives up.
const DEADLINE: Duration = Duration::from_secs(5);

/// What came of the calls.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) offered: u64,
    /// Until the last was due.
    pub(crate) spell: Duration,
    pub(crate) answered: Latencies,
    /// By status.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// Spreads calls over these connections in turn.
pub(crate) async fn run(
    clients: Vec<Client>,
    rate: f64,
    spell: Duration,
    residents: u32,
) -> anyhow::Result<Outcome> {
    let outcome = Arc::new(Mutex::new(Outcome {
        offered: (rate * spell.as_secs_f64()) as u64,
        spell,
        answered: Latencies::new()?,
        refused: BTreeMap::new(),
    }));
    let tasks = TaskTracker::new();
    let pacer = Pacer {
        clients,
        rate,
        keys: Keys::new(7, residents),
        tasks: tasks.clone(),
        outcome: Arc::clone(&outcome),
        runtime: Handle::current(),
    };
    tokio::task::spawn_blocking(move || pacer.run(spell)).await?;
    tasks.close();
    tasks.wait().await;
    let outcome = Arc::into_inner(outcome).context("a call is under way")?;
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Sends calls out from a thread of its own, which a busy runtime does not delay.
struct Pacer {
    clients: Vec<Client>,
    rate: f64,
    keys: Keys,
    tasks: TaskTracker,
    outcome: Arc<Mutex<Outcome>>,
    runtime: Handle,
}

impl Pacer {
    fn run(mut self, spell: Duration) {
        let begun = Instant::now();
        let (mut made, count) = (0, (self.rate * spell.as_secs_f64()) as u64);
        while made < count {
            let due = ((begun.elapsed().as_secs_f64() * self.rate) as u64).min(count);
            while made < due {
                let at = begun + Duration::from_secs_f64(made as f64 / self.rate);
                self.call(made, at);
                made += 1;
            }
            thread::sleep(TICK);
        }
    }

    fn call(&mut self, number: u64, due: Instant) {
        let place = number as usize % self.clients.len().max(1);
        let Some(client) = self.clients.get(place) else {
            return;
        };
        let call = one(client.clone(), self.keys.next(), due, self.outcome.clone());
        self.tasks.spawn_on(call, &self.runtime);
    }
}

async fn one(mut client: Client, key: String, due: Instant, outcome: Arc<Mutex<Outcome>>) {
    let mut request = tonic::Request::new(client::look_up(key));
    request.set_timeout(DEADLINE);
    let answer = timeout(DEADLINE, client.get_record(request)).await;
    let took = due.elapsed();
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    let refusal = match answer {
        Ok(Ok(_)) => match outcome.answered.record(took) {
            Ok(()) => return,
            Err(_) => "beyond the histogram".to_owned(),
        },
        Ok(Err(status)) => format!("{:?}", status.code()),
        Err(_) => "given up".to_owned(),
    };
    *outcome.refused.entry(refusal).or_default() += 1;
}

impl Outcome {
    pub(crate) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}
