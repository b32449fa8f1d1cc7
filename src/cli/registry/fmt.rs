//! `registry fmt`: lays out the files of a registry.

use std::fs;
use std::io;
use std::io::Write;

use anyhow::Context;
use clap::Args;

use super::Root;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::registry::Registry;
use crate::registry::format::formatted;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry fmt
  landbridge registry fmt --check

Two blanks a level, at most one empty line, no blanks at the end of a line. The names of the files are printed.

Exit codes: 0 done, or nothing to do; with --check 1 if there is something to do.")]
pub(super) struct FmtArgs {
    #[command(flatten)]
    root: Root,
    /// Changes nothing
    #[arg(long)]
    check: bool,
}

impl FmtArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let is_json = output.for_one()?;
        let files = Registry::texts(&self.root.root).map_err(Failure::Faults)?;
        let mut exit = Exit::Done;
        for (path, text) in files {
            let wanted = formatted(&text);
            if wanted == text {
                continue;
            }
            if self.check {
                exit = Exit::Failed;
            } else {
                replace(&path, &wanted).with_context(|| format!("cannot write `{path}`"))?;
            }
            let mut out = io::stdout().lock();
            match is_json {
                true => writeln!(out, "{}", serde_json::json!({ "file": path }))?,
                false => writeln!(out, "{path}")?,
            }
        }
        Ok(exit)
    }
}

/// Whoever dies in between leaves the old file or the new one.
fn replace(path: &str, text: &str) -> io::Result<()> {
    let new = format!("{path}.new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}
