//! What the journal does on a real disk: `cargo bench --bench journal [-- durable|open|verify|witness …] [--quick]`.
//!
//! Each figure stands beside that of a contender without the journal, measured in turns with it, so that what else the
//! machine does cancels out of the ratio.

mod bare;
mod bed;
mod closed;
mod cost;
mod durable;
mod entries;
mod logs;
mod open;
mod table;
mod verify;
mod witness;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use bed::Bed;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    warm_up: Duration,
    spell: Duration,
    /// In the journal that is verified.
    entries: u64,
}

impl Extent {
    const WHOLE: Self = Self {
        rounds: 3,
        warm_up: Duration::from_secs(1),
        spell: Duration::from_secs(4),
        entries: 2_000_000,
    };
    /// Tells whether the measuring works, and little more.
    const QUICK: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(200),
        spell: Duration::from_secs(1),
        entries: 200_000,
    };
}

const PARTS: [&str; 4] = ["durable", "open", "verify", "witness"];

fn main() -> anyhow::Result<()> {
    // Cargo itself adds `--bench`.
    let (flags, parts): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    for part in &parts {
        ensure!(
            PARTS.contains(&part.as_str()),
            "no part `{part}`: there are {}",
            PARTS.join(", ")
        );
    }
    let extent = match flags.iter().any(|flag| flag == "--quick") {
        true => Extent::QUICK,
        false => Extent::WHOLE,
    };
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    measure(extent, wanted)
}

fn measure(extent: Extent, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    // Where the build is, so that journals lie on a disk and not in memory.
    let folder = tempfile::Builder::new()
        .prefix("journal-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("no folder for the measurements")?;
    let bed = Bed::new(folder.path())?;
    println!(
        "{} processors; load average {}; medians of {} rounds; entries with a record of {} bytes.",
        std::thread::available_parallelism()?,
        load_average()?,
        extent.rounds,
        entries::record_bytes(),
    );
    if wanted("durable") {
        durable::run(&bed, extent)?;
    }
    if wanted("open") {
        open::run(&bed, extent)?;
    }
    if wanted("verify") {
        verify::run(&bed, extent)?;
    }
    if wanted("witness") {
        witness::run(&bed, extent)?;
    }
    println!("\nload average afterwards: {}", load_average()?);
    Ok(())
}

fn load_average() -> anyhow::Result<String> {
    let text = fs::read_to_string(Path::new("/proc/loadavg"))?;
    let mut words = text.split(' ');
    Ok(words.next().context("/proc/loadavg")?.to_owned())
}
