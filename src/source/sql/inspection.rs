//! What is wrong with the rows of a table, counted, with the keys of some.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;

/// So many keys are named of each kind of fault.
const NAMED: usize = 10;

/// Rows of one kind, with the keys of the first of them. They are for whoever keeps the rows.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub rows: u64,
    pub keys: Vec<String>,
}

/// Rows that are no records of their type: by the path of the field, which is empty for the row as a whole, and what is
/// wrong with it.
pub type Misfits = BTreeMap<(String, String), Rows>;

/// What a reading that goes on after rows that do not fit has found so far.
#[derive(Debug, Default)]
pub(super) struct Inspection(Mutex<Misfits>);

impl Rows {
    pub fn add(&mut self, key: Option<String>) {
        self.rows += 1;
        if self.keys.len() < NAMED {
            self.keys.extend(key);
        }
    }
}

impl Inspection {
    pub(super) fn found(&self, path: String, what: String, key: Option<String>) {
        let mut misfits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        misfits.entry((path, what)).or_default().add(key);
    }

    pub(super) fn misfits(&self) -> Misfits {
        let misfits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        misfits.clone()
    }
}
