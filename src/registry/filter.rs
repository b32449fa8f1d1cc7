//! Filters: a typed subset of CEL, from which come the SQL of a source and the gate that every record passes.

mod check;
mod gate;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

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
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
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

/// A fault at a byte of the text. The message may name what stands outside of quotes, never a value.
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { at, message }
    }

    fn in_text(self, text: &str) -> FilterError {
        let before = text.get(..self.at).unwrap_or(text);
        FilterError {
            message: self.message,
            position: before.chars().count() + 1,
        }
    }
}

/// Shows that there is a filter, not its values.
impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter")
    }
}

/// Shows that there is an expression, not its values.
impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Expr")
    }
}

impl Filter {
    /// The most that a filter's text may have, in bytes.
    pub const MAX_TEXT: usize = 16 * 1024;

    /// Reads a filter. The error names fields, functions and enum values, never a text or number of the filter.
    pub fn parse(text: &str, schema: &RecordSchema) -> Result<Self, FilterError> {
        if text.len() > Self::MAX_TEXT {
            return Err(FilterError {
                message: format!("the filter has more than {} bytes", Self::MAX_TEXT),
                position: 1,
            });
        }
        let expr = parse::parse(text)
            .and_then(|tree| check::check(tree, schema))
            .map_err(|fault| fault.in_text(text))?;
        Ok(Self::of(expr, text))
    }

    /// The filter that every record passes, or none.
    pub fn truth(value: bool) -> Self {
        let text = if value { "true" } else { "false" };
        Self::of(Expr::Constant(value), text)
    }

    fn of(expr: Expr, text: &str) -> Self {
        Self {
            gate: Arc::new(gate::Gate::compile(&expr)),
            expr: Arc::new(expr),
            source: text.into(),
        }
    }

    /// Both must hold.
    pub fn and(self, other: Self) -> Self {
        // A comment may end either of them.
        let text = format!("({}\n) && ({}\n)", self.source, other.source);
        let expr = Expr::All(vec![
            Arc::unwrap_or_clone(self.expr),
            Arc::unwrap_or_clone(other.expr),
        ]);
        Self::of(expr, &text)
    }

    /// The filter as it was written. It holds values: for digests and for the peer that is asked, not for logs.
    pub fn text(&self) -> &str {
        &self.source
    }

    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Every mention of a field, in the order of the text.
    pub fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        self.expr.mentions(&mut |field, by_equality| {
            uses.push(Use {
                field: field.clone(),
                by_equality,
            });
        });
        uses
    }

    /// Whether the encoded record is selected: the gate that every record passes before it leaves.
    ///
    /// A field that the record does not state has its type's default value, save under `has` and where the schema says
    /// `optional`: there a comparison with an absent field is false, `!=` included. A field of a message that is not there
    /// is one that the record does not state. A `Timestamp` and a decimal number have no default.
    pub fn matches(&self, record: &[u8]) -> Result<bool, Malformed> {
        self.gate.admits(record)
    }
}

impl Expr {
    /// Tells every mention of a field, in order, and whether it is by equality with given values alone.
    fn mentions(&self, tell: &mut impl FnMut(&Field, bool)) {
        self.mentions_under(false, tell);
    }

    fn mentions_under(&self, negated: bool, tell: &mut impl FnMut(&Field, bool)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.mentions_under(negated, tell);
                }
            }
            // Two negations count as one: what a filter may not ask is not made lawful by asking it twice over.
            Self::Not(inner) => inner.mentions_under(true, tell),
            Self::Compare { field, op, .. } => tell(field, *op == Op::Eq && !negated),
            Self::In { field, .. } => tell(field, !negated),
            Self::StartsWith { field, .. } | Self::Has { field } => tell(field, false),
            Self::Constant(_) => {}
        }
    }
}
