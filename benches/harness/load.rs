//! The load: a closed loop of look-ups, and one long stream.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use hdrhistogram::Histogram;
use landbridge::demo::federation::Federation;
use landbridge::pb;
use landbridge::pb::query_records_response::Part;
use tokio::task::JoinSet;

use crate::harness::client;
use crate::harness::client::Client;
use crate::harness::client::RECORD;
use crate::harness::residents;

/// How many calls are under way at a time: each is followed by the next as soon as it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

/// What came of a closed loop.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) took: Duration,
    latencies: Latencies,
    /// Of the records that were answered with.
    bytes: u64,
}

/// What came of a stream.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) took: Duration,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// The connections of one closed loop, warm.
#[derive(Debug)]
pub(crate) struct Loop {
    clients: Vec<Client>,
    crowd: Crowd,
    residents: u32,
}

impl Loop {
    pub(crate) async fn connect(
        federation: &Federation,
        port: u16,
        crowd: Crowd,
        residents: u32,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..crowd.connections {
            clients.push(client::connect(federation, port).await?);
        }
        Ok(Self {
            clients,
            crowd,
            residents,
        })
    }

    /// Asks for residents here and there until the time is up; every call must be answered.
    pub(crate) async fn run(&self, spell: Duration) -> anyhow::Result<Calls> {
        let begun = Instant::now();
        let mut askers = JoinSet::new();
        for (number, client) in self.clients.iter().enumerate() {
            for place in 0..self.crowd.in_flight {
                let seed = (number * self.crowd.in_flight + place) as u64;
                let keys = Keys::new(seed, self.residents);
                askers.spawn(ask(client.clone(), keys, begun + spell));
            }
        }
        let (mut latencies, mut bytes) = (Latencies::new()?, 0);
        while let Some(asked) = askers.join_next().await {
            let (one, got) = asked??;
            latencies.add(&one)?;
            bytes += got;
        }
        Ok(Calls {
            took: begun.elapsed(),
            latencies,
            bytes,
        })
    }
}

async fn ask(
    mut client: Client,
    mut keys: Keys,
    until: Instant,
) -> anyhow::Result<(Latencies, u64)> {
    let (mut latencies, mut bytes) = (Latencies::new()?, 0);
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok((latencies, bytes));
        }
        let answer = client.get_record(client::look_up(keys.next())).await?;
        latencies.record(begun.elapsed())?;
        bytes += answer.into_inner().record.len() as u64;
    }
}

/// Keys in no order, the same at each run: a linear congruential generator (Knuth's MMIX).
#[derive(Debug)]
pub(crate) struct Keys {
    state: u64,
    residents: u32,
}

impl Keys {
    pub(crate) fn new(seed: u64, residents: u32) -> Self {
        Self {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            residents,
        }
    }

    pub(crate) fn next(&mut self) -> String {
        let state = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = state.wrapping_add(1_442_695_040_888_963_407);
        let high = (self.state >> 33) as u32;
        residents::key(1 + high % self.residents)
    }
}

/// Asks for all residents and counts them as they come.
pub(crate) async fn stream(
    federation: &Federation,
    port: u16,
    residents: u32,
) -> anyhow::Result<Streamed> {
    let mut client = client::connect(federation, port).await?;
    let begun = Instant::now();
    let request = pb::QueryRecordsRequest {
        record_type: RECORD.to_owned(),
        grounds: client::grounds(),
        limit: residents,
        ..Default::default()
    };
    let mut parts = client.query_records(request).await?.into_inner();
    let (mut records, mut bytes) = (0, 0);
    loop {
        let part = parts.message().await?.context("a stream without an end")?;
        match part.part {
            Some(Part::Header(_)) => {}
            Some(Part::Batch(batch)) => {
                records += batch.records.len() as u64;
                bytes += batch.records.iter().map(|r| r.len() as u64).sum::<u64>();
            }
            Some(Part::Trailer(trailer)) => {
                // Dropped before its end, a stream is reset.
                ensure!(
                    parts.message().await?.is_none(),
                    "the stream goes on after its trailer"
                );
                ensure!(trailer.records == records, "records are missing");
                ensure!(records == u64::from(residents), "there are {records} only");
                return Ok(Streamed {
                    took: begun.elapsed(),
                    records,
                    bytes,
                });
            }
            None => anyhow::bail!("an empty part"),
        }
    }
}

impl Calls {
    pub(crate) fn count(&self) -> u64 {
        self.latencies.count()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count() as f64 / self.took.as_secs_f64()
    }

    /// The latency in milliseconds that this part of all calls did not exceed, from 0 to 1.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        self.latencies.quantile(part)
    }

    /// The mean size of a record.
    pub(crate) fn record_bytes(&self) -> f64 {
        self.bytes as f64 / self.count().max(1) as f64
    }
}

/// The latencies of calls, to three digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new(3)?))
    }

    pub(crate) fn record(&mut self, latency: Duration) -> anyhow::Result<()> {
        Ok(self.0.record(u64::try_from(latency.as_micros())?)?)
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds, as [`Calls::quantile`].
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        self.0.value_at_quantile(part) as f64 / 1_000.0
    }
}
