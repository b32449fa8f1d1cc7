//! `check`: everything that a start or a reload would refuse, without starting.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use crate::assembly::Assembly;
use crate::assembly::load_all;
use crate::clock::Clock;
use crate::config::Config;
use crate::console::ConsoleConfig;
use crate::digest::hex;
use crate::fault::Fault;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge check --config config/civil.toml
  landbridge check --config config/civil.toml --json

All faults are reported at once, each with its file, line, key and a hint. Databases are asked for their tables' columns; one
that cannot be asked is a fault here, though a gateway would start without it. Warned of are certificates and
revocation lists that end soon, agreements that have ended, and providers that this department cannot ask because the
directory has no key of their journal.

Exit codes: 0 no faults, 64 faults.")]
pub(super) struct CheckArgs {
    /// The settings of the department's gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl CheckArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let (assembled, _) = load_all(&config, &Clock::System)
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
        let unusable = config.console.iter().flat_map(ConsoleConfig::faults);
        let unusable: Vec<_> = unusable.collect();
        if !unusable.is_empty() {
            return Err(Failure::Faults(unusable));
        }
        print(&assembled, &config, &output);
        Ok(Exit::Done)
    }
}

/// Agreements that grant nothing any more, though their files are there.
fn ended(assembled: &Assembly, config: &Config) -> impl Iterator<Item = Fault> {
    let today = Clock::System.now().date(config.offset);
    let agreements = assembled.snapshot.policy.agreements();
    let ended = agreements.filter(move |agreement| agreement.valid_until < today);
    ended.map(|agreement| Fault {
        file: agreement.file.clone(),
        line: 0,
        column: 0,
        key: agreement.id.to_string(),
        message: format!(
            "ended on {} and grants nothing any more; agree on another term, or take the file away",
            agreement.valid_until
        ),
    })
}

fn print(assembled: &Assembly, config: &Config, output: &OutputOptions) {
    let snapshot = &assembled.snapshot;
    let revision = hex(snapshot.policy.revision());
    let (records, agreements) = (
        snapshot.registry.records().count(),
        snapshot.policy.agreements().count(),
    );
    let mut warnings = assembled.warnings(config);
    warnings.extend(ended(assembled, config));
    if output.is_json() {
        let report = json!({
            "faults": [], "warnings": warnings, "record_types": records,
            "agreements": agreements, "policy_revision": revision,
        });
        println!("{report}");
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
