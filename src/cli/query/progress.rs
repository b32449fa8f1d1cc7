//! How far an answer of many pages has come, and where to go on when it stops.

use std::collections::VecDeque;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// Known to the verb and to who hears Ctrl-C.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Progress(Arc<Mutex<PageProgress>>);

#[derive(Debug, Default)]
struct PageProgress {
    /// Where pages begin, oldest first: how many records come before, and the cursor that asks for it.
    pages: VecDeque<(u64, Bytes)>,
    /// Records that whoever reads the output has.
    printed: u64,
    is_json: bool,
}

impl Progress {
    /// A page is about to be asked for, after so many records.
    pub(super) fn page(&self, before: u64, cursor: Bytes, is_json: bool) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reached.pages.push_back((before, cursor));
        reached.is_json = is_json;
        reached.forget();
    }

    /// So many records have been printed since the beginning.
    pub(super) fn printed(&self, records: u64) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reached.printed = records;
        reached.forget();
    }

    /// Says how to go on from the first page that was not printed whole. Nothing where that is the beginning.
    pub(in crate::cli) fn print(&self) {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((before, cursor)) = reached
            .pages
            .front()
            .filter(|(_, cursor)| !cursor.is_empty())
        else {
            return;
        };
        let (cursor, again) = (
            STANDARD.encode(cursor),
            reached.printed.saturating_sub(*before),
        );
        let hint = match reached.is_json {
            true => serde_json::json!({ "stopped": { "cursor": cursor, "records_again": again } })
                .to_string(),
            false => {
                let again = match again {
                    0 => String::new(),
                    again => format!("; the last {again} records will come again"),
                };
                format!(
                    "{} records printed; go on with `--cursor {cursor}`{again}",
                    reached.printed
                )
            }
        };
        // There is nobody else to tell.
        let _ = writeln!(io::stderr().lock(), "{hint}");
    }
}

impl PageProgress {
    /// Leaves out the pages that were printed whole.
    fn forget(&mut self) {
        let next = |reached: &Self| reached.pages.get(1).map(|(before, _)| *before);
        while next(self).is_some_and(|before| before <= self.printed) {
            self.pages.pop_front();
        }
    }
}
