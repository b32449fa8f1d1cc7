//! What the registry demands of the values of a record (`buf.validate`), checked on encoded records.
//!
//! The rules and their meaning: <https://protovalidate.com/schemas/standard-rules/>; which of them are enforced:
//! `proto/buf/validate/validate.proto`.

mod check;
mod checks;
mod compile;
mod field_set;
mod pattern;
mod walk;

use std::fmt;
use std::sync::Arc;

use super::wire::Malformed;
use check::Check;
pub(super) use compile::CompiledRules;
pub use field_set::FieldSet;
use walk::Walk;

/// The rules of one record type.
#[derive(Clone)]
pub struct Rules {
    messages: Arc<[OfMessage]>,
    root: usize,
}

/// One demand, as protovalidate names it and as people read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Requirement {
    /// E.g. `string.max_len`.
    pub rule: String,
    /// E.g. "at most 18 characters".
    pub demands: String,
}

/// A value that is not as the registry demands. Says nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("`{path}` is not {} ({})", .requirement.demands, .requirement.rule)]
pub struct Violation {
    /// The names of the fields from the record's own on, joined by dots.
    pub path: String,
    pub requirement: Requirement,
}

/// The rules of one message.
#[derive(Default)]
struct OfMessage {
    fields: Vec<OfField>,
    oneofs: Vec<OfOneof>,
}

struct OfOneof {
    name: String,
    members: Vec<u32>,
    required: Requirement,
}

struct OfField {
    number: u32,
    name: String,
    shape: Shape,
    /// Whether it can be told from its type's zero value that the field is not set.
    has_presence: bool,
    required: Option<Requirement>,
    ignores_zero: bool,
    /// Of the value; of a list or a map: of each element.
    checks: Vec<Check>,
    /// Of a list or a map.
    size: Size,
    /// The rules of the message in it: of the value, of each element, or of each value of the map.
    inner: Option<usize>,
}

enum Shape {
    Scalar(super::scalar::Scalar),
    Message,
    List(Option<super::scalar::Scalar>),
    Map,
}

#[derive(Default)]
struct Size {
    least: Option<(u64, Requirement)>,
    most: Option<(u64, Requirement)>,
    unique: Option<Requirement>,
}

impl Requirement {
    fn new(rule: &str, demands: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            demands: demands.into(),
        }
    }
}

impl Rules {
    /// Tells every violation in the covered part of a record, in the order of the fields' numbers within each message.
    pub fn each_violation(
        &self,
        record: &[u8],
        covered: &FieldSet,
        told: &mut dyn FnMut(Violation),
    ) -> Result<(), Malformed> {
        let mut walk = Walk::new(&self.messages, told);
        walk.message(self.root, record, covered)
    }

    /// The first violation in the covered part of a record.
    pub fn violation(
        &self,
        record: &[u8],
        covered: &FieldSet,
    ) -> Result<Option<Violation>, Malformed> {
        let mut first = None;
        self.each_violation(record, covered, &mut |violation| {
            first.get_or_insert(violation);
        })?;
        Ok(first)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

#[cfg(test)]
mod tests;
