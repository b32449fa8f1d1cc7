//! `registry check`: what a change of the registry breaks.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::Root;
use super::against;
use super::compile;
use super::path_of;
use crate::assembly::impact::Impact;
use crate::assembly::impact::ThingKind;
use crate::assembly::impact::TouchedThing;
use crate::assembly::impact::of_consumers;
use crate::assembly::impact::of_files;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::time_arg;
use crate::cli::time_arg::TimeArg;
use crate::clock::Clock;
use crate::config::Config;
use crate::digest::hex;
use crate::registry::Registry;
use crate::registry::compat::Finding;
use crate::registry::compat::compare;
use crate::registry::compat::rule::Category;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry check
  landbridge registry check --against HEAD
  landbridge registry check proto/registry --against v1.4 --rules WIRE
  landbridge registry check --against HEAD --config config/civil.toml --since 90d
  landbridge registry check new --against old.binpb --json

The rules, with buf's names and buf's verdicts:
  REGISTRY   WIRE_JSON, nothing deleted from a package, and what agreements rest on: owner, key and subject of a
             record type; sensitivity and default mask of a field
  FILE, PACKAGE, WIRE_JSON, WIRE   as `buf breaking` has them

With --config the answer also tells what the change touches at that department: agreements with their grants and row
rules, guardrails and sources, each with the consequence, and the systems that have asked for a changed record type of late.

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
    /// The settings of a gateway: tells what the change touches there
    #[arg(long, value_name = "FILE", requires = "against")]
    config: Option<PathBuf>,
    /// From when on the gateway's journal is asked who needs what changes
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = time_arg::parse, requires = "config")]
    since: TimeArg,
}

impl CheckArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let root = &self.root.root;
        let after = compile(root)?;
        let (mut findings, mut touched) = (Vec::new(), Vec::new());
        if let Some(revision) = &self.against {
            let before = against::read(revision, root)?;
            findings = compare(before.pool(), after.pool());
            if let Some(config) = &self.config {
                let config = Config::load(config).map_err(Failure::Faults)?;
                let impact = impact(&config, before.registry()?, &after, &self.since)?;
                findings.extend(impact.findings);
                touched = impact.touched;
            }
            findings.retain(|finding| finding.rule.is_in(self.rules));
        }
        let mut out = io::stdout().lock();
        if output.for_one()? {
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| json_of(finding, root))
                .collect();
            let digest = hex(after.digest());
            let report = json!({ "findings": findings, "touched": touched, "digest": digest });
            writeln!(out, "{report}")?;
        } else {
            for finding in &findings {
                write(finding, root, &mut out)?;
            }
            for touched in &touched {
                write_touched(touched, &mut out)?;
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

/// What a change touches at that department.
pub(super) fn impact(
    config: &Config,
    before: &Registry,
    after: &Registry,
    since: &TimeArg,
) -> Result<Impact, Failure> {
    let mut impact = of_files(config, before, after).map_err(Failure::Faults)?;
    let since = since.moment(config.offset, Clock::System.now());
    // A gateway that has never run has no journal.
    if config.journal.path.exists() {
        let consumers = of_consumers(config, before, after, since);
        let consumers = consumers.context("the journal cannot be read")?;
        impact.touched.extend(consumers);
    }
    Ok(impact)
}

pub(super) fn write_touched(touched: &TouchedThing, to: &mut impl Write) -> io::Result<()> {
    let what = match touched.what {
        ThingKind::Agreement => "agreement",
        ThingKind::Policy => "policy",
        ThingKind::Source => "source",
        ThingKind::Consumer => "consumer",
    };
    let place = match (touched.file.as_str(), touched.line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    };
    let (name, consequence) = (&touched.name, &touched.consequence);
    writeln!(to, "touches {what}: {place}{name}: {consequence}")
}

pub(super) fn write(finding: &Finding, root: &Path, to: &mut impl Write) -> io::Result<()> {
    let Finding {
        line,
        rule,
        element,
        message,
        ..
    } = finding;
    let (file, hint) = (path_of(root, &finding.file), rule.hint());
    writeln!(to, "{file}:{line}: {rule}: {element}: {message}; {hint}")
}

pub(super) fn json_of(finding: &Finding, root: &Path) -> serde_json::Value {
    json!({
        "file": path_of(root, &finding.file),
        "line": finding.line,
        "rule": finding.rule.name(),
        "element": finding.element,
        "breaks": finding.message,
        "hint": finding.rule.hint(),
    })
}
