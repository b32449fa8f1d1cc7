//! Rows on their way into records.

use std::ops::Range;

use bytes::Bytes;
use bytes::BytesMut;

use super::binding::Node;
use super::encode::Cell;
use super::encode::Row;
use super::encode::put_row;
use super::narrow::default_of;
use super::plan::Plan;
use crate::registry::extract::value_of;
use crate::source::SourceError;
use crate::source::reading::MAX_RECORD;

/// Batches are sent when they have reached this size.
const BATCH: usize = 96 * 1024;

/// Records on their way into one buffer.
#[derive(Default)]
pub(super) struct Batch {
    buffer: BytesMut,
    records: Vec<Bytes>,
    ends: Vec<usize>,
    /// The key of the last row, as it stands in its record: in an order that ends with the key, and among the few rows of
    /// one key, those of the same key are neighbours.
    last_key: Option<Vec<u8>>,
    /// The last record, where its place in an order is looked at.
    last: Vec<u8>,
}

/// Why a row is no record.
enum Fault {
    Row { path: String, what: String },
    Record(String),
}

impl Batch {
    pub(super) fn push<R: Row>(&mut self, plan: &Plan, row: &R) -> Result<(), SourceError> {
        let start = self.buffer.len();
        match self.put(plan, row) {
            Ok(true) => self.ends.push(self.buffer.len()),
            Ok(false) => self.buffer.truncate(start),
            Err(fault) => {
                self.buffer.truncate(start);
                let Some(inspection) = &plan.inspection else {
                    return Err(fault.of(plan));
                };
                let (path, what) = match fault {
                    Fault::Row { path, what } => (path, what),
                    Fault::Record(what) => (String::new(), what),
                };
                inspection.found(path, what, key_of(plan, row));
            }
        }
        Ok(())
    }

    /// Writes the row. False where it is the one after which the answer goes on.
    fn put<R: Row>(&mut self, plan: &Plan, row: &R) -> Result<bool, Fault> {
        let start = self.buffer.len();
        let mut key = Range::default();
        put_row(&mut self.buffer, &plan.nodes, row, &mut key).map_err(|misfit| Fault::Row {
            path: misfit.column.field.path().to_string(),
            what: misfit.unfit.0.to_owned(),
        })?;
        if self.buffer.len() - start > MAX_RECORD {
            let what = format!("a record has more than {MAX_RECORD} bytes");
            return Err(Fault::Record(what));
        }
        let key = self.buffer.get(key).unwrap_or_default();
        if !plan.keeps_keys_together {
            return Ok(true);
        }
        let is_first = self.last_key.is_none();
        let last = self.last_key.get_or_insert_default();
        if !is_first && last == key {
            return Err(Fault::Row {
                path: plan.binding.schema.key().path().to_string(),
                what: "is the key of several rows".to_owned(),
            });
        }
        last.clear();
        last.extend_from_slice(key);
        let record = self.buffer.get(start..).unwrap_or_default();
        if let Some(line) = &plan.line {
            if !is_first && !line.lets_follow(&self.last, record).unwrap_or(false) {
                let what = "the database orders records otherwise than their values".to_owned();
                return Err(Fault::Record(what));
            }
            self.last.clear();
            self.last.extend_from_slice(record);
        }
        Ok(!(is_first && is_resume_record(plan, record)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= BATCH
    }

    /// Slices of one shared buffer.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        let mut whole = self.buffer.split().freeze();
        let mut start = 0;
        self.records.reserve(self.ends.len());
        for end in self.ends.drain(..) {
            self.records.push(whole.split_to(end - start));
            start = end;
        }
        std::mem::take(&mut self.records)
    }
}

impl Fault {
    fn of(self, plan: &Plan) -> SourceError {
        let name = plan.binding.schema.name();
        SourceError::Misfit(match self {
            Self::Row { path, what } => format!("{name}: the field `{path}` {what}"),
            Self::Record(what) => format!("{name}: {what}"),
        })
    }
}

/// Whether the record has the key of the place after which the answer goes on: it was sent with the answer before.
fn is_resume_record(plan: &Plan, record: &[u8]) -> bool {
    let Some(sent) = &plan.resume_key else {
        return false;
    };
    let key = plan.binding.schema.key();
    // A number that is zero does not stand in the record.
    let found = value_of(record, key).map(|found| found.or_else(|| default_of(key)));
    found.is_ok_and(|found| found.as_ref() == Some(sent))
}

/// A row's key as text, if it can be read.
fn key_of<R: Row>(plan: &Plan, row: &R) -> Option<String> {
    let (index, column) = plan.nodes.iter().find_map(|node| match node {
        Node::Column { index, column } if column.target.is_key => Some((index, column)),
        _ => None,
    })?;
    match row.cell(*index, &column.codec).ok()? {
        Cell::Text("") => None,
        Cell::Text(text) => Some(text.to_owned()),
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Unsigned(number) => Some(number.to_string()),
        Cell::Date(date) => Some(date.to_string()),
        _ => None,
    }
}

/// How many rows to fetch so that they fill a batch.
pub(super) fn rows_for_batch(rows: usize, bytes: usize) -> usize {
    let size = bytes.checked_div(rows).unwrap_or(0).max(16);
    (BATCH / size).clamp(16, 4096)
}
