//! `audit tail`: the newest entries, and those that come.

use std::io;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use clap::Args;

use super::Place;
use super::entry;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::evidence::json;
use crate::evidence::row::Row;
use crate::journal::reader::Reader;
use crate::journal::reader::StoredEntry;
use crate::text::visible;

#[derive(Args)]
pub(super) struct TailArgs {
    /// Goes on with the entries that come, until Ctrl-C
    #[arg(long, short = 'f')]
    follow: bool,
    /// How many of the entries that are there
    #[arg(long = "entries", short = 'n', default_value_t = 20)]
    number: usize,
}

/// Entries that are printed before Ctrl-C is looked for.
const AT_ONCE: usize = 500;
/// How often a journal is asked for what came.
const PAUSE: Duration = Duration::from_millis(250);

impl TailArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let reader = place.reader();
        let newest = reader
            .backward()
            .map_err(unreadable)?
            .take(self.number.max(1));
        let newest: Vec<_> = newest.collect::<Result<_, _>>().map_err(unreadable)?;
        let next = newest.first().map_or(0, |stored| stored.index + 1);
        for stored in newest.iter().take(self.number).rev() {
            print(stored, json, place)?;
        }
        if !self.follow {
            return Ok(Exit::Done);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(follow(&reader, next, json, place))
    }
}

/// Prints what comes until Ctrl-C. A line is always printed whole.
async fn follow(reader: &Reader, next: u64, json: bool, place: &Place) -> Run {
    let mut coming = reader.forward(next).map_err(unreadable)?;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let mut printed = 0;
        while printed < AT_ONCE
            && let Some(stored) = coming.next()
        {
            print(&stored.map_err(unreadable)?, json, place)?;
            printed += 1;
        }
        io::stdout().flush()?;
        let pause = match printed {
            AT_ONCE => Duration::ZERO,
            _ => PAUSE,
        };
        tokio::select! {
            biased;
            stopped = &mut interrupt => {
                stopped?;
                return Ok(Exit::Interrupted);
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn print(stored: &StoredEntry, json: bool, place: &Place) -> Result<(), Failure> {
    stored.hold().map_err(unreadable)?;
    let record = stored.record().map_err(unreadable)?;
    let line = if json {
        json::entry(stored.index, &stored.leaf, record.as_ref(), place.offset)?.to_string()
    } else {
        let row = Row::new(stored.index, &stored.leaf, record.as_ref(), None);
        visible(&entry::line(row, place.offset)).into_owned()
    };
    Ok(writeln!(io::stdout(), "{line}")?)
}
