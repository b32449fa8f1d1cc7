//! Checkpoints that a witness judges and cosigns a second, each durable before it is answered, beside the signatures alone.

use std::time::Instant;

use anyhow::anyhow;
use landbridge::clock::Clock;
use landbridge::evidence::witness::Witness;
use landbridge::tlog::cosignature::CosignerKey;
use tokio::task::JoinSet;

use crate::Extent;
use crate::bed::Bed;
use crate::cost::Meter;
use crate::logs;
use crate::logs::Logs;
use crate::table;
use crate::table::number;

/// Logs that submit at the same time, each one checkpoint after another.
const LOGS: [usize; 2] = [1, 64];
const REQUESTS: u64 = 12_800;

pub(crate) fn run(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    table::head(
        "Cosignatures of a witness",
        &[
            "logs at a time",
            "cosignatures/s",
            "cores",
            "cosignatures/s a core",
            "one verification and one signature alone on a core, a second",
            "a core of these",
        ],
    );
    for count in LOGS {
        let mut rounds = Vec::new();
        for round in 0..extent.rounds {
            rounds.push(self::round(bed, count, round)?);
        }
        let lead = [number(count as f64)];
        table::row(lead.into_iter().chain(table::medians(&rounds).map(number)));
    }
    Ok(())
}

fn round(bed: &Bed, count: usize, round: usize) -> anyhow::Result<[f64; 5]> {
    let steps = (REQUESTS / count as u64).min(1_000);
    let logs = Logs::new(count, steps)?;
    let requests = logs.requests(steps);
    let folder = bed.dir(&format!("witness-{count}-{round}"));
    std::fs::create_dir(&folder)?;
    let key = CosignerKey::create(&folder.join("key"), "gov.example/market/witness")?;
    let witness = Witness::open(
        &folder.join("state"),
        key,
        "market".parse()?,
        logs.journals()?,
        Clock::System,
    )?;
    let meter = Meter::start()?;
    let begun = Instant::now();
    bed.runtime.block_on(submit(&witness, requests))?;
    let rate = (count as u64 * steps) as f64 / begun.elapsed().as_secs_f64();
    let cores = meter.read()?.cores();
    let alone = logs::signatures(&folder)?;
    Ok([rate, cores, rate / cores, alone, rate / cores / alone])
}

async fn submit(witness: &Witness, logs: Vec<Vec<String>>) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for requests in logs {
        let witness = witness.clone();
        tasks.spawn(async move {
            for request in requests {
                witness.add(&request).await.map_err(|e| anyhow!("{e}"))?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}
