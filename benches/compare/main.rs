//! Landbridge beside what a department would use instead, on one machine in one run: `benches/compare/run`.
//!
//! Every contender is measured in every round, so that what else the machine does cancels out of the ratios.

#[expect(dead_code, reason = "only `two_hops` starts gateways again")]
#[path = "../two_hops/bed.rs"]
mod bed;
#[path = "../two_hops/canned.rs"]
mod canned;
#[path = "../two_hops/client.rs"]
mod client;
#[path = "../two_hops/direct.rs"]
mod direct;
#[path = "../two_hops/figures.rs"]
mod figures;
#[path = "../two_hops/load.rs"]
mod load;
#[path = "../two_hops/median.rs"]
mod median;
#[path = "../two_hops/meter.rs"]
mod meter;
#[path = "../two_hops/process.rs"]
mod process;
#[expect(dead_code, reason = "only `two_hops` has PostgreSQL")]
#[path = "../two_hops/residents.rs"]
mod residents;

mod backend;
mod contender;
mod hop;
mod machine;
mod options;
mod overload;
mod paced;
mod plot;
mod proxies;
mod ready;
mod report;
mod round;
mod sqlite;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use options::Options;
use report::Report;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    warm_up: Duration,
    /// Of many calls at a time, of one at a time, and of calls at a given rate.
    spell: Duration,
    /// What the database holds, and what a stream carries.
    residents: u32,
}

impl Extent {
    const WHOLE: Self = Self {
        rounds: 3,
        warm_up: Duration::from_millis(500),
        spell: Duration::from_secs(3),
        residents: 1_000_000,
    };
    /// Tells whether the measuring works, and little more.
    const QUICK: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(300),
        spell: Duration::from_secs(1),
        residents: 100_000,
    };
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [direct::FLAG, folder, port] => {
            runtime.block_on(direct::serve(Path::new(folder), port.parse()?))
        }
        [backend::FLAG, port] => runtime.block_on(backend::serve(port.parse()?)),
        [hop::FLAG, place, folder, port, next] => {
            let hop = hop::Hop::new(place, Path::new(folder), next)?;
            runtime.block_on(hop.serve(port.parse()?))
        }
        words => runtime.block_on(measure(&Options::parse(words)?)),
    }
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    // Where the build is, so that journals lie on a disk and not in memory.
    let folder = tempfile::Builder::new()
        .prefix("compare-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("no folder for the measurements")?;
    if options.overload {
        return overload::run(folder.path(), options.extent).await;
    }
    let population = sqlite::fill(folder.path(), options.extent.residents).await?;
    let mut report = Report::new(options);
    for number in 1..=options.extent.rounds {
        eprintln!("round {number} of {}", options.extent.rounds);
        let folder = folder.path().join(format!("round-{number}"));
        let round = round::run(&folder, &population, number, options).await?;
        report.add(&round)?;
    }
    let page = report.markdown()?;
    print!("{page}");
    report.write(&options.results, &page)?;
    eprintln!("written to {}", options.results.display());
    Ok(())
}
