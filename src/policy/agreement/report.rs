//! Collects the faults of one file.

use crate::fault::Fault;
use crate::fault::position;
use crate::policy::PolicyFile;

#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) file: &'a PolicyFile,
    pub(super) faults: Vec<Fault>,
}

/// A value with its place in the file.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    /// The byte at which it begins.
    pub(super) at: usize,
    /// E.g. `grant[0].fields[4]`.
    pub(super) key: String,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a PolicyFile) -> Self {
        Self {
            file,
            faults: Vec::new(),
        }
    }

    pub(super) fn fault(&mut self, at: usize, key: &str, message: impl Into<String>) {
        let (line, column) = position(&self.file.text, at);
        self.faults.push(Fault {
            file: self.file.path.clone(),
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    pub(super) fn at<T>(&mut self, placed: &Located<T>, message: impl Into<String>) {
        self.fault(placed.at, &placed.key, message);
    }

    /// Keeps the value, or reports why there is none.
    pub(super) fn check<T, U, E: ToString>(
        &mut self,
        placed: &Located<T>,
        result: Result<U, E>,
    ) -> Option<Located<U>> {
        match result {
            Ok(value) => Some(Located {
                value,
                at: placed.at,
                key: placed.key.clone(),
            }),
            Err(error) => {
                self.at(placed, error.to_string());
                None
            }
        }
    }
}
