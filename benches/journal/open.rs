//! What the journal adds to an answer's latency when exchanges come at a given rate, whatever it does.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use landbridge::journal::Journal;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::Extent;
use crate::bare::Bare;
use crate::bed::Bed;
use crate::bed::LINGER;
use crate::cost::Meter;
use crate::cost::micros;
use crate::cost::quantile;
use crate::entries;
use crate::table;
use crate::table::number;

const RATES: [u64; 2] = [10_000, 60_000];
/// Arrivals are made in bunches, as a timer allows; each counts from when it was due.
const TICK: Duration = Duration::from_micros(200);
const UNANSWERED: u32 = u32::MAX;

pub(crate) fn run(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    table::head(
        "Added latency, open loop, linger 1 ms",
        &[
            "arrivals/s",
            "p50 ms",
            "p99 ms",
            "cores",
            "flushes/s",
            "without journal: p99 ms",
            "cores",
            "bare append + flush: p50 ms",
            "p99 ms",
        ],
    );
    for rate in RATES {
        let name = format!("open-{rate}");
        let journal = bed.journal(&name, LINGER)?;
        let mut bare = Bare::new(bed.folder())?;
        spell(bed, rate, extent.warm_up, Some(&journal))?;
        let mut rounds = Vec::new();
        for _ in 0..extent.rounds {
            rounds.push(round(bed, extent, rate, &journal, &mut bare)?);
        }
        journal.close();
        fs::remove_dir_all(bed.dir(&name))?;
        let lead = [number(rate as f64)];
        table::row(lead.into_iter().chain(table::medians(&rounds).map(number)));
    }
    Ok(())
}

fn round(
    bed: &Bed,
    extent: Extent,
    rate: u64,
    journal: &Journal,
    bare: &mut Bare,
) -> anyhow::Result<[f64; 8]> {
    let commits = bed.commits()?;
    let meter = Meter::start()?;
    let with = spell(bed, rate, extent.spell, Some(journal))?;
    let spent = meter.read()?;
    let commits = bed.commits()? - commits;

    let meter = Meter::start()?;
    let without = spell(bed, rate, extent.spell / 2, None)?;
    let alone = meter.read()?;
    let batch = with.len() as f64 / commits;
    let flushes = bare.run(batch, LINGER, extent.spell / 2)?;
    Ok([
        quantile(&with, 0.5) / 1e3,
        quantile(&with, 0.99) / 1e3,
        spent.cores(),
        commits / spent.wall,
        quantile(&without, 0.99) / 1e3,
        alone.cores(),
        quantile(&flushes, 0.5) / 1e3,
        quantile(&flushes, 0.99) / 1e3,
    ])
}

/// Gives the latency of each arrival in microseconds, in rising order.
fn spell(
    bed: &Bed,
    rate: u64,
    spell: Duration,
    journal: Option<&Journal>,
) -> anyhow::Result<Vec<u32>> {
    let count = (rate as f64 * spell.as_secs_f64()) as u64;
    let latencies: Arc<[AtomicU32]> = (0..count).map(|_| AtomicU32::new(UNANSWERED)).collect();
    let tasks = TaskTracker::new();
    let handle = bed.runtime.handle();
    let begun = Instant::now();
    let mut made = 0;
    while made < count {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        for n in made..due.min(count) {
            let due = begun + Duration::from_secs_f64(n as f64 / rate as f64);
            arrive(&tasks, handle, n, due, journal.cloned(), latencies.clone());
        }
        made = due.min(count);
        thread::sleep(TICK);
    }
    tasks.close();
    bed.runtime.block_on(tasks.wait());
    let mut latencies: Vec<u32> = latencies
        .iter()
        .map(|latency| latency.load(Ordering::Relaxed))
        .collect();
    ensure!(
        !latencies.contains(&UNANSWERED),
        "the journal does not keep up with {rate} entries a second"
    );
    latencies.sort_unstable();
    Ok(latencies)
}

fn arrive(
    tasks: &TaskTracker,
    handle: &Handle,
    n: u64,
    due: Instant,
    journal: Option<Journal>,
    latencies: Arc<[AtomicU32]>,
) {
    tasks.spawn_on(
        async move {
            let entry = entries::entry(n);
            let written = match journal {
                Some(journal) => journal.append(entry).await.is_ok(),
                None => true,
            };
            if let Some(latency) = latencies.get(n as usize).filter(|_| written) {
                latency.store(micros(due.elapsed()), Ordering::Relaxed);
            }
        },
        handle,
    );
}
