//! Durable entries a second in a closed loop, beside a bare append and flush of the same bytes in commits of the same size.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use landbridge::journal::Journal;

use crate::Extent;
use crate::bare::Bare;
use crate::bed::Bed;
use crate::bed::LINGER;
use crate::closed;
use crate::cost::Meter;
use crate::cost::quantile;
use crate::table;
use crate::table::number;

const IN_FLIGHT: [u64; 3] = [1, 64, 1_024];

pub(crate) fn run(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    table::head(
        "Durable entries, closed loop",
        &[
            "in flight",
            "linger",
            "entries/s",
            "flushes/s",
            "entries a flush",
            "p50 ms",
            "p99 ms",
            "cores",
            "bare append + flush, entries/s",
            "of bare",
        ],
    );
    for in_flight in IN_FLIGHT {
        for linger in [Duration::ZERO, LINGER] {
            row(bed, extent, in_flight, linger)?;
        }
    }
    Ok(())
}

fn row(bed: &Bed, extent: Extent, in_flight: u64, linger: Duration) -> anyhow::Result<()> {
    let name = format!("durable-{in_flight}-{}", linger.as_micros());
    let journal = bed.journal(&name, linger)?;
    let mut bare = Bare::new(bed.folder())?;
    bed.runtime
        .block_on(closed::run(&journal, in_flight, extent.warm_up, u64::MAX))?;
    let mut rounds = Vec::new();
    for _ in 0..extent.rounds {
        rounds.push(round(bed, extent, in_flight, &journal, &mut bare)?);
    }
    journal.close();
    fs::remove_dir_all(bed.dir(&name)).context(name)?;
    let medians = table::medians(&rounds);
    let lead = [number(in_flight as f64), format!("{linger:?}")];
    table::row(lead.into_iter().chain(medians.map(number)));
    Ok(())
}

fn round(
    bed: &Bed,
    extent: Extent,
    in_flight: u64,
    journal: &Journal,
    bare: &mut Bare,
) -> anyhow::Result<[f64; 8]> {
    let commits = bed.commits()?;
    let meter = Meter::start()?;
    let latencies =
        bed.runtime
            .block_on(closed::run(journal, in_flight, extent.spell, u64::MAX))?;
    let spent = meter.read()?;
    let commits = bed.commits()? - commits;
    let count = latencies.len() as f64;
    let batch = count / commits;

    let spell = extent.spell / 4;
    let flushes = bare.run(batch, Duration::ZERO, spell)?.len() as f64;
    let bare_rate = flushes * batch / spell.as_secs_f64();
    let rate = count / spent.wall;
    Ok([
        rate,
        commits / spent.wall,
        batch,
        quantile(&latencies, 0.5) / 1e3,
        quantile(&latencies, 0.99) / 1e3,
        spent.cores(),
        bare_rate,
        rate / bare_rate,
    ])
}
