//! How the cost of a call grows: `cargo bench --bench growth [-- --quick] [--entries <n>] [--out <folder>]`.
//!
//! Sizes, fields and rules are asked of two real gateways, agreements and journals of the library alone.

#[expect(dead_code, reason = "no bench needs all of it")]
mod harness;

/// What only this bench needs.
mod growth {
    pub(crate) mod agreements;
    pub(crate) mod journal;
    pub(crate) mod plot;
    pub(crate) mod records;
    pub(crate) mod service;
}

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use growth::agreements;
use growth::journal;
use growth::plot;
use growth::records;

/// How much is measured.
#[derive(Debug, Clone)]
struct Options {
    /// Of calls of one kind.
    spell: Duration,
    /// Of the largest journal.
    entries: u64,
    out: PathBuf,
}

/// One axis: what a call costs where so much of something is there.
#[derive(Debug, Serialize)]
struct Axis {
    title: &'static str,
    /// Of the horizontal axis.
    of: &'static str,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    /// How much there is, and the microseconds of CPU that a call takes then.
    points: Vec<(f64, f64)>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
        let mut options = Self {
            spell: Duration::from_secs(2),
            entries: 10_000_000,
            out: target,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--quick" => {
                    options.spell = Duration::from_millis(200);
                    options.entries = 100_000;
                }
                "--entries" => options.entries = words.next().context("how many?")?.parse()?,
                "--out" => options.out = words.next().context("which folder?")?.into(),
                other => anyhow::bail!("`{other}` is not known: benches/README.md has what is"),
            }
        }
        Ok(options)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let folder = tempfile::Builder::new()
        .prefix("growth-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("no folder for the measurements")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut axes = runtime.block_on(records::measure(folder.path(), &options))?;
    axes.push(agreements::measure()?);
    axes.push(runtime.block_on(journal::measure(folder.path(), options.entries))?);
    for axis in &axes {
        println!("{}", axis.title);
        for line in &axis.lines {
            let points = line.points.iter();
            let points = points.map(|(much, cost)| format!("{much} {}: {cost:.2} µs", axis.of));
            println!("  {}: {}", line.name, points.collect::<Vec<_>>().join(", "));
        }
    }
    fs::create_dir_all(&options.out)?;
    let json = serde_json::to_string_pretty(&axes)?;
    fs::write(options.out.join("growth.json"), json)?;
    Ok(fs::write(
        options.out.join("growth.svg"),
        plot::svg(&axes)?,
    )?)
}
