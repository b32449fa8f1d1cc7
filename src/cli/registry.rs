//! `registry`: the shared schemas as a contract that is not broken by accident.

mod against;
mod check;
mod fmt;
mod lint;
mod publish;
mod revisions;

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use crate::registry::Registry;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry check --against HEAD
  landbridge registry check --against HEAD --config config/civil.toml
  landbridge registry lint
  landbridge registry fmt --check
  landbridge registry publish civil.v1 --config config/civil.toml")]
pub(super) struct RegistryArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tells what a change breaks, and whether the registry compiles at all
    Check(check::CheckArgs),
    /// Tells of names, comments and numbers that make a schema hard to use
    Lint(lint::LintArgs),
    /// Lays out the files
    Fmt(fmt::FmtArgs),
    /// Puts a new revision of a package in force, at this gateway and at all others
    Publish(publish::PublishArgs),
    /// Lists the published revisions that a gateway keeps
    Revisions(revisions::RevisionsArgs),
}

/// Which registry a verb is about.
#[derive(Args)]
struct Root {
    /// The registry's folder
    #[arg(value_name = "DIR", default_value = "proto/registry")]
    root: PathBuf,
}

impl RegistryArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        match self.verb {
            Verb::Check(args) => args.run(output),
            Verb::Lint(args) => args.run(output),
            Verb::Fmt(args) => args.run(output),
            Verb::Publish(args) => args.run(output),
            Verb::Revisions(args) => args.run(output),
        }
    }
}

fn compile(root: &Path) -> Result<Registry, Failure> {
    Registry::compile(root).map_err(Failure::Faults)
}

/// The path of a registry's file as its reader knows it.
fn path_of(root: &Path, file: &str) -> String {
    root.join(file).display().to_string()
}
