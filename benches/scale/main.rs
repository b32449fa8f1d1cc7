//! What a policy of a whole country costs a gateway: `cargo bench --bench scale [-- --quick]`.

mod ground;
mod parts;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::ensure;
use landbridge::clock::Clock;
use landbridge::demo::federation::Federation;
use landbridge::demo::federation::PORTS;

use ground::Extent;

/// The process that measures the parts is this one again: memory that others have used would count.
const PARTS: &str = "--parts";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, settings] = arguments.as_slice()
        && flag == PARTS
    {
        println!("{}", parts::measure(Path::new(settings), 1_000_000)?);
        return Ok(());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let extent = if quick { Extent::QUICK } else { Extent::WHOLE };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(if quick { "scale-quick" } else { "scale" });
    if !folder.exists() {
        let federation = Federation::lay_out(&folder, PORTS, Clock::System.now())?;
        ground::lay_out(&federation.folder, extent)?;
    }
    let measured = Command::new(std::env::current_exe()?)
        .arg(PARTS)
        .arg(folder.join("config/civil.toml"))
        .output()?;
    ensure!(
        measured.status.success(),
        "{}",
        String::from_utf8_lossy(&measured.stderr)
    );
    let measured: serde_json::Value = serde_json::from_slice(&measured.stdout)?;
    let text = serde_json::to_string_pretty(&measured)?;
    println!("{text}");
    let results = target.parent().unwrap_or(target).join("bench");
    fs::create_dir_all(&results)?;
    fs::write(results.join("scale.json"), text).context("the results cannot be written")
}
