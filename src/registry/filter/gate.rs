//! The in-memory form of a filter, run on encoded records.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Expr;
use super::Op;
use crate::registry::decimal::Parts;
use crate::registry::extract::ExtractedValues;
use crate::registry::extract::Extractor;
use crate::registry::field::Field;
use crate::registry::scalar::Datum;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;

pub(super) struct Gate {
    extractor: Extractor,
    test: Test,
    /// The slots of the decimal numbers, and the numbers of their fields.
    decimals: Box<[(usize, u32)]>,
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
        let decimals = fields.iter().zip(&slots);
        let decimals = decimals
            .filter(|(field, _)| field.is_decimal())
            .map(|(field, slot)| (*slot, field.descriptor().number()))
            .collect();
        // The tests are built in the order in which `mentions` goes.
        let test = Test::of(expr, &mut slots.into_iter());
        Self {
            extractor,
            test,
            decimals,
        }
    }

    pub(super) fn admits(&self, record: &[u8]) -> Result<bool, Malformed> {
        let reading = self.extractor.read(record)?;
        // What is no number has no place among them: nothing may rest on it.
        for &(slot, number) in &self.decimals {
            if let Datum::Text(text) = reading.value(slot)
                && !text.is_empty()
                && Parts::of(text).is_none()
            {
                return Err(Malformed::Decimal(number));
            }
        }
        Ok(self.test.holds(&reading))
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

    fn holds(&self, record: &ExtractedValues<'_, '_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|test| test.holds(record)),
            Self::Any(parts) => parts.iter().any(|test| test.holds(record)),
            Self::Not(inner) => !inner.holds(record),
            Self::Compare { slot, op, value } => {
                compare(&record.value(*slot), *op, &Datum::of(value))
            }
            Self::In { slot, values } => contains(values, &record.value(*slot)),
            Self::StartsWith { slot, prefix } => {
                matches!(record.value(*slot), Datum::Text(v) if v.starts_with(&**prefix))
            }
            Self::Has(slot) => record.states(*slot),
            Self::Constant(value) => *value,
        }
    }
}

fn compare(found: &Datum<'_>, op: Op, value: &Datum<'_>) -> bool {
    // An empty text is no number, and so a decimal that is not there.
    let is_absent = match found {
        Datum::Nothing => true,
        Datum::Text("") => matches!(value, Datum::Decimal(_)),
        _ => false,
    };
    if is_absent {
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

fn contains(sorted: &[Literal], found: &Datum<'_>) -> bool {
    // What has no order to the values, NaN for one, sorts after them and so is not found.
    sorted
        .binary_search_by(|value| Datum::of(value).order(found).unwrap_or(Ordering::Less))
        .is_ok()
}

/// All values of a list have one type, and none is NaN.
fn order(a: &Literal, b: &Literal) -> Ordering {
    Datum::of(a).order(&Datum::of(b)).unwrap_or(Ordering::Equal)
}
