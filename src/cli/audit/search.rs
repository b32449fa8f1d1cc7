//! `audit search`: the entries that fit, the newest first.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Place;
use super::criteria::CriteriaArgs;
use super::entry;
use super::prove::Checkpoints;
use super::prove::EXTENSION;
use super::prove::write;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output;
use crate::cli::output::Format;
use crate::cli::output::OutputOptions;
use crate::clock::Clock;
use crate::evidence::hit::Hit;
use crate::evidence::json;
use crate::evidence::row::Row;
use crate::evidence::search::Coverage;
use crate::evidence::search::Page;
use crate::evidence::search::SearchResult;
use crate::evidence::search::find;
use crate::pb;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit search --config config/civil.toml --peer tax --since 7d --outcome denied
  landbridge audit search --config config/civil.toml --officer 'Li Wei' --released address.district
  landbridge audit search --config config/civil.toml --min-records 500 --since 2026-11-01 --json
  landbridge audit search --config config/civil.toml --purpose tax-assessment --after 3
  landbridge audit search --config config/civil.toml --outcome denied --since 7d \\
      --proofs evidence

All that is given must fit. The search index answers for what it covers, and the rest is read: the answer is complete up
to the entry that is named on the standard error output.")]
pub(super) struct SearchArgs {
    #[command(flatten)]
    criteria: CriteriaArgs,
    /// The most entries
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
    /// Goes on after the last entry of the page before
    #[arg(long, value_name = "ENTRY")]
    after: Option<u64>,
    /// Writes the proof of each entry, of a stream's end too, to `<entry>.tlog-proof` in that folder
    #[arg(long, value_name = "DIR")]
    proofs: Option<PathBuf>,
}

impl SearchArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let page = Page {
            before: self.after,
            limit: self.limit,
        };
        let (criteria, whom) = self.criteria.criteria(place, Clock::System.now())?;
        let index = place.index();
        let found = find(&place.reader(), index.as_ref(), &criteria, page).map_err(unreadable)?;
        let hits = &found.hits;
        match output.for_lists() {
            Format::Json => print_json(hits, place)?,
            _ if hits.is_empty() => {}
            format => output::list(format, &rows(hits, place), &entry::HEADER, Clone::clone)?,
        }
        print_end(&found)?;
        if let Some(folder) = &self.proofs {
            prove_all(hits, folder, place)?;
        }
        match &whom {
            Some(whom) => whom.print_gaps(hits.is_empty(), index.as_ref(), place),
            None => Ok(Exit::Done),
        }
    }
}

/// All of them, or a failure: what has come since the last checkpoint cannot be proven yet.
fn prove_all(hits: &[Hit], folder: &Path, place: &Place) -> Result<(), Failure> {
    let checkpoints = Checkpoints::read(place)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let reader = place.reader();
    let ends = hits.iter().filter_map(|hit| hit.end.as_ref());
    for index in hits
        .iter()
        .map(|hit| hit.index)
        .chain(ends.map(|end| end.index))
    {
        let Some(entry) = reader.entry(index).map_err(unreadable)? else {
            continue;
        };
        let (checkpoint, _) = checkpoints.covering(&entry)?;
        let file = folder.join(format!("{index}{EXTENSION}"));
        write(&file, &entry, checkpoint, place)?;
    }
    Ok(())
}

fn print_end(found: &SearchResult) -> io::Result<()> {
    let mut err = io::stderr().lock();
    if found.hits.is_empty() {
        writeln!(
            err,
            "no entry fits; those whose records were erased are found by time, kind, outcome and exchange id only"
        )?;
    }
    if let Some(last) = found.next {
        let shown = found.hits.len();
        writeln!(
            err,
            "these are {shown}: there may be more, see `--after {last}`"
        )?;
    }
    write_coverage(&mut err, &found.reach)
}

/// Up to where an answer is complete.
pub(super) fn write_coverage(to: &mut impl Write, reach: &Coverage) -> io::Result<()> {
    match reach.complete_to.checked_sub(1) {
        Some(last) => writeln!(to, "complete up to entry {last}"),
        None => writeln!(to, "the journal is empty"),
    }
}

fn rows(hits: &[Hit], place: &Place) -> Vec<Vec<String>> {
    hits.iter()
        .map(|hit| entry::cells(Row::of(hit), place.offset))
        .collect()
}

fn print_json(hits: &[Hit], place: &Place) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for hit in hits {
        let mut json = json::entry(hit.index, &hit.leaf, hit.record.as_ref(), place.offset)?;
        if let Some(end) = &hit.end {
            let record = pb::JournalRecord {
                kind: Some(pb::journal_record::Kind::StreamEnd(end.record.clone())),
            };
            let end = json::entry(end.index, &end.leaf, Some(&record), place.offset)?;
            json.as_object_mut()
                .map(|json| json.insert("end".to_owned(), end));
        }
        writeln!(out, "{json}")?;
    }
    Ok(out.flush()?)
}
