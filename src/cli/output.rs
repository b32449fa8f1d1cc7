//! The form of what a command prints.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use clap::Args;
use clap::ValueEnum;
use serde::Serialize;

use super::exit::Failure;
use super::table::Table;

/// Taken by every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputOptions {
    /// The form of the answer [default: table; where records go to a file or a pipe: json]
    #[arg(long, short = 'o', global = true, value_enum, value_name = "FORM")]
    pub(super) output: Option<Format>,
    /// Short for `--output json`; errors and refusals are JSON too
    #[arg(long, global = true, conflicts_with = "output")]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One JSON value a line.
    Json,
    /// With a header line; nested fields are joined by dots.
    Csv,
}

impl OutputOptions {
    /// Whether a program reads what is printed.
    pub(super) fn is_json(&self) -> bool {
        self.json || self.output == Some(Format::Json)
    }

    /// For records: a table on a terminal, otherwise what programs read.
    pub(super) fn for_records(&self) -> Format {
        match self.chosen() {
            Some(format) => format,
            None if io::stdout().is_terminal() => Format::Table,
            None => Format::Json,
        }
    }

    /// For lists that people read.
    pub(super) fn for_lists(&self) -> Format {
        self.chosen().unwrap_or(Format::Table)
    }

    /// For what has no rows: true for JSON.
    pub(super) fn for_one(&self) -> Result<bool, Failure> {
        match self.chosen() {
            Some(Format::Csv) => {
                let failure = Failure::usage("this answer has no rows, so it cannot be CSV");
                Err(failure.hint("leave `--output csv` out, or take `--json`"))
            }
            chosen => Ok(chosen == Some(Format::Json)),
        }
    }

    fn chosen(&self) -> Option<Format> {
        if self.json {
            Some(Format::Json)
        } else {
            self.output
        }
    }
}

/// Prints a list: a table, a JSON value a line, or CSV.
pub(super) fn list<T: Serialize>(
    format: Format,
    rows: &[T],
    header: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            for row in rows {
                serde_json::to_writer(&mut out, row).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Format::Table => {
            let mut table = Table::new(header);
            rows.iter().for_each(|row| table.row(&cells(row)));
            writeln!(out, "{table}")?;
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(header).map_err(io::Error::from)?;
            for row in rows {
                csv.write_record(cells(row)).map_err(io::Error::from)?;
            }
            csv.flush()?;
        }
    }
    Ok(out.flush()?)
}
