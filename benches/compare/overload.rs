//! Two gateways beyond their capacity: what they admit, what they refuse, and whether one caller starves another.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use landbridge::demo::federation::Federation;

use crate::compare::contender::Contender;
use crate::compare::paced;
use crate::compare::paced::Outcome;
use crate::harness::client;
use crate::harness::client::Client;
use crate::harness::figures::Bench;
use crate::harness::figures::Extent;
use crate::harness::figures::MANY;
use crate::harness::sqlite;

/// How often more than the capacity is offered.
const TIMES: f64 = 2.0;
/// The greedy system's connections; the modest one has one.
const CONNECTIONS: usize = 64;
/// The modest system's part of the capacity.
const MODEST: f64 = 0.05;

pub(crate) async fn run(folder: &Path, extent: Extent) -> anyhow::Result<()> {
    let spell = Duration::from_secs(10).min(extent.spell * 4);
    let residents = extent.residents.min(100_000);
    let source = sqlite::fill(folder, residents).await?;
    let pair = Contender::gateways(&folder.join("gateways"), &source)?;
    let servers = pair.processes.iter();
    let bench = Bench {
        federation: &pair.federation,
        port: pair.port,
        servers: servers.map(|(name, process)| (*name, process)).collect(),
        extent: Extent {
            residents,
            ..extent
        },
    };
    let closed = bench.unary(MANY).await?;
    let capacity = closed.calls_per_second;
    println!(
        "Capacity with 128 in flight: {capacity:.0} calls/s, p50 {:.1} ms, p99 {:.1} ms.\n",
        closed.p50_ms, closed.p99_ms
    );
    println!(
        "| | offered/s | admitted/s | refused/s | p50 ms | p99 ms | admitted of offered |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    );
    forget_peaks(&pair)?;
    let greedy = clients("assessment", CONNECTIONS, &pair.federation, pair.port).await?;
    let modest = clients("audit", 1, &pair.federation, pair.port).await?;
    let before = paced::run(modest.clone(), MODEST * capacity, spell, residents).await?;
    row("a modest system alone", &before);
    let alone = paced::run(greedy.clone(), TIMES * capacity, spell, residents).await?;
    row("a greedy system alone", &alone);
    let (greedy, modest) = tokio::join!(
        paced::run(greedy, (TIMES - MODEST) * capacity, spell, residents),
        paced::run(modest, MODEST * capacity, spell, residents),
    );
    row("a greedy system beside it", &greedy?);
    row("a modest system beside it", &modest?);
    println!();
    for (name, process) in &pair.processes {
        let memory = process.memory()?;
        println!(
            "{name}: peak RSS {:.0} MiB, {:.0} MiB afterwards",
            memory.peak, memory.now
        );
    }
    Ok(())
}

async fn clients(
    system: &str,
    connections: usize,
    federation: &Federation,
    port: u16,
) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let client = client::connect_as(system, federation, port).await;
        clients.push(client.with_context(|| system.to_owned())?);
    }
    Ok(clients)
}

fn forget_peaks(pair: &Contender) -> anyhow::Result<()> {
    pair.processes
        .iter()
        .try_for_each(|(_, process)| process.forget_peak())
}

fn row(name: &str, outcome: &Outcome) {
    let each_second = |calls: u64| calls as f64 / outcome.spell.as_secs_f64();
    let refused = outcome
        .refused
        .iter()
        .map(|(status, calls)| format!("{status} {:.0}", each_second(*calls)));
    println!(
        "| {name} | {:.0} | {:.0} | {} | {:.1} | {:.1} | {:.3} |",
        each_second(outcome.offered),
        each_second(outcome.answered.count()),
        refused.collect::<Vec<_>>().join(", "),
        outcome.answered.quantile(0.5),
        outcome.answered.quantile(0.99),
        outcome.answered.count() as f64 / outcome.offered as f64,
    );
}
