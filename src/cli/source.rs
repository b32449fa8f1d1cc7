//! `source`: the department's own records.

mod check;

use clap::Args;
use clap::Subcommand;

use super::exit::Run;
use super::output::OutputOptions;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge source check --config config/civil.toml")]
pub(super) struct SourceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Holds every record against the rules of the registry
    Check(check::CheckArgs),
}

impl SourceArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        match self.verb {
            Verb::Check(args) => args.run(output).await,
        }
    }
}
