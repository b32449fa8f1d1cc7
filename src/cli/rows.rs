//! Prints the records of an answer as they come.

use std::io;
use std::io::BufWriter;
use std::io::Write;

use prost_reflect::MessageDescriptor;

use super::output::Format;
use super::record;
use super::record::Columns;
use super::record::Style;
use super::table::Table;

/// A table is laid out whole: a longer answer is printed as several, so that memory stays bounded.
const TABLE_ROWS: usize = 1000;

/// Where records go.
pub(super) struct Rows<W: Write> {
    message: MessageDescriptor,
    columns: Columns,
    sink: Sink<W>,
    any_masked_shown: bool,
    /// Rows that were given.
    given: u64,
}

enum Sink<W: Write> {
    Table(BufWriter<W>, Table, usize),
    Json(BufWriter<W>),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Rows<W> {
    /// Begins an answer whose released and masked fields are these.
    pub(super) fn new(
        format: Format,
        message: MessageDescriptor,
        fields: &[String],
        masked: &[String],
        to: W,
    ) -> io::Result<Self> {
        let columns = Columns::new(&message, fields, masked);
        let sink = match format {
            Format::Table => Sink::Table(BufWriter::new(to), Table::new(&columns.titles()), 0),
            Format::Json => Sink::Json(BufWriter::new(to)),
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(to);
                csv.write_record(columns.names())?;
                Sink::Csv(Box::new(csv))
            }
        };
        Ok(Self {
            message,
            columns,
            sink,
            any_masked_shown: false,
            given: 0,
        })
    }

    pub(super) fn row(&mut self, encoded: &[u8]) -> anyhow::Result<()> {
        let record = record::to_json(&self.message, encoded)?;
        self.given += 1;
        match &mut self.sink {
            Sink::Json(out) => {
                serde_json::to_writer(&mut *out, &record).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
            Sink::Csv(csv) => csv
                .write_record(self.columns.cells(&record, Style::Programs))
                .map_err(io::Error::from)?,
            Sink::Table(out, table, rows) => {
                table.row(&self.columns.cells(&record, Style::People));
                *rows += 1;
                if *rows >= TABLE_ROWS {
                    writeln!(out, "{table}")?;
                    *table = Table::new(&self.columns.titles());
                    *rows = 0;
                    self.any_masked_shown = true;
                }
            }
        }
        Ok(())
    }

    /// Lets the reader see what has come so far. A table waits for its end.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Json(out) | Sink::Table(out, ..) => out.flush(),
            Sink::Csv(csv) => csv.flush(),
        }
    }

    /// How many rows the reader can see: those of a table that waits are not among them.
    pub(super) fn printed(&self) -> u64 {
        match &self.sink {
            Sink::Json(_) | Sink::Csv(_) => self.given,
            Sink::Table(_, _, waiting) => self.given.saturating_sub(*waiting as u64),
        }
    }

    /// Prints what waits; gives the number of all rows.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if let Sink::Table(out, table, rows) = &mut self.sink {
            if *rows > 0 {
                writeln!(out, "{table}")?;
            }
            if (*rows > 0 || self.any_masked_shown) && self.columns.has_masked() {
                writeln!(out, "* masked by the agreement")?;
            }
        }
        self.flush()?;
        Ok(self.given)
    }
}

/// One record for people: a line for each field.
pub(super) fn portrait(
    message: &MessageDescriptor,
    fields: &[String],
    masked: &[String],
    encoded: &[u8],
    to: &mut impl Write,
) -> anyhow::Result<()> {
    let columns = Columns::new(message, fields, masked);
    let record = record::to_json(message, encoded)?;
    let titles = columns.titles();
    let cells = columns.cells(&record, Style::People);
    let table = Table::of_pairs(titles.iter().map(String::as_str).zip(cells));
    writeln!(to, "{table}")?;
    if columns.has_masked() {
        writeln!(to, "* masked by the agreement")?;
    }
    Ok(to.flush()?)
}

#[cfg(test)]
mod tests;
