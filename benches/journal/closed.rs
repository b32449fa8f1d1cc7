//! The closed loop: so many entries are under way at a time, and each is followed by the next when its receipt is there.

use std::time::Duration;
use std::time::Instant;

use landbridge::journal::Journal;
use tokio::task::JoinSet;

use crate::cost::micros;
use crate::entries;

/// Appends until the time is up or there are `limit` entries. Gives the latency of each in microseconds, in rising order.
pub(crate) async fn run(
    journal: &Journal,
    in_flight: u64,
    spell: Duration,
    limit: u64,
) -> anyhow::Result<Vec<u32>> {
    let until = Instant::now() + spell;
    let mut tasks = JoinSet::new();
    for place in 0..in_flight {
        let journal = journal.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for n in (place..limit).step_by(in_flight as usize) {
                let entry = entries::entry(n);
                let begun = Instant::now();
                if begun >= until {
                    break;
                }
                journal.append(entry).await?;
                latencies.push(micros(begun.elapsed()));
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    latencies.sort_unstable();
    Ok(latencies)
}
