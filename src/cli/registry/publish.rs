//! `registry publish`: signs a package of the registry's tree, and hands it to the department's gateway.

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::check::impact;
use super::check::json_of;
use super::check::write;
use super::check::write_touched;
use crate::assembly;
use crate::assembly::impact::Impact;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::time_arg;
use crate::cli::time_arg::TimeArg;
use crate::clock::Clock;
use crate::config::Config;
use crate::digest::hex;
use crate::name::PackageName;
use crate::publication::PublishedPackages;
use crate::publication::Revision;
use crate::publication::shelf::Candidate;
use crate::publication::shelf::Shelf;
use crate::registry::Registry;
use crate::registry::compat::Finding;
use crate::registry::compat::compare;
use crate::registry::compat::rule::Category;
use crate::registry::revision::PackageFiles;
use crate::tlog::key::JournalKey;

/// How long the gateway is waited for: a large registry takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// After so long it is said that something is waited for.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry publish civil.v1 --config config/civil.toml --dry-run
  landbridge registry publish civil.v1 --config config/civil.toml

The files of the package in the registry's tree become its next revision: signed by the key of this department's journal,
in force at this gateway at once, and at all other gateways within their `registry.sync` (a minute). What breaks by the
REGISTRY rules of `registry check` is not published; make a new package version, such as civil.v2. Once a package is
published, a change of its files in the tree is a draft, and changes nothing until it is published, too.

Exit codes: 0 published, or nothing to publish; 1 it breaks something or the gateway refuses it; 64 bad usage or settings.")]
pub(super) struct PublishArgs {
    /// The package, e.g. `civil.v1`
    package: PackageName,
    /// The settings of the department's gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only tells what would be published, and what it touches
    #[arg(long)]
    dry_run: bool,
    /// From when on the gateway's journal is asked who needs what changes
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = time_arg::parse)]
    since: TimeArg,
}

/// How it ended, for people and for programs.
enum PublishReport {
    Unchanged(u64),
    Breaks,
    DryRun,
    InForce,
    Waits,
}

impl PublishArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let is_json = output.for_one()?;
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let (before, published) =
            assembly::registry(&config, None, Vec::new()).map_err(Failure::Faults)?;
        let after = self.draft(&config, &published)?;
        let files = self.files(&config, &after)?;
        let revision = self.revision(&config, &files, &published);
        if let Some(head) = published.head(self.package.as_str())
            && head.revision.digest == revision.digest
        {
            let outcome = PublishReport::Unchanged(head.revision.number);
            return self.print(&outcome, &revision, &[], &Impact::default(), is_json);
        }
        let mut impact = impact(&config, &before, &after, &self.since)?;
        let mut findings = compare(before.pool(), after.pool());
        findings.append(&mut impact.findings);
        findings.retain(|finding| finding.rule.is_in(Category::Registry));
        let outcome = match (findings.is_empty(), self.dry_run) {
            (false, _) => PublishReport::Breaks,
            (true, true) => PublishReport::DryRun,
            (true, false) => self.hand_over(&config, &revision, files)?,
        };
        self.print(&outcome, &revision, &findings, &impact, is_json)
    }

    /// The registry as it would be: what is published of other packages, and the tree's files of this one.
    fn draft(
        &self,
        config: &Config,
        published: &PublishedPackages,
    ) -> Result<Arc<Registry>, Failure> {
        let heads = published.lines().map(|line| &line.head);
        let others = heads.filter(|head| head.revision.package != self.package);
        let overlays: Vec<_> = others.map(|head| head.overlay()).collect();
        let registry = Registry::compile_published(&config.registry, &overlays, None);
        registry.map_err(Failure::Faults)
    }

    fn files(&self, config: &Config, registry: &Registry) -> Result<PackageFiles, Failure> {
        let (package, tree) = (&self.package, config.registry.display());
        let files = registry.revision(package).map_err(|error| {
            Failure::usage(error).hint(format!("`{tree}` is the registry that the settings name"))
        })?;
        let held = registry.packages().get(package.as_str());
        match held.and_then(|held| held.owner.as_ref()) {
            Some(owner) if *owner == config.department => Ok(files),
            Some(owner) => Err(Failure::usage(format!(
                "`{package}` is of `{owner}`, and these are the settings of `{}`",
                config.department
            ))
            .hint("its owner publishes it, and this gateway fetches it from there")),
            None => Err(Failure::usage(format!(
                "`{package}` has no record type, so that nobody owns it"
            ))
            .hint("mark a message with the option (landbridge.v1.record)")),
        }
    }

    fn revision(
        &self,
        config: &Config,
        files: &PackageFiles,
        published: &PublishedPackages,
    ) -> Revision {
        let head = published.head(self.package.as_str());
        Revision {
            package: self.package.clone(),
            owner: config.department.clone(),
            number: head.map_or(1, |head| head.revision.number + 1),
            digest: *files.digest(),
            previous: head.map(|head| head.revision.digest),
            at: Clock::System.now(),
        }
    }

    fn hand_over(
        &self,
        config: &Config,
        revision: &Revision,
        files: PackageFiles,
    ) -> Result<PublishReport, Failure> {
        let key = JournalKey::load(&config.journal.key).map_err(|error| {
            Failure::from(error).hint(
                "the gateway makes its key when it starts first, and `landbridge audit key` before",
            )
        })?;
        let candidate = Candidate {
            note: revision.sign(&key, &config.origin())?,
            revision: revision.clone(),
            files,
        };
        let shelf = Shelf::at(&config.publication.path);
        shelf.leave(&candidate).with_context(|| {
            format!("cannot leave the revision in `{}`", shelf.inbox().display())
        })?;
        let begun = Instant::now();
        let mut is_told = false;
        while shelf.waits(&self.package) {
            if begun.elapsed() > PATIENCE {
                return Ok(PublishReport::Waits);
            }
            if begun.elapsed() > QUIET && !is_told {
                writeln!(io::stderr(), "waiting for the gateway to take it up…")?;
                is_told = true;
            }
            sleep(LOOK_AGAIN);
        }
        let current = shelf
            .current(&self.package)
            .map_err(|fault| Failure::Faults(vec![fault]))?;
        if current.is_some_and(|current| current.revision.digest == revision.digest) {
            return Ok(PublishReport::InForce);
        }
        let why = shelf.refusal(&self.package);
        let why = why.unwrap_or_else(|| "its log tells why".to_owned());
        Err(anyhow::anyhow!("the gateway refuses the revision: {why}").into())
    }

    fn print(
        &self,
        told: &PublishReport,
        revision: &Revision,
        findings: &[Finding],
        impact: &Impact,
        is_json: bool,
    ) -> Run {
        let (package, number, digest) = (&self.package, revision.number, hex(&revision.digest));
        let root = std::path::Path::new("");
        let outcome = match told {
            PublishReport::Unchanged(_) => "unchanged",
            PublishReport::Breaks => "refused",
            PublishReport::DryRun => "dry-run",
            PublishReport::InForce => "in-force",
            PublishReport::Waits => "waits",
        };
        let mut out = io::stdout().lock();
        if is_json {
            let findings: Vec<_> = findings.iter().map(|f| json_of(f, root)).collect();
            let report = json!({
                "package": package, "number": number, "digest": digest, "outcome": outcome,
                "findings": findings, "touched": impact.touched,
            });
            writeln!(out, "{report}")?;
        } else {
            for finding in findings {
                write(finding, root, &mut out)?;
            }
            for touched in &impact.touched {
                write_touched(touched, &mut out)?;
            }
            let line = match told {
                PublishReport::Unchanged(number) => {
                    format!("the tree has revision {number} of {package}: nothing to publish")
                }
                PublishReport::Breaks => format!(
                    "{} findings: not published; what must break goes into a new package version",
                    findings.len()
                ),
                PublishReport::DryRun => {
                    format!("would publish revision {number} of {package} ({digest})")
                }
                PublishReport::InForce => {
                    format!("revision {number} of {package} is in force ({digest})")
                }
                PublishReport::Waits => format!(
                    "revision {number} of {package} waits: the gateway takes it up when it runs"
                ),
            };
            writeln!(out, "{line}")?;
        }
        Ok(match told {
            PublishReport::Breaks => Exit::Failed,
            PublishReport::Unchanged(_)
            | PublishReport::DryRun
            | PublishReport::InForce
            | PublishReport::Waits => Exit::Done,
        })
    }
}
