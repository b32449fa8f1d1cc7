//! Landbridge beside what a department would use instead, on one machine in one run: `benches/compare/run`.
//!
//! Every contender is measured in every round, so that what else the machine does cancels out of the ratios.

#[expect(dead_code, reason = "no bench needs all of it")]
mod harness;

/// What only this bench needs.
mod compare {
    pub(crate) mod backend;
    pub(crate) mod contender;
    pub(crate) mod hop;
    pub(crate) mod machine;
    pub(crate) mod options;
    pub(crate) mod overload;
    pub(crate) mod paced;
    pub(crate) mod plot;
    pub(crate) mod proxies;
    pub(crate) mod ready;
    pub(crate) mod report;
    pub(crate) mod round;
    pub(crate) mod table;
}

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use compare::backend;
use compare::hop;
use compare::options::Options;
use compare::overload;
use compare::report::Report;
use compare::round;
use harness::direct;
use harness::figures::Extent;
use harness::sqlite;

const WHOLE: Extent = Extent {
    rounds: 3,
    warm_up: Duration::from_millis(500),
    spell: Duration::from_secs(3),
    residents: 1_000_000,
};
/// Tells whether the measuring works, and little more.
const QUICK: Extent = Extent {
    rounds: 1,
    warm_up: Duration::from_millis(300),
    spell: Duration::from_secs(1),
    residents: 100_000,
};

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
