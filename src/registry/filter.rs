//! Filters: a typed subset of CEL, from which come the SQL of a source and the gate that every record passes.

mod gate;
mod parse;

use std::sync::Arc;

use super::field::Field;
use super::schema::RecordSchema;
use super::value::Literal;
use super::wire::Malformed;

/// An expression over the fields of one record type, checked against its schema.
#[derive(Clone)]
pub struct Filter {
    expr: Arc<Expr>,
    gate: Arc<gate::Gate>,
    source: Arc<str>,
}

/// The typed form of a filter.
#[derive(Clone)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        field: Field,
        op: Op,
        value: Literal,
    },
    In {
        field: Field,
        values: Vec<Literal>,
    },
    StartsWith {
        field: Field,
        prefix: Arc<str>,
    },
    /// `has(field)`: the record states a value.
    Has {
        field: Field,
    },
    /// A constant, `true` or `false`.
    Constant(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What a filter does with one field.
#[derive(Debug, Clone)]
pub struct Use {
    pub field: Field,
    /// True where the field is only asked for equality with a given value, and not under a negation.
    pub by_equality: bool,
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {position})")]
pub struct FilterError {
    pub message: String,
    /// 1-based, in characters of the filter's text.
    pub position: usize,
}

/// Shows that there is a filter, not its values.
impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter")
    }
}

impl Filter {
    /// The most that a filter's text may have, in bytes.
    pub const MAX_TEXT: usize = 16 * 1024;

    pub fn parse(text: &str, schema: &RecordSchema) -> Result<Self, FilterError> {
        todo!()
    }

    /// Both must hold.
    pub fn and(self, other: Self) -> Self {
        todo!()
    }

    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Every mention of a field, in the order of the text.
    pub fn uses(&self) -> Vec<Use> {
        todo!()
    }

    /// Whether the encoded record is selected: the gate that every record passes before it leaves.
    ///
    /// A field that the record does not state has its type's default value, save under `has` and where the schema says
    /// `optional`: there a comparison with an absent field is false, `!=` included.
    pub fn matches(&self, record: &[u8]) -> Result<bool, Malformed> {
        todo!()
    }
}
