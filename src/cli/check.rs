//! `check`: everything that a start or a reload would refuse, without starting.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use crate::clock::Clock;
use crate::config::Config;
use crate::fault::Fault;
use crate::gateway::assemble::Assembled;
use crate::gateway::assemble::rehearse;
use crate::registry::hex;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge check --config config/civil.toml
  landbridge check --config config/civil.toml --json

Every fault is told at once, each with its file, line, key and mend. Databases are asked for their tables' columns; one
that cannot be asked is a fault here, though a gateway would start without it. Warned of are certificates that end soon,
and providers that this department cannot ask because the directory has no key of their journal.

Exit codes: 0 no faults, 64 faults.")]
pub(super) struct CheckArgs {
    /// The settings of the department's gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl CheckArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let (assembled, _) = rehearse(&config, &Clock::System)
            .await
            .map_err(Failure::Faults)?;
        let (_, unasked) = assembled.snapshot.sources.check().await;
        if !unasked.is_empty() {
            let fault = |(source, error)| Fault {
                file: self.config.display().to_string(),
                ..Fault::of_setting(source, crate::fault::chain(&error))
            };
            return Err(Failure::Faults(unasked.into_iter().map(fault).collect()));
        }
        tell(&assembled, &config, &output);
        Ok(Exit::Done)
    }
}

fn tell(assembled: &Assembled, config: &Config, output: &OutputOptions) {
    let snapshot = &assembled.snapshot;
    let revision = hex(snapshot.policy.revision());
    let (records, agreements) = (
        snapshot.registry.records().count(),
        snapshot.policy.agreements().count(),
    );
    let warnings = assembled.warnings(config);
    if output.is_json() {
        let told = json!({
            "faults": [], "warnings": warnings, "record_types": records,
            "agreements": agreements, "policy_revision": revision,
        });
        println!("{told}");
        return;
    }
    for warning in warnings {
        println!("warning: {warning}");
    }
    println!(
        "{}: no faults; {records} record types, {agreements} agreements, policy revision {revision}",
        config.file.display()
    );
}
