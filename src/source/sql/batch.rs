//! Rows on their way into records.

use bytes::Bytes;
use bytes::BytesMut;

use super::encode::Row;
use super::encode::put_row;
use super::plan::Plan;
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
}

impl Batch {
    pub(super) fn push<R: Row>(&mut self, plan: &Plan, row: &R) -> Result<(), SourceError> {
        let start = self.buffer.len();
        put_row(&mut self.buffer, &plan.nodes, row).map_err(|misfit| {
            SourceError::Misfit(format!(
                "{}: the field `{}` {}",
                plan.binding.schema.name(),
                misfit.column.field.path(),
                misfit.unfit.0
            ))
        })?;
        if self.buffer.len() - start > MAX_RECORD {
            return Err(SourceError::Misfit(format!(
                "{}: a record has more than {MAX_RECORD} bytes",
                plan.binding.schema.name()
            )));
        }
        self.ends.push(self.buffer.len());
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
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

/// How many rows to fetch so that they fill a batch.
pub(super) fn rows_for_batch(rows: usize, bytes: usize) -> usize {
    let size = bytes.checked_div(rows).unwrap_or(0).max(16);
    (BATCH / size).clamp(16, 4096)
}
