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
pub(super) struct Placed<T> {
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

    pub(super) fn fault(&mut self, at: usize, key: &str, message: impl ToString) {
        let (line, column) = position(&self.file.text, at);
        self.faults.push(Fault {
            file: self.file.path.clone(),
            line,
            column,
            key: key.to_owned(),
            message: message.to_string(),
        });
    }

    pub(super) fn at<T>(&mut self, placed: &Placed<T>, message: impl ToString) {
        self.fault(placed.at, &placed.key, message);
    }

    /// Keeps the value, or reports why there is none.
    pub(super) fn check<T, U, E: ToString>(
        &mut self,
        placed: &Placed<T>,
        result: Result<U, E>,
    ) -> Option<Placed<U>> {
        match result {
            Ok(value) => Some(Placed {
                value,
                at: placed.at,
                key: placed.key.clone(),
            }),
            Err(error) => {
                self.at(placed, error);
                None
            }
        }
    }

    /// Reports each item that stands in the list twice.
    pub(super) fn distinct<T, K: PartialEq + ToString>(
        &mut self,
        items: &[Placed<T>],
        name: impl Fn(&T) -> K,
    ) {
        for (number, item) in items.iter().enumerate() {
            let name_of_item = name(&item.value);
            let mut before = items.iter().take(number);
            if let Some(first) = before.find(|other| name(&other.value) == name_of_item) {
                let message = format!(
                    "`{}` stands at `{}` already; leave one out",
                    name_of_item.to_string(),
                    first.key
                );
                self.at(item, message);
            }
        }
    }
}
