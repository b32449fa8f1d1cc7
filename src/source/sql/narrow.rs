//! The part of a filter that the database can apply: it may let more rows through than the gate, never fewer.
//!
//! SQL differs from the gate on NULL, collations, floats and precision. So a condition is turned until no negation is
//! left, each comparison says what becomes of a field that the record does not state, and whatever a database might see
//! otherwise is left out.

use std::cmp::Ordering;
use std::sync::Arc;

use super::binding::Binding;
use super::codec::ValueKind;
use super::operand::Operand;
use super::statement::Arg;
use super::statement::Fragment;
use super::statement::Wrap;
use crate::registry::decimal::Decimal;
use crate::registry::field::Field;
use crate::registry::filter::Expr;
use crate::registry::filter::Op;
use crate::registry::scalar::Datum;
use crate::registry::value::Literal;

/// What the database is asked to apply.
pub(super) struct Narrowing {
    /// `None` lets every row through.
    pub(super) condition: Option<Fragment>,
    /// The condition selects exactly the records that pass the gate.
    pub(super) exact: bool,
}

impl Narrowing {
    fn exactly(condition: Fragment) -> Self {
        Self {
            condition: Some(condition),
            exact: true,
        }
    }

    fn at_least(condition: Fragment) -> Self {
        Self {
            condition: Some(condition),
            exact: false,
        }
    }

    const EVERYTHING: Self = Self {
        condition: None,
        exact: false,
    };
}

impl Binding {
    pub(super) fn narrow(&self, expr: &Expr) -> Narrowing {
        self.condition(expr, false)
    }

    fn condition(&self, expr: &Expr, negated: bool) -> Narrowing {
        match expr {
            Expr::All(parts) if negated => self.either(parts, negated),
            Expr::All(parts) => self.every(parts, negated),
            Expr::Any(parts) if negated => self.every(parts, negated),
            Expr::Any(parts) => self.either(parts, negated),
            Expr::Not(inner) => self.condition(inner, !negated),
            Expr::Compare { field, op, value } => self.compare(field, *op, value, negated),
            Expr::In { field, values } => self.within(field, values, negated),
            Expr::StartsWith { field, prefix } => self.starts_with(field, prefix, negated),
            Expr::Has { field } => self.has(field, negated),
            Expr::Constant(value) if *value == negated => Narrowing::exactly(Fragment::any(vec![])),
            Expr::Constant(_) => Narrowing {
                condition: None,
                exact: true,
            },
        }
    }

    fn every(&self, parts: &[Expr], negated: bool) -> Narrowing {
        let (mut terms, mut exact) = (Vec::new(), true);
        for part in parts {
            let narrowed = self.condition(part, negated);
            terms.extend(narrowed.condition);
            exact &= narrowed.exact;
        }
        Narrowing {
            condition: (!terms.is_empty()).then(|| Fragment::all(terms)),
            exact,
        }
    }

    fn either(&self, parts: &[Expr], negated: bool) -> Narrowing {
        let (mut terms, mut exact) = (Vec::new(), true);
        for part in parts {
            let narrowed = self.condition(part, negated);
            exact &= narrowed.exact;
            let Some(condition) = narrowed.condition else {
                return Narrowing {
                    condition: None,
                    exact: narrowed.exact,
                };
            };
            terms.push(condition);
        }
        Narrowing {
            condition: Some(Fragment::any(terms)),
            exact,
        }
    }

    fn operand(&self, field: &Field) -> Option<Operand> {
        Operand::of(self.dialect, self.place(field.path())?, field)
    }

    fn compare(&self, field: &Field, op: Op, value: &Literal, negated: bool) -> Narrowing {
        let Some(operand) = self.operand(field) else {
            return Narrowing::EVERYTHING;
        };
        let op = if negated { inverse(op) } else { op };
        let null = absent_passes(field, negated, |default| holds(default, op, value));
        match &operand {
            Operand::Names(names) => match (op, value) {
                (Op::Eq, Literal::Enum { number, .. }) => {
                    self.named(names, field, null, |n| n == *number)
                }
                (Op::Ne, Literal::Enum { number, .. }) => {
                    self.named(names, field, null, |n| n != *number)
                }
                _ => Narrowing::EVERYTHING,
            },
            // The gate has no order of NaN, databases have: only what they let through besides does no harm.
            Operand::Float { .. } if negated || op == Op::Ne => Narrowing::EVERYTHING,
            Operand::Float { sql } => match Operand::arg(self.dialect, value) {
                Some(arg) => Narrowing::at_least(or_null(
                    sql,
                    null,
                    Fragment::of(format!("{sql} {} ", sign(op))).arg(arg),
                )),
                None => Narrowing::EVERYTHING,
            },
            Operand::Text { bytes, .. } => match Operand::arg(self.dialect, value) {
                Some(arg) => {
                    let condition = match op {
                        Op::Eq => equals(&operand, vec![arg]),
                        _ => text_compare(&operand, op, arg),
                    };
                    Narrowing::exactly(or_null(bytes, null, condition))
                }
                None => Narrowing::EVERYTHING,
            },
            Operand::Value { sql, plain, wrap } => match Operand::arg(self.dialect, value) {
                Some(arg) => {
                    // What the column alone finds besides is less than any value.
                    let asked = match (plain, op) {
                        (Some(plain), Op::Eq | Op::Gt | Op::Ge) => plain,
                        _ => sql,
                    };
                    let condition =
                        Fragment::of(format!("{asked} {} ", sign(op))).then(wrap.of(arg));
                    Narrowing::exactly(or_null(sql, null, condition))
                }
                None => Narrowing::EVERYTHING,
            },
        }
    }

    fn within(&self, field: &Field, values: &[Literal], negated: bool) -> Narrowing {
        let Some(operand) = self.operand(field) else {
            return Narrowing::EVERYTHING;
        };
        let null = absent_passes(field, negated, |default| {
            values.iter().any(|value| holds(default, Op::Eq, value)) != negated
        });
        if let Operand::Names(names) = &operand {
            let listed = |n: i32| {
                values
                    .iter()
                    .any(|value| matches!(value, Literal::Enum { number, .. } if *number == n))
            };
            return self.named(names, field, null, |n| listed(n) != negated);
        }
        let args: Option<Vec<Arg>> = values
            .iter()
            .map(|value| Operand::arg(self.dialect, value))
            .collect();
        let Some(args) = args else {
            return Narrowing::EVERYTHING;
        };
        if args.is_empty() {
            return Narrowing::EVERYTHING;
        }
        match &operand {
            Operand::Text { bytes, wrap, .. } => {
                let condition = if negated {
                    Fragment::of(format!("{bytes} NOT IN ")).then(Fragment::list(args, wrap))
                } else {
                    equals(&operand, args)
                };
                Narrowing::exactly(or_null(bytes, null, condition))
            }
            Operand::Value { sql, wrap, .. } => {
                let not = if negated { "NOT " } else { "" };
                let condition =
                    Fragment::of(format!("{sql} {not}IN ")).then(Fragment::list(args, wrap));
                Narrowing::exactly(or_null(sql, null, condition))
            }
            Operand::Float { sql } if !negated => Narrowing::at_least(or_null(
                sql,
                null,
                Fragment::of(format!("{sql} IN ")).then(Fragment::list(args, &Wrap::NONE)),
            )),
            Operand::Float { .. } | Operand::Names(_) => Narrowing::EVERYTHING,
        }
    }

    /// The names of those values of the field's enum that are let through; any other name fits no record.
    fn named(
        &self,
        names: &Operand,
        field: &Field,
        null: bool,
        lets: impl Fn(i32) -> bool,
    ) -> Narrowing {
        let prost_reflect::Kind::Enum(values) = field.descriptor().kind() else {
            return Narrowing::EVERYTHING;
        };
        let args: Vec<Arg> = values
            .values()
            .filter(|value| lets(value.number()))
            .map(|value| Arg::Text(value.name().into()))
            .collect();
        let Operand::Text { bytes, .. } = names else {
            return Narrowing::EVERYTHING;
        };
        let condition = match args.is_empty() {
            true => Fragment::any(vec![]),
            false => equals(names, args),
        };
        Narrowing::exactly(or_null(bytes, null, condition))
    }

    fn starts_with(&self, field: &Field, prefix: &Arc<str>, negated: bool) -> Narrowing {
        let Some(Operand::Text { bytes, wrap, .. }) = self.operand(field) else {
            return Narrowing::EVERYTHING;
        };
        if prefix.contains('\0') {
            return Narrowing::EVERYTHING;
        }
        let null = absent_passes(field, negated, |_| prefix.is_empty() != negated);
        let arg = Arg::Text(prefix.clone());
        let begins = self.dialect.begins(&bytes, &wrap, arg);
        let condition = match negated {
            true => Fragment::of("NOT (").then(begins).sql(")"),
            false => begins,
        };
        Narrowing::exactly(or_null(&bytes, null, condition))
    }

    /// Implicit presence states a value where it is not the type's default.
    fn has(&self, field: &Field, negated: bool) -> Narrowing {
        if !field.descriptor().supports_presence() && !field.is_decimal() {
            return match default_of(field) {
                Some(default) => self.compare(field, Op::Ne, &default, negated),
                None => Narrowing::EVERYTHING,
            };
        }
        let Some(operand) = self.operand(field) else {
            return Narrowing::EVERYTHING;
        };
        let not = if negated { "" } else { "NOT " };
        Narrowing::exactly(Fragment::of(format!("{} IS {not}NULL", operand.sql())))
    }
}

/// Whether a record that does not state the field passes. `default` tells, any negation taken in, whether the type's
/// default value does, which is what a field without presence then has.
fn absent_passes(field: &Field, negated: bool, default: impl Fn(&Literal) -> bool) -> bool {
    if field.descriptor().supports_presence() || field.is_decimal() {
        return negated;
    }
    default_of(field).is_none_or(|value| default(&value))
}

/// The index is asked by the column's own collation, which may find too much; the bytes decide.
fn equals(operand: &Operand, args: Vec<Arg>) -> Fragment {
    let Operand::Text { plain, bytes, wrap } = operand else {
        return Fragment::all(vec![]);
    };
    let takes = |arg: &Arg| match (arg, plain) {
        (Arg::Text(text), Some(plain)) => plain.form.takes(text),
        _ => false,
    };
    let mut terms = Vec::new();
    if let Some(plain) = plain
        && args.iter().all(takes)
    {
        terms.push(Fragment::of(&plain.sql).then(one_or_list(args.clone(), &plain.wrap)));
    }
    terms.push(Fragment::of(bytes).then(one_or_list(args, wrap)));
    Fragment::all(terms)
}

fn one_or_list(mut args: Vec<Arg>, wrap: &Wrap) -> Fragment {
    match (args.pop(), args.is_empty()) {
        (Some(only), true) => Fragment::of(" = ").then(wrap.of(only)),
        (last, _) => {
            args.extend(last);
            Fragment::of(" IN ").then(Fragment::list(args, wrap))
        }
    }
}

fn text_compare(operand: &Operand, op: Op, arg: Arg) -> Fragment {
    match operand {
        Operand::Text { bytes, wrap, .. } => {
            Fragment::of(format!("{bytes} {} ", sign(op))).then(wrap.of(arg))
        }
        _ => Fragment::all(vec![]),
    }
}

fn or_null(sql: &str, null: bool, condition: Fragment) -> Fragment {
    if null {
        Fragment::any(vec![condition, Fragment::of(format!("{sql} IS NULL"))])
    } else {
        condition
    }
}

fn sign(op: Op) -> &'static str {
    match op {
        Op::Eq => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

fn inverse(op: Op) -> Op {
    match op {
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        Op::Lt => Op::Ge,
        Op::Le => Op::Gt,
        Op::Gt => Op::Le,
        Op::Ge => Op::Lt,
    }
}

/// The value of a field that a record does not state; of a decimal number, its place in an order.
pub(super) fn default_of(field: &Field) -> Option<Literal> {
    use prost_reflect::Kind;
    Some(match field.descriptor().kind() {
        Kind::String if field.is_decimal() => Literal::Decimal(Decimal::zero()),
        Kind::String => Literal::Text("".into()),
        Kind::Bytes => Literal::Data(bytes::Bytes::new()),
        Kind::Bool => Literal::Boolean(false),
        Kind::Float | Kind::Double => Literal::Number(0.0),
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Literal::Unsigned(0),
        Kind::Enum(_) => Literal::Enum {
            name: "".into(),
            number: 0,
        },
        Kind::Message(_) if ValueKind::of(field.descriptor()) == ValueKind::Instant => {
            Literal::Time {
                seconds: 0,
                nanos: 0,
            }
        }
        Kind::Message(_) => return None,
        _ => Literal::Integer(0),
    })
}

/// The gate's comparison of two literals of one type.
pub(super) fn holds(left: &Literal, op: Op, right: &Literal) -> bool {
    let order = Datum::of(left).order(&Datum::of(right));
    match op {
        Op::Eq => order == Some(Ordering::Equal),
        Op::Ne => order != Some(Ordering::Equal),
        Op::Lt => order == Some(Ordering::Less),
        Op::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Gt => order == Some(Ordering::Greater),
        Op::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}
