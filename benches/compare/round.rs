//! One round: every contender once, under each load.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;

use crate::compare::backend;
use crate::compare::contender::Contender;
use crate::compare::contender::Kind;
use crate::compare::options::Options;
use crate::compare::paced;
use crate::harness::client;
use crate::harness::figures::ALONE;
use crate::harness::figures::Bench;
use crate::harness::figures::Extent;
use crate::harness::figures::MANY;
use crate::harness::figures::Stream;
use crate::harness::figures::Unary;
use crate::harness::meter::Cost;
use crate::harness::meter::Meter;
use crate::harness::meter::load_average;

/// Calls a second of the open loop: about half of what the slowest contender can on two processors.
pub(crate) const RATE: f64 = 2_000.0;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Of the minute before the round.
    pub(crate) load_average: f64,
    pub(crate) contenders: Vec<Measured>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) many: Unary,
    pub(crate) alone: Unary,
    pub(crate) paced: Paced,
    pub(crate) stream: Stream,
}

/// What came of an open loop.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Paced {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) unanswered: f64,
    /// For 1000 calls.
    pub(crate) costs: Vec<Cost>,
}

pub(crate) async fn run(
    folder: &Path,
    source: &str,
    number: usize,
    options: &Options,
) -> anyhow::Result<Round> {
    fs::create_dir_all(folder)?;
    let load_average = load_average()?;
    let (_backend, port) = backend::start(folder)?;
    let kinds = Kind::ALL
        .into_iter()
        .filter(|kind| options.wants(kind.name()));
    let mut kinds: Vec<Kind> = kinds.collect();
    // So that none always comes after the same one.
    let turn = number % kinds.len().max(1);
    kinds.rotate_left(turn);
    let mut contenders = Vec::new();
    for &kind in &kinds {
        eprintln!("  {}", kind.name());
        let folder = folder.join(format!("{kind:?}"));
        let contender = Contender::start(kind, &folder, port, source, options);
        let measured = measure(kind.name(), &contender?, options.extent).await;
        contenders.push(measured.context(kind.name())?);
    }
    contenders.rotate_right(turn);
    // Journals of several hundred thousand exchanges.
    fs::remove_dir_all(folder)?;
    Ok(Round {
        load_average,
        contenders,
    })
}

async fn measure(name: &str, contender: &Contender, extent: Extent) -> anyhow::Result<Measured> {
    let servers = contender.processes.iter();
    let bench = Bench {
        federation: &contender.federation,
        port: contender.port,
        servers: servers.map(|(name, process)| (*name, process)).collect(),
        extent,
    };
    Ok(Measured {
        name: name.to_owned(),
        many: bench.unary(MANY).await?,
        alone: bench.unary(ALONE).await?,
        paced: paced(&bench).await?,
        stream: bench.stream().await?,
    })
}

async fn paced(bench: &Bench<'_>) -> anyhow::Result<Paced> {
    let mut clients = Vec::new();
    for _ in 0..MANY.connections {
        clients.push(client::connect(bench.federation, bench.port).await?);
    }
    let (warm_up, residents) = (Duration::from_millis(200), bench.extent.residents);
    paced::run(clients.clone(), RATE, warm_up, residents).await?;
    let meter = Meter::start(&bench.servers)?;
    let outcome = paced::run(clients, RATE, bench.extent.spell, residents).await?;
    Ok(Paced {
        p50_ms: outcome.answered.quantile(0.5),
        p99_ms: outcome.answered.quantile(0.99),
        p999_ms: outcome.answered.quantile(0.999),
        unanswered: outcome.refusals() as f64,
        costs: meter.read(outcome.offered as f64 / 1e3)?,
    })
}
