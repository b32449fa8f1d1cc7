//! One round: every contender once, under each load.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use landbridge::demo::federation::Federation;
use serde::Deserialize;
use serde::Serialize;

use crate::Extent;
use crate::bed::Bed;
use crate::bed::Pair;
use crate::direct;
use crate::load;
use crate::load::Calls;
use crate::load::Crowd;
use crate::load::Loop;
use crate::process::Process;

const MANY: Crowd = Crowd {
    connections: 8,
    in_flight: 16,
};
const ALONE: Crowd = Crowd {
    connections: 1,
    in_flight: 1,
};

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

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unary {
    pub(crate) calls: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) record_bytes: f64,
    /// For 1000 calls.
    pub(crate) costs: Vec<Cost>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) records: f64,
    pub(crate) records_per_second: f64,
    pub(crate) record_bytes: f64,
    /// For 1,000,000 records.
    pub(crate) costs: Vec<Cost>,
}

/// What one process spent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) process: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_mib: f64,
    pub(crate) peak_rss_mib: f64,
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
    pairs: [Pair<'_>; 2],
    extent: Extent,
) -> anyhow::Result<Round> {
    let mut round = Round {
        load_average: load_average()?,
        contenders: Vec::new(),
    };
    for (number, pair) in pairs.into_iter().enumerate() {
        let bed = Bed::lay_out(&folder.join(number.to_string()), pair)?;
        if round.contenders.is_empty() {
            round.contenders.push(directly(&bed, extent).await?);
        }
        let name = format!("two gateways, {}{}", pair.database.name, pair.note);
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
    bench.contender("direct call", Vec::new()).await
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
    let mut contender = bench.contender(name, Vec::new()).await?;

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

/// One contender with its processes.
struct Bench<'a> {
    federation: &'a Federation,
    port: u16,
    servers: Vec<(&'static str, &'a Process)>,
    extent: Extent,
}

impl Bench<'_> {
    async fn contender(&self, name: &str, rest: Vec<Rest>) -> anyhow::Result<Contender> {
        eprintln!("  {name}");
        Ok(Contender {
            name: name.to_owned(),
            many: self.unary(MANY).await?,
            alone: self.unary(ALONE).await?,
            stream: self.stream().await?,
            rest,
        })
    }

    async fn unary(&self, crowd: Crowd) -> anyhow::Result<Unary> {
        let residents = self.extent.residents;
        let calls = Loop::connect(self.federation, self.port, crowd, residents).await?;
        calls.run(self.extent.warm_up).await?;
        let meter = Meter::start(&self.servers)?;
        let calls = calls.run(self.extent.spell).await?;
        Ok(Unary::of(&calls, meter.read(calls.count() as f64 / 1e3)?))
    }

    async fn stream(&self) -> anyhow::Result<Stream> {
        let meter = Meter::start(&self.servers)?;
        let streamed = load::stream(self.federation, self.port, self.extent.residents).await?;
        let records = streamed.records as f64;
        Ok(Stream {
            records,
            records_per_second: records / streamed.took.as_secs_f64(),
            record_bytes: streamed.bytes as f64 / records,
            costs: meter.read(records / 1e6)?,
        })
    }
}

impl Unary {
    fn of(calls: &Calls, costs: Vec<Cost>) -> Self {
        Self {
            calls: calls.count() as f64,
            calls_per_second: calls.per_second(),
            p50_ms: calls.quantile(0.5),
            p99_ms: calls.quantile(0.99),
            record_bytes: calls.record_bytes(),
            costs,
        }
    }
}

/// What the servers had spent when it was started.
struct Meter<'a> {
    servers: &'a [(&'static str, &'a Process)],
    before: Vec<f64>,
}

impl<'a> Meter<'a> {
    fn start(servers: &'a [(&'static str, &'a Process)]) -> anyhow::Result<Self> {
        let begin = |(_, process): &(_, &Process)| {
            process.forget_peak()?;
            process.cpu()
        };
        Ok(Self {
            servers,
            before: servers.iter().map(begin).collect::<Result<_, _>>()?,
        })
    }

    /// What each has spent since, for one of so many units of work.
    fn read(self, units: f64) -> anyhow::Result<Vec<Cost>> {
        let spent = self.servers.iter().zip(self.before);
        spent
            .map(|((name, process), before)| {
                let memory = process.memory()?;
                Ok(Cost {
                    process: (*name).to_owned(),
                    cpu_seconds: (process.cpu()? - before) / units,
                    rss_mib: memory.now,
                    peak_rss_mib: memory.peak,
                })
            })
            .collect()
    }
}

fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().context("/proc/loadavg")?;
    Ok(first.parse()?)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
