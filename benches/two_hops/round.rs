//! One round: every contender once, under each load.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;

use crate::harness::bed::Bed;
use crate::harness::bed::Pair;
use crate::harness::direct;
use crate::harness::figures::ALONE;
use crate::harness::figures::Bench;
use crate::harness::figures::Extent;
use crate::harness::figures::MANY;
use crate::harness::figures::Stream;
use crate::harness::figures::Unary;
use crate::harness::meter::load_average;
use crate::harness::process::Process;

/// How long a gateway that has started is left alone before its memory is read.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Of the minute before the round.
    pub(crate) load_average: f64,
    pub(crate) contenders: Vec<Contender>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) many: Unary,
    pub(crate) alone: Unary,
    pub(crate) stream: Stream,
    /// Of each gateway; none for the direct call.
    pub(crate) rest: Vec<Rest>,
}

/// What a gateway needs that nobody asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    pub(crate) process: String,
    pub(crate) idle_rss_mib: f64,
    pub(crate) start_up_ms: f64,
    /// With the journal of this round's exchanges.
    pub(crate) restart_ms: f64,
}

pub(crate) async fn run(
    folder: &Path,
    pairs: &[Pair<'_>],
    extent: Extent,
) -> anyhow::Result<Round> {
    let mut round = Round {
        load_average: load_average()?,
        contenders: Vec::new(),
    };
    for (number, pair) in pairs.iter().enumerate() {
        let bed = Bed::lay_out(&folder.join(number.to_string()), pair)?;
        if round.contenders.is_empty() {
            round.contenders.push(directly(&bed, extent).await?);
        }
        let name = format!("two gateways, {}", pair.name);
        let contender = through(bed, &name, extent).await;
        round.contenders.push(contender.context(name)?);
    }
    // Journals of several hundred thousand exchanges.
    fs::remove_dir_all(folder)?;
    Ok(round)
}

/// The call without gateways, while those of the bed have nothing to do.
async fn directly(bed: &Bed, extent: Extent) -> anyhow::Result<Contender> {
    let (server, port) = direct::start(&bed.federation)?;
    let bench = Bench {
        federation: &bed.federation,
        port,
        servers: vec![("server", &server)],
        extent,
    };
    contender(&bench, "direct call").await
}

async fn through(bed: Bed, name: &str, extent: Extent) -> anyhow::Result<Contender> {
    tokio::time::sleep(REST).await;
    let mut rest = vec![Rest::of("tax", &bed.tax)?, Rest::of("civil", &bed.civil)?];
    let bench = Bench {
        federation: &bed.federation,
        port: bed.door()?,
        servers: vec![("tax", &bed.tax), ("civil", &bed.civil)],
        extent,
    };
    let mut contender = contender(&bench, name).await?;

    let bed = bed.restart()?;
    for (rest, process) in rest.iter_mut().zip([&bed.tax, &bed.civil]) {
        rest.restart_ms = millis(process.start_up);
    }
    contender.rest = rest;
    Ok(contender)
}

impl Rest {
    fn of(name: &str, process: &Process) -> anyhow::Result<Self> {
        Ok(Self {
            process: name.to_owned(),
            idle_rss_mib: process.memory()?.now,
            start_up_ms: millis(process.start_up),
            restart_ms: 0.0,
        })
    }
}

async fn contender(bench: &Bench<'_>, name: &str) -> anyhow::Result<Contender> {
    eprintln!("  {name}");
    Ok(Contender {
        name: name.to_owned(),
        many: bench.unary(MANY).await?,
        alone: bench.unary(ALONE).await?,
        stream: bench.stream().await?,
        rest: Vec::new(),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
