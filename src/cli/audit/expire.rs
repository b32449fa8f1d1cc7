//! `audit expire`: erases the records whose retention has ended, or shows them.

use std::io;
use std::io::Write;
use std::path::Path;

use clap::Args;
use time::UtcOffset;

use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::cli::time_arg;
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::StartError;
use crate::gateway::open_journal;
use crate::journal::JournalError;
use crate::journal::expiry::Expired;
use crate::journal::expiry::Expiry;
use crate::journal::expiry::ExpiryError;
use crate::journal::expiry::preview;
use crate::journal::pace::Pace;
use crate::journal::subject::SubjectKeys;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit expire --config config/civil.toml --dry-run
  landbridge audit expire --config config/civil.toml --dry-run --json

How long records are kept stands in the settings under `[retention]`. A gateway that runs erases by itself, once an hour:
then, and where the journal has witnesses, only `--dry-run` can be used. Leaves are never erased, so that every proof still holds; an erasure entry in the
journal says which records were erased, under which class and after which term.")]
pub(super) struct ExpireArgs {
    /// Shows what would be erased, and erases nothing
    #[arg(long)]
    dry_run: bool,
}

impl ExpireArgs {
    pub(super) fn run(
        self,
        config: Option<&Path>,
        offset: Option<UtcOffset>,
        output: &OutputOptions,
    ) -> Run {
        let json = output.for_one()?;
        let Some(config) = config else {
            let failure = Failure::usage("which rules of retention?");
            return Err(failure.hint("give the gateway's settings with `--config FILE`"));
        };
        let config = Config::load(config).map_err(Failure::Faults)?;
        let expired = match self.dry_run {
            true => foreseen(&config)?,
            false => erased(&config)?,
        };
        let offset = offset.unwrap_or(config.offset);
        let mut out = io::stdout().lock();
        if json {
            writeln!(out, "{}", to_json(&expired, self.dry_run, offset))?;
        } else {
            write(&expired, self.dry_run, offset, &mut out)?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

fn foreseen(config: &Config) -> Result<Expired, Failure> {
    preview(&config.journal.path, &config.retention, Clock::System.now()).map_err(failed)
}

fn erased(config: &Config) -> Result<Expired, Failure> {
    if !config.journal.path.is_dir() {
        // Otherwise an empty journal would be made.
        return foreseen(config);
    }
    if config.witness.policy.is_some() {
        // Only a gateway asks its witnesses whether this journal is the newest state, and not a copy made earlier.
        let failure = Failure::usage("a journal with witnesses is expired by its gateway");
        return Err(
            failure.hint("start the gateway: it erases once an hour; `--dry-run` shows what")
        );
    }
    let (held, _) = open_journal(config, &Clock::System).map_err(not_opened)?;
    let journal = held.release()?;
    let keys = SubjectKeys::open(&config.journal.subjects)?;
    let mut expiry = Expiry::new(&journal, config.retention.clone(), keys);
    let passed = expiry.pass(Clock::System.now(), &mut Pace::full());
    journal.close();
    passed.map_err(failed)
}

fn not_opened(error: StartError) -> Failure {
    let locked = matches!(&error, StartError::Journal(JournalError::Locked { .. }));
    let failure = Failure::from(error);
    if locked {
        return failure
            .hint("its gateway runs, and erases by itself once an hour; `--dry-run` shows what");
    }
    failure
}

fn failed(error: ExpiryError) -> Failure {
    match error {
        ExpiryError::Read(error) => unreadable(error),
        error => error.into(),
    }
}

const HEADER: [&str; 4] = ["class", "keep", "records", "oldest"];

fn write(
    expired: &Expired,
    dry_run: bool,
    offset: UtcOffset,
    to: &mut impl Write,
) -> io::Result<()> {
    if !expired.classes.is_empty() {
        let mut table = Table::new(&HEADER);
        for (name, class) in &expired.classes {
            table.row(&[
                name.clone(),
                class.keep.to_string(),
                class.records.to_string(),
                time_arg::shown(class.oldest, offset),
            ]);
        }
        writeln!(to, "{table}")?;
    }
    match (expired.records, dry_run) {
        (0, _) => writeln!(to, "no record is due"),
        (records, true) => writeln!(to, "{records} records would be erased"),
        (records, false) => writeln!(to, "{records} records erased"),
    }
}

fn to_json(expired: &Expired, dry_run: bool, offset: UtcOffset) -> serde_json::Value {
    let class = |name: &String, class: &crate::journal::expiry::ExpiredClass| {
        serde_json::json!({
            "class": name,
            "keep": class.keep.to_string(),
            "records": class.records,
            "oldest": time_arg::rfc3339(class.oldest, offset),
        })
    };
    let classes = expired.classes.iter().map(|(name, of)| class(name, of));
    serde_json::json!({
        "dry_run": dry_run,
        "records": expired.records,
        "classes": classes.collect::<Vec<_>>(),
        "months_without_keys": expired.epochs,
    })
}

#[cfg(test)]
mod tests;
