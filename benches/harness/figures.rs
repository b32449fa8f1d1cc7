//! One contender with its processes under each load, and what is found.

use std::time::Duration;

use landbridge::demo::federation::Federation;
use serde::Deserialize;
use serde::Serialize;

use crate::harness::load;
use crate::harness::load::Calls;
use crate::harness::load::Crowd;
use crate::harness::load::Loop;
use crate::harness::meter::Cost;
use crate::harness::meter::Meter;
use crate::harness::process::Process;

pub(crate) const MANY: Crowd = Crowd {
    connections: 8,
    in_flight: 16,
};
pub(crate) const ALONE: Crowd = Crowd {
    connections: 1,
    in_flight: 1,
};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    /// Of each load but the stream.
    pub(crate) spell: Duration,
    /// What the database holds, and what a stream carries.
    pub(crate) residents: u32,
}

/// One contender with its processes.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) federation: &'a Federation,
    pub(crate) port: u16,
    pub(crate) servers: Vec<(&'static str, &'a Process)>,
    pub(crate) extent: Extent,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unary {
    pub(crate) calls: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
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

impl Bench<'_> {
    pub(crate) async fn unary(&self, crowd: Crowd) -> anyhow::Result<Unary> {
        let residents = self.extent.residents;
        let calls = Loop::connect(self.federation, self.port, crowd, residents).await?;
        calls.run(self.extent.warm_up).await?;
        let meter = Meter::start(&self.servers)?;
        let calls = calls.run(self.extent.spell).await?;
        Ok(Unary::of(&calls, meter.read(calls.count() as f64 / 1e3)?))
    }

    pub(crate) async fn stream(&self) -> anyhow::Result<Stream> {
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
            p999_ms: calls.quantile(0.999),
            record_bytes: calls.record_bytes(),
            costs,
        }
    }
}
