//! `audit verify`: proves a journal from its files and its public key alone.

use std::io;
use std::io::Write;

use clap::Args;

use super::Place;
use super::policy::PolicyOptions;
use super::policy::witnesses_json;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::cli::time_arg;
use crate::digest::hex;
use crate::fault::chain;
use crate::journal::pace::Pace;
use crate::journal::reader::ReadError;
use crate::journal::verify::Fault;
use crate::journal::verify::Report;
use crate::journal::verify::Scope;
use crate::journal::verify::verify_within;
use crate::text::visible;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Holds erasures to the terms that the settings name now, not only to those that they name themselves
    #[arg(long, requires = "config")]
    retention: bool,
    #[command(flatten)]
    policy: PolicyOptions,
}

impl VerifyArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let policy = self.policy.load()?;
        let scope = Scope {
            witnesses: policy.as_ref(),
            retention: place
                .config
                .as_ref()
                .filter(|_| self.retention)
                .map(|config| &config.retention),
            published_only: false,
        };
        let mut report = verify_within(&place.dir, place.trusted()?, scope, &mut Pace::full());
        place.demand_folder()?;
        // A file that cannot be read proves nothing, neither way.
        if let Some(Fault::Read(ReadError::Disk(disk))) = report.fault.take_if(is_unreadable) {
            return Err(unreadable(disk.into()));
        }
        let mut out = io::stdout().lock();
        if json {
            writeln!(out, "{}", to_json(&report, place))?;
        } else {
            write(&report, place, &mut out)?;
        }
        out.flush()?;
        Ok(match report.fault {
            None => Exit::Done,
            Some(_) => Exit::Unverified,
        })
    }
}

fn is_unreadable(fault: &mut Fault) -> bool {
    matches!(fault, Fault::Read(ReadError::Disk(_)))
}

fn write(report: &Report, place: &Place, to: &mut impl Write) -> io::Result<()> {
    let mut pairs = Vec::new();
    if let Some(checkpoint) = &report.checkpoint {
        pairs.push(("journal", checkpoint.origin().to_owned()));
        pairs.push((
            "checkpoint",
            format!(
                "published at {} entries, root {}",
                checkpoint.size(),
                hex(checkpoint.root())
            ),
        ));
    }
    pairs.push((
        "proven",
        format!("{} entries in {} commits", report.entries, report.commits),
    ));
    let unpublished = report.unpublished();
    if unpublished > 0 {
        pairs.push((
            "unpublished",
            format!(
                "{unpublished} of them, proven by the signatures of their commits; if more were cut off after the \
                 checkpoint, only witnesses, receipts and the other departments know"
            ),
        ));
    }
    if let Some((first, last)) = report.times {
        pairs.push(("from", time_arg::shown(first, place.offset)));
        pairs.push(("to", time_arg::shown(last, place.offset)));
    }
    if let Some(witnessed) = &report.witnessed {
        pairs.push(("witnessed", format!("at {} entries", witnessed.size())));
    }
    for (witness, time) in report.witnesses.iter().flat_map(|by| &by.cosigners) {
        let time = time.map_or("at no stated time".to_owned(), |time| {
            time_arg::shown(time, place.offset)
        });
        pairs.push(("witness", format!("{}, {time}", witness.name)));
    }
    let kinds: Vec<_> = report
        .kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    pairs.push(("kinds", kinds.join(", ")));
    if report.erased > 0 {
        pairs.push(("records erased", report.erased.to_string()));
    }
    if !report.open_streams.is_empty() {
        pairs.push(("open streams", report.open_streams.len().to_string()));
    }
    if report.unproven_texts > 0 {
        pairs.push((
            "policy texts",
            format!(
                "{} of which nothing on record says that they were in force",
                report.unproven_texts
            ),
        ));
    }
    if report.torn_bytes > 0 {
        pairs.push((
            "unfinished",
            format!("{} bytes after the last commit", report.torn_bytes),
        ));
    }
    writeln!(to, "{}", Table::of_pairs(pairs))?;
    match &report.fault {
        None => writeln!(to, "the journal verifies"),
        Some(fault) => writeln!(
            to,
            "THE JOURNAL DOES NOT VERIFY: {}",
            visible(&chain(fault))
        ),
    }
}

fn to_json(report: &Report, place: &Place) -> serde_json::Value {
    let checkpoint = report.checkpoint.as_ref().map(|checkpoint| {
        serde_json::json!({
            "origin": checkpoint.origin(),
            "size": checkpoint.size(),
            "root": hex(checkpoint.root()),
        })
    });
    serde_json::json!({
        "verified": report.fault.is_none(),
        "fault": report.fault.as_ref().map(|fault| chain(fault)),
        "checkpoint": checkpoint,
        "witnessed_size": report.witnessed.as_ref().map(SignedCheckpoint::size),
        "witnesses": report.witnesses.as_ref().map(|by| witnesses_json(by, place.offset)),
        "entries": report.entries,
        "unpublished": report.unpublished(),
        "commits": report.commits,
        "first": report.times.map(|(first, _)| time_arg::rfc3339(first, place.offset)),
        "last": report.times.map(|(_, last)| time_arg::rfc3339(last, place.offset)),
        "kinds": report.kinds,
        "erased": report.erased,
        "open_streams": report.open_streams,
        "unproven_texts": report.unproven_texts,
        "torn_bytes": report.torn_bytes,
    })
}
