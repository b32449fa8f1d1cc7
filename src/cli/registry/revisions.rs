//! `registry revisions`: what a gateway keeps of the published packages.

use std::io;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::time_arg;
use crate::config::Config;
use crate::digest::hex;
use crate::name::PackageName;
use crate::publication::shelf::KeptRevision;
use crate::publication::shelf::Shelf;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry revisions --config config/tax.toml
  landbridge registry revisions civil.v1 --config config/tax.toml --json
  landbridge registry check new --against var/tax/published/civil.v1/<digest>

Each revision is a folder below the one that `registry.published` names (by default `published` beside the journal), with
the package's files and the owner's signed statement. The one with the star is in force.

Exit codes: 0 done, 64 bad settings, or a revision that was changed on the disk.")]
pub(super) struct RevisionsArgs {
    /// Only of this package
    package: Option<PackageName>,
    /// The settings of the gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl RevisionsArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let shelf = Shelf::at(&config.publication.path);
        let published = shelf.published().map_err(Failure::Faults)?;
        let is_json = output.for_one()?;
        let mut out = io::stdout().lock();
        let mut any = false;
        for line in published.lines() {
            let (package, head) = (&line.head.revision.package, line.head.revision.digest);
            if self
                .package
                .as_ref()
                .is_some_and(|wanted| wanted != package)
            {
                continue;
            }
            let kept = shelf
                .all(package)
                .map_err(|fault| Failure::Faults(vec![fault]))?;
            for kept in &kept {
                any = true;
                let is_current = kept.revision.digest == head;
                let at = time_arg::shown(kept.revision.at, config.offset);
                write(kept, is_current, &at, is_json, &mut out)?;
            }
        }
        if !any && !is_json {
            writeln!(
                out,
                "no revision is published: the gateway goes by the files of its tree"
            )?;
        }
        Ok(Exit::Done)
    }
}

fn write(
    kept: &KeptRevision,
    is_current: bool,
    at: &str,
    is_json: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let revision = &kept.revision;
    let (package, number, owner) = (&revision.package, revision.number, &revision.owner);
    let digest = hex(&revision.digest);
    if is_json {
        let report = json!({
            "package": package, "number": number, "owner": owner, "digest": digest,
            "previous": revision.previous.map(|previous| hex(&previous)),
            "published": at, "in_force": is_current, "folder": kept.place,
        });
        return writeln!(out, "{report}");
    }
    let star = if is_current { "*" } else { " " };
    writeln!(
        out,
        "{star} {package} revision {number}  {owner}  {at}  {digest}"
    )
}
