//! What a crowd costs a gateway: idle connections of peers, and many streamed answers at a time.
//! `cargo bench --bench crowd [-- --quick]`.

#[expect(dead_code, reason = "no bench needs all of it")]
mod harness;

/// What only this bench needs.
mod crowd {
    pub(crate) mod idle;
    pub(crate) mod streams;
}

use std::path::Path;

use anyhow::Context;

use crowd::idle;
use crowd::streams;
use harness::bed::Bed;
use harness::bed::Pair;
use harness::sqlite;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    connections: usize,
    streams: usize,
    /// Of each stream.
    records: u32,
}

impl Extent {
    const WHOLE: Self = Self {
        connections: 10_000,
        streams: 1_000,
        records: 2_000,
    };
    /// Tells whether the measuring works, and little more.
    const QUICK: Self = Self {
        connections: 200,
        streams: 50,
        records: 500,
    };
}

fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let extent = if quick { Extent::QUICK } else { Extent::WHOLE };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(extent))
}

async fn measure(extent: Extent) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("crowd-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("no folder for the measurements")?;
    let source = sqlite::fill(folder.path(), extent.records).await?;
    let pair = Pair {
        name: String::new(),
        gateway: Path::new(env!("CARGO_BIN_EXE_landbridge")),
        source,
        // One department plays all of them, and may have four fifths of the connections.
        settings: &[("LIMITS__MAX_CONNECTIONS", "20000")],
    };
    let bed = Bed::lay_out(&folder.path().join("gateways"), &pair)?;
    streams::measure(&bed, extent).await?;
    idle::measure(&bed, extent).await
}
