//! Entries verified a second, beside the SHA-256 that this takes at least.

use std::fs;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use aws_lc_rs::digest;
use landbridge::journal::verify;

use crate::Extent;
use crate::bed::Bed;
use crate::bed::ORIGIN;
use crate::closed;
use crate::cost::Meter;
use crate::entries;
use crate::table;
use crate::table::number;

/// The bytes that are hashed: tag, salt and record; a zero and the leaf; a one and two hashes.
const COMMITMENT: usize = 21 + 32;
const LEAF: usize = 145;
const NODE: usize = 65;

/// In a busy gateway's commits and in those of a quiet one.
const CROWDS: [(u64, u64); 2] = [(4_096, 1), (16, 10)];

pub(crate) fn run(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    table::head(
        "Offline verification",
        &[
            "entries",
            "entries a commit",
            "entries/s",
            "cores",
            "entries/s a core",
            "SHA-256 alone on a core, entries/s",
            "a core of SHA-256 alone",
            "leaf and tree alone on a core, entries/s",
        ],
    );
    for (in_flight, part) in CROWDS {
        row(bed, extent, in_flight, extent.entries / part)?;
    }
    Ok(())
}

fn row(bed: &Bed, extent: Extent, in_flight: u64, entries: u64) -> anyhow::Result<()> {
    let name = format!("verify-{in_flight}");
    let journal = bed.journal(&name, Duration::ZERO)?;
    bed.runtime.block_on(closed::run(
        &journal,
        in_flight,
        Duration::from_secs(3_600),
        entries,
    ))?;
    journal.close();
    let mut rounds = Vec::new();
    for _ in 0..extent.rounds {
        rounds.push(round(bed, &name, entries)?);
    }
    fs::remove_dir_all(bed.dir(&name))?;
    table::row(
        [number(entries as f64)]
            .into_iter()
            .chain(table::medians(&rounds).map(number)),
    );
    Ok(())
}

fn round(bed: &Bed, name: &str, entries: u64) -> anyhow::Result<[f64; 7]> {
    let keys = bed.keys(name)?.verifiers(ORIGIN)?;
    let meter = Meter::start()?;
    let report = verify::verify(&bed.dir(name), &keys);
    let spent = meter.read()?;
    if let Some(fault) = report.fault {
        return Err(fault.into());
    }
    ensure!(report.entries == entries, "{} are proven", report.entries);

    let record = COMMITMENT + entries::record_bytes();
    let whole = hashing(&[record, LEAF, NODE]);
    let tree = hashing(&[LEAF, NODE]);
    let rate = entries as f64 / spent.wall;
    Ok([
        entries as f64 / report.commits as f64,
        rate,
        spent.cores(),
        rate / spent.cores(),
        whole,
        rate / spent.cores() / whole,
        tree,
    ])
}

/// How often in a second one core hashes inputs of these lengths, one after another.
fn hashing(lengths: &[usize]) -> f64 {
    let inputs: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![0x5a; length]).collect();
    let begun = Instant::now();
    let mut done = 0_u32;
    while begun.elapsed() < Duration::from_millis(500) {
        for _ in 0..1_000 {
            for input in &inputs {
                black_box(digest::digest(&digest::SHA256, black_box(input)));
            }
        }
        done += 1_000;
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}
