//! Many streamed answers at a time, all read as fast as they come.

use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use landbridge::pb;
use landbridge::pb::query_records_response::Part;
use tokio::task::JoinSet;

use crate::Extent;
use crate::harness::bed::Bed;
use crate::harness::client;
use crate::harness::client::Client;

/// So that none is at its limit of requests under way.
const STREAMS_A_CONNECTION: usize = 100;

pub(crate) async fn measure(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    let mut clients = Vec::new();
    for _ in 0..extent.streams.div_ceil(STREAMS_A_CONNECTION) {
        clients.push(client::connect(&bed.federation, bed.door()?).await?);
    }
    let gateways = [("A", &bed.tax), ("B", &bed.civil)];
    for (_, gateway) in &gateways {
        gateway.forget_peak()?;
    }
    let begun = Instant::now();
    let mut streams = JoinSet::new();
    for number in 0..extent.streams {
        let client = clients.get(number / STREAMS_A_CONNECTION);
        let client = client.context("too few connections")?.clone();
        streams.spawn(read(client, extent.records, begun));
    }
    let (mut records, mut firsts, mut lasts) = (0, Vec::new(), Vec::new());
    while let Some(stream) = streams.join_next().await {
        let (count, first, last) = stream??;
        records += count;
        firsts.push(first);
        lasts.push(last);
    }
    let took = begun.elapsed().as_secs_f64();
    firsts.sort_by(f64::total_cmp);
    lasts.sort_by(f64::total_cmp);
    let worst = |of: &[f64]| of.last().copied().unwrap_or_default();
    let best = |of: &[f64]| of.first().copied().unwrap_or_default();
    println!(
        "{} streams of {} records at a time: {:.0} records/s; first records after {:.2} to {:.2} s, \
         ends after {:.2} to {:.2} s",
        extent.streams,
        extent.records,
        records as f64 / took,
        best(&firsts),
        worst(&firsts),
        best(&lasts),
        worst(&lasts),
    );
    for (name, gateway) in gateways {
        let memory = gateway.memory()?;
        println!(
            "  {name}: peak RSS {:.0} MiB, {:.0} MiB afterwards",
            memory.peak, memory.now
        );
    }
    Ok(())
}

/// How many records came, and after how many seconds the first and the end.
async fn read(mut client: Client, records: u32, begun: Instant) -> anyhow::Result<(u64, f64, f64)> {
    let request = pb::QueryRecordsRequest {
        record_type: client::RECORD.to_owned(),
        grounds: client::grounds(),
        limit: records,
        ..Default::default()
    };
    let mut parts = client.query_records(request).await?.into_inner();
    let (mut count, mut first) = (0, None);
    loop {
        match parts
            .message()
            .await?
            .context("a stream without an end")?
            .part
        {
            Some(Part::Batch(batch)) => {
                count += batch.records.len() as u64;
                first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
            }
            Some(Part::Trailer(_)) => {
                // Dropped before its end, a stream is reset.
                ensure!(
                    parts.message().await?.is_none(),
                    "a stream that goes on after its trailer"
                );
                let first = first.context("a stream without records")?;
                return Ok((count, first, begun.elapsed().as_secs_f64()));
            }
            Some(Part::Header(_)) | None => {}
        }
    }
}
