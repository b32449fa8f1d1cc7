//! The in-memory form of a filter, run on encoded records.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Expr;
use super::Op;
use crate::registry::extract::Extractor;
use crate::registry::extract::Reading;
use crate::registry::field::Field;
use crate::registry::scalar::Found;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;

pub(super) struct Gate {
    extractor: Extractor,
    test: Test,
}

enum Test {
    All(Box<[Self]>),
    Any(Box<[Self]>),
    Not(Box<Self>),
    Compare {
        slot: usize,
        op: Op,
        value: Literal,
    },
    In {
        slot: usize,
        /// In their order, to be searched by halves.
        values: Box<[Literal]>,
    },
    StartsWith {
        slot: usize,
        prefix: Arc<str>,
    },
    Has(usize),
    Constant(bool),
}

impl Gate {
    pub(super) fn compile(expr: &Expr) -> Self {
        let mut fields = Vec::new();
        expr.mentions(&mut |field: &Field, _| fields.push(field.clone()));
        let (extractor, slots) = Extractor::of(fields.iter());
        // The tests are built in the order in which `mentions` goes.
        let test = Test::of(expr, &mut slots.into_iter());
        Self { extractor, test }
    }

    pub(super) fn admits(&self, record: &[u8]) -> Result<bool, Malformed> {
        Ok(self.test.holds(&self.extractor.read(record)?))
    }
}

impl Test {
    fn of(expr: &Expr, slots: &mut impl Iterator<Item = usize>) -> Self {
        let mut slot = || slots.next().unwrap_or(usize::MAX);
        match expr {
            Expr::All(parts) => Self::All(parts.iter().map(|e| Self::of(e, slots)).collect()),
            Expr::Any(parts) => Self::Any(parts.iter().map(|e| Self::of(e, slots)).collect()),
            Expr::Not(inner) => Self::Not(Box::new(Self::of(inner, slots))),
            Expr::Compare { op, value, .. } => Self::Compare {
                slot: slot(),
                op: *op,
                value: value.clone(),
            },
            Expr::In { values, .. } => {
                let mut values = values.clone();
                values.sort_by(order);
                Self::In {
                    slot: slot(),
                    values: values.into(),
                }
            }
            Expr::StartsWith { prefix, .. } => Self::StartsWith {
                slot: slot(),
                prefix: prefix.clone(),
            },
            Expr::Has { .. } => Self::Has(slot()),
            Expr::Constant(value) => Self::Constant(*value),
        }
    }

    fn holds(&self, record: &Reading<'_, '_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|test| test.holds(record)),
            Self::Any(parts) => parts.iter().any(|test| test.holds(record)),
            Self::Not(inner) => !inner.holds(record),
            Self::Compare { slot, op, value } => {
                compare(&record.value(*slot), *op, &Found::of(value))
            }
            Self::In { slot, values } => contains(values, &record.value(*slot)),
            Self::StartsWith { slot, prefix } => {
                matches!(record.value(*slot), Found::Text(v) if v.starts_with(&**prefix))
            }
            Self::Has(slot) => record.states(*slot),
            Self::Constant(value) => *value,
        }
    }
}

fn compare(found: &Found<'_>, op: Op, value: &Found<'_>) -> bool {
    if matches!(found, Found::Nothing) {
        return false;
    }
    let order = found.order(value);
    match op {
        Op::Eq => order == Some(Ordering::Equal),
        // NaN too is not equal to anything.
        Op::Ne => order != Some(Ordering::Equal),
        Op::Lt => order == Some(Ordering::Less),
        Op::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Gt => order == Some(Ordering::Greater),
        Op::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn contains(sorted: &[Literal], found: &Found<'_>) -> bool {
    // What has no order to the values, NaN for one, sorts after them and so is not found.
    sorted
        .binary_search_by(|value| Found::of(value).order(found).unwrap_or(Ordering::Less))
        .is_ok()
}

/// All values of a list have one type, and none is NaN.
fn order(a: &Literal, b: &Literal) -> Ordering {
    Found::of(a).order(&Found::of(b)).unwrap_or(Ordering::Equal)
}
