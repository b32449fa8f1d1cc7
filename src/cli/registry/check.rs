//! `registry check`: what a change of the registry breaks.

use std::io;
use std::io::Write;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::Root;
use super::against;
use super::compile;
use super::path_of;
use crate::cli::exit::Exit;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::registry::compat::Finding;
use crate::registry::compat::compare;
use crate::registry::compat::rule::Category;
use crate::registry::hex;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry check
  landbridge registry check --against HEAD
  landbridge registry check proto/registry --against v1.4 --rules WIRE
  buf build old -o old.binpb && landbridge registry check new --against old.binpb --json

The rules, with buf's names and buf's verdicts:
  REGISTRY   WIRE_JSON, nothing deleted from a package, and what agreements rest on: owner, key and subject of a
             record type; sensitivity and default mask of a field
  FILE, PACKAGE, WIRE_JSON, WIRE   as `buf breaking` has them

Exit codes: 0 nothing breaks, 1 something does, 64 the registry does not compile.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    root: Root,
    /// The revision before: a folder, an image that `buf build` wrote, or a revision in git
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    /// Which rules
    #[arg(
        long,
        value_name = "RULES",
        default_value = "REGISTRY",
        requires = "against"
    )]
    rules: Category,
}

impl CheckArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let root = &self.root.root;
        let after = compile(root)?;
        let findings = match &self.against {
            None => Vec::new(),
            Some(revision) => {
                let before = against::read(revision, root)?;
                let mut findings = compare(&before, after.pool());
                findings.retain(|finding| finding.rule.is_in(self.rules));
                findings
            }
        };
        let mut out = io::stdout().lock();
        if output.for_one()? {
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| json_of(finding, root))
                .collect();
            writeln!(
                out,
                "{}",
                json!({ "findings": findings, "digest": hex(after.digest()) })
            )?;
        } else {
            for finding in &findings {
                write(finding, root, &mut out)?;
            }
            let count = after.records().count();
            let breaks = match (&self.against, findings.len()) {
                (None, _) => "it compiles".to_owned(),
                (Some(revision), 0) => format!("nothing breaks against {revision}"),
                (Some(revision), n) => format!("{n} findings against {revision}"),
            };
            writeln!(out, "{}: {count} record types; {breaks}", root.display())?;
        }
        Ok(match findings.is_empty() {
            true => Exit::Done,
            false => Exit::Failed,
        })
    }
}

fn write(finding: &Finding, root: &Path, to: &mut impl Write) -> io::Result<()> {
    let Finding {
        line,
        rule,
        element,
        message,
        ..
    } = finding;
    let (file, mend) = (path_of(root, &finding.file), rule.mend());
    writeln!(to, "{file}:{line}: {rule}: {element}: {message}; {mend}")
}

fn json_of(finding: &Finding, root: &Path) -> serde_json::Value {
    json!({
        "file": path_of(root, &finding.file),
        "line": finding.line,
        "rule": finding.rule.name(),
        "element": finding.element,
        "breaks": finding.message,
        "mend": finding.rule.mend(),
    })
}
