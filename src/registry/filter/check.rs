//! From a filter's tree to its typed form: every field exists, and every value is one that its field can have.

use std::sync::Arc;

use prost_reflect::EnumDescriptor;
use prost_reflect::Kind;

use super::Expr;
use super::Fault;
use super::Op;
use super::parse::Form;
use super::parse::Node;
use super::parse::Value;
use crate::registry::extract::is_timestamp;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;

pub(super) fn check(node: Node, schema: &RecordSchema) -> Result<Expr, Fault> {
    let check_all = |nodes: Vec<Node>| -> Result<Vec<Expr>, Fault> {
        nodes.into_iter().map(|node| check(node, schema)).collect()
    };
    Ok(match node.form {
        Form::All(nodes) => Expr::All(check_all(nodes)?),
        Form::Any(nodes) => Expr::Any(check_all(nodes)?),
        Form::Not(inner) => Expr::Not(Box::new(check(*inner, schema)?)),
        Form::Compare(op, sides) => compare(node.at, op, *sides, schema)?,
        Form::In(left, list) => one_of(&left, list, schema)?,
        Form::StartsWith { path, prefix } => {
            let field = single(&path, node.at, schema)?;
            if !matches!(field.descriptor().kind(), Kind::String) {
                let message = format!("`{path}` is not a text");
                return Err(Fault::new(node.at, message));
            }
            Expr::StartsWith {
                field,
                prefix: prefix.into(),
            }
        }
        Form::Has(path) => Expr::Has {
            field: asked(&path, node.at, schema)?,
        },
        Form::Path(path) => flag(&path, node.at, schema)?,
        Form::Value(Value::Bool(value)) => Expr::Constant(value),
        Form::Value(_) => {
            return Err(Fault::new(node.at, "a value alone is not a condition"));
        }
    })
}

fn compare(at: usize, op: Op, sides: [Node; 2], schema: &RecordSchema) -> Result<Expr, Fault> {
    let [left, right] = sides;
    match (&left.form, &right.form) {
        (Form::Path(a), Form::Path(b)) => {
            if schema.field(a).is_err() && names_value_of(a, b, schema) {
                return compare_with(b, &right, swapped(op), left, schema);
            }
            let field = single(a, left.at, schema)?;
            if !names_value(b, &field) && schema.field(b).is_ok() {
                let message = "two fields cannot be compared; compare a field with a value";
                return Err(Fault::new(at, message));
            }
            typed(field, op, right)
        }
        (Form::Path(path), Form::Value(_)) => compare_with(path, &left, op, right, schema),
        (Form::Value(_), Form::Path(path)) => compare_with(path, &right, swapped(op), left, schema),
        (Form::Value(_), Form::Value(_)) => {
            Err(Fault::new(at, "a comparison needs a field on one side"))
        }
        _ => Err(Fault::new(
            at,
            "only a field and a value can be compared; put `!` before parentheses",
        )),
    }
}

fn compare_with(
    path: &str,
    at: &Node,
    op: Op,
    value: Node,
    schema: &RecordSchema,
) -> Result<Expr, Fault> {
    typed(single(path, at.at, schema)?, op, value)
}

fn typed(field: Field, op: Op, value: Node) -> Result<Expr, Fault> {
    let at = value.at;
    let value = literal(&field, value)?;
    let ordered = !matches!(
        value,
        Literal::Boolean(_) | Literal::Data(_) | Literal::Enum { .. }
    );
    if !ordered && !matches!(op, Op::Eq | Op::Ne) {
        let message = format!("`{}` has no order: use `==`, `!=` or `in`", field.path());
        return Err(Fault::new(at, message));
    }
    Ok(Expr::Compare { field, op, value })
}

/// The operator with its sides exchanged.
fn swapped(op: Op) -> Op {
    match op {
        Op::Eq | Op::Ne => op,
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
    }
}

fn one_of(left: &Node, list: Vec<Node>, schema: &RecordSchema) -> Result<Expr, Fault> {
    let Form::Path(path) = &left.form else {
        return Err(Fault::new(left.at, "before `in` stands a field"));
    };
    let field = single(path, left.at, schema)?;
    let values = list
        .into_iter()
        .map(|value| literal(&field, value))
        .collect::<Result<_, _>>()?;
    Ok(Expr::In { field, values })
}

/// A boolean field that stands alone.
fn flag(path: &str, at: usize, schema: &RecordSchema) -> Result<Expr, Fault> {
    let field = single(path, at, schema)?;
    if !matches!(field.descriptor().kind(), Kind::Bool) {
        let message = format!("`{path}` is not a condition: compare it with a value");
        return Err(Fault::new(at, message));
    }
    Ok(Expr::Compare {
        field,
        op: Op::Eq,
        value: Literal::Boolean(true),
    })
}

fn resolve(path: &str, at: usize, schema: &RecordSchema) -> Result<Field, Fault> {
    schema
        .field(path)
        .map_err(|unknown| Fault::new(at, unknown.to_string()))
}

/// A field that `has` may ask about: anything that does not lie within a list or a map.
fn asked(path: &str, at: usize, schema: &RecordSchema) -> Result<Field, Fault> {
    let field = resolve(path, at, schema)?;
    let outer = field
        .steps()
        .split_last()
        .map_or(&[][..], |(_, outer)| outer);
    if outer.iter().any(|step| step.is_list() || step.is_map()) {
        return Err(Fault::new(at, format!("`{path}` lies within a list")));
    }
    Ok(field)
}

/// A field that can be compared.
fn single(path: &str, at: usize, schema: &RecordSchema) -> Result<Field, Fault> {
    let field = asked(path, at, schema)?;
    if field.is_repeated() {
        let message = format!("`{path}` has many values: only `has({path})` can be asked");
        return Err(Fault::new(at, message));
    }
    let Kind::Message(message) = field.descriptor().kind() else {
        return Ok(field);
    };
    if is_timestamp(field.descriptor()) {
        return Ok(field);
    }
    let within = schema.fields(Some(field.path()));
    Err(Fault::new(
        at,
        match within.first() {
            Some(inner) => format!(
                "`{path}` is a message: compare one of its fields, such as `{}`",
                inner.path()
            ),
            None => format!(
                "`{path}` is a {}: only `has({path})` can be asked",
                message.full_name()
            ),
        },
    ))
}

fn names_value_of(name: &str, path: &str, schema: &RecordSchema) -> bool {
    schema
        .field(path)
        .is_ok_and(|field| names_value(name, &field) || !name.contains('.') && is_enum(&field))
}

fn is_enum(field: &Field) -> bool {
    matches!(field.descriptor().kind(), Kind::Enum(_))
}

fn names_value(name: &str, field: &Field) -> bool {
    matches!(field.descriptor().kind(), Kind::Enum(kind) if kind.get_value_by_name(name).is_some())
}

/// The value as one of the field's type. Says what the field takes, never what was given.
fn literal(field: &Field, value: Node) -> Result<Literal, Fault> {
    let kind = field.descriptor().kind();
    let at = value.at;
    let given = match value.form {
        Form::Value(given) => given,
        Form::Path(name) => match &kind {
            Kind::Enum(kind) => return enum_value(kind, &name, at, true),
            _ => {
                let message = format!("`{name}` is not a value; a text stands in quotes");
                return Err(Fault::new(at, message));
            }
        },
        _ => return Err(Fault::new(at, "a value belongs here")),
    };
    let misfit = |what: &str| Fault::new(at, format!("`{}` takes {what}", field.path()));
    match (&kind, given) {
        (Kind::String, Value::Text(v)) => Ok(Literal::Text(v.into())),
        (Kind::String, _) => Err(misfit("a text in quotes")),
        (Kind::Bytes, Value::Data(v)) => Ok(Literal::Data(v.into())),
        (Kind::Bytes, _) => Err(misfit("bytes, written as in b\"\\x00\"")),
        (Kind::Bool, Value::Bool(v)) => Ok(Literal::Boolean(v)),
        (Kind::Bool, _) => Err(misfit("`true` or `false`")),
        (Kind::Enum(kind), Value::Text(name)) => enum_value(kind, &name, at, false),
        (Kind::Enum(kind), _) => Err(misfit(&format!("one of {}", values_of(kind)))),
        (Kind::Message(_), Value::Time { seconds, nanos }) => Ok(Literal::Time { seconds, nanos }),
        (Kind::Message(_), _) => Err(misfit(
            "a time, written as in timestamp(\"2026-01-31T08:00:00Z\")",
        )),
        (Kind::Double, given) => number(&given)
            .map(Literal::Number)
            .ok_or_else(|| misfit("a number")),
        // What the record holds was rounded to 32 bits too.
        (Kind::Float, given) => number(&given)
            .map(|v| f64::from(v as f32))
            .filter(|v| v.is_finite())
            .map(Literal::Number)
            .ok_or_else(|| misfit("a number of 32 bits")),
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, Value::Int(v))
            if i32::try_from(v).is_ok() =>
        {
            Ok(Literal::Integer(v))
        }
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, _) => {
            Err(misfit("a whole number of 32 bits"))
        }
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, Value::Int(v)) => Ok(Literal::Integer(v)),
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, _) => Err(misfit("a whole number")),
        (Kind::Uint32 | Kind::Fixed32, given) => unsigned(&given)
            .filter(|&v| u32::try_from(v).is_ok())
            .map(Literal::Unsigned)
            .ok_or_else(|| misfit("a whole number from 0 to 4294967295")),
        (Kind::Uint64 | Kind::Fixed64, given) => unsigned(&given)
            .map(Literal::Unsigned)
            .ok_or_else(|| misfit("a whole number from 0")),
    }
}

fn number(given: &Value) -> Option<f64> {
    match given {
        Value::Float(v) => Some(*v),
        Value::Int(v) => Some(*v as f64),
        Value::Uint(v) => Some(*v as f64),
        _ => None,
    }
}

fn unsigned(given: &Value) -> Option<u64> {
    match given {
        Value::Uint(v) => Some(*v),
        Value::Int(v) => u64::try_from(*v).ok(),
        _ => None,
    }
}

/// A name without quotes is the filter's own word and may be told; what stood in quotes may not.
fn enum_value(kind: &EnumDescriptor, name: &str, at: usize, tell: bool) -> Result<Literal, Fault> {
    if let Some(value) = kind.get_value_by_name(name) {
        return Ok(Literal::Enum {
            name: Arc::from(value.name()),
            number: value.number(),
        });
    }
    let named = if tell {
        format!("`{name}`")
    } else {
        "the text".to_owned()
    };
    let message = format!(
        "{named} is not a value of {}; its values are {}",
        kind.full_name(),
        values_of(kind)
    );
    Err(Fault::new(at, message))
}

fn values_of(kind: &EnumDescriptor) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<_> = kind
        .values()
        .take(SHOWN)
        .map(|value| value.name().to_owned())
        .collect();
    if kind.values().len() > SHOWN {
        names.push("…".to_owned());
    }
    names.join(", ")
}
