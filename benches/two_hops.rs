//! What two gateways cost between a client and a database, measured on real processes:
//! `cargo bench --bench two_hops [-- --quick] [--null-journal <landbridge>]`.
//!
//! The figures are ratios first: a direct call over mutual TLS is measured in the same rounds, so that what else the
//! machine does cancels out.
//!
//! With `--null-journal` the other contender is not a second database but a build of the gateway that keeps no journal:
//! `benches/README.md` says how it is made.

#[expect(dead_code, reason = "no bench needs all of it")]
mod harness;

/// What only this bench needs.
mod two_hops {
    pub(crate) mod database;
    pub(crate) mod postgres;
    pub(crate) mod report;
    pub(crate) mod round;
}

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use harness::direct;
use harness::figures::Extent;
use two_hops::database::Database;
use two_hops::report;
use two_hops::report::Report;
use two_hops::round;

const WHOLE: Extent = Extent {
    rounds: 3,
    warm_up: Duration::from_secs(2),
    spell: Duration::from_secs(8),
    residents: 1_000_000,
};
/// Tells whether the measuring works, and little more.
const QUICK: Extent = Extent {
    rounds: 1,
    warm_up: Duration::from_millis(500),
    spell: Duration::from_secs(2),
    residents: 100_000,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let [flag, folder, port] = arguments.as_slice()
        && flag == direct::FLAG
    {
        return runtime.block_on(direct::serve(Path::new(folder), port.parse()?));
    }
    let extent = if arguments.iter().any(|argument| argument == "--quick") {
        QUICK
    } else {
        WHOLE
    };
    let null_journal = arguments
        .iter()
        .skip_while(|argument| *argument != "--null-journal")
        .nth(1);
    runtime.block_on(measure(extent, null_journal.map(Path::new)))
}

async fn measure(extent: Extent, null_journal: Option<&Path>) -> anyhow::Result<()> {
    // Where the build is, so that journals lie on a disk and not in memory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::Builder::new()
        .prefix("two_hops-")
        .tempdir_in(target)
        .context("no folder for the measurements")?;
    eprintln!("making {} residents", extent.residents);
    let sqlite = Database::sqlite(folder.path(), extent.residents).await?;
    let gateway = Path::new(env!("CARGO_BIN_EXE_landbridge"));
    let postgres;
    let other = match null_journal {
        Some(gateway) => sqlite.pair(gateway, report::NULL_JOURNAL),
        None => {
            postgres = Database::postgres(extent.residents).await?;
            postgres.pair(gateway, "")
        }
    };
    let pairs = [sqlite.pair(gateway, ""), other];

    let mut report = Report::new(extent);
    for number in 1..=extent.rounds {
        eprintln!("round {number} of {}", extent.rounds);
        let folder = folder.path().join(format!("round-{number}"));
        report.add(&round::run(&folder, &pairs, extent).await?)?;
    }
    print!("{}", report.markdown()?);
    let file = results(target);
    report.write(&file)?;
    eprintln!("written to {}", file.display());
    Ok(())
}

/// `target/bench/two_hops.json`.
fn results(target: &Path) -> PathBuf {
    let root = target.parent().unwrap_or(target);
    root.join("bench/two_hops.json")
}
