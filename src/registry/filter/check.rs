//! From a filter's tree to its typed form: every field exists, and every value is one that its field can have.

use prost_reflect::Kind;

use super::Expr;
use super::Fault;
use super::Op;
use super::parse::Form;
use super::parse::Node;
use super::parse::Value;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;
use crate::registry::value;
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
            if field.is_decimal() {
                let message = format!("`{path}` is a number: compare it with one");
                return Err(Fault::new(node.at, message));
            }
            Expr::StartsWith {
                field,
                prefix: prefix.into(),
            }
        }
        Form::Has { path, at } => Expr::Has {
            field: asked(&path, at, schema)?,
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
    if field.is_single_value() {
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
                field.type_name()
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
        Form::Path(name) => return named(field, &name, at),
        _ => return Err(Fault::new(at, "a value belongs here")),
    };
    let literal = match (kind, given) {
        (Kind::String, Value::Text(v)) => value::text(field, &v),
        (Kind::String, Value::Int(v)) if field.is_decimal() => value::text(field, &v.to_string()),
        (Kind::String, Value::Uint(v)) if field.is_decimal() => value::text(field, &v.to_string()),
        (Kind::Bytes, Value::Data(v)) => Some(Literal::Data(v.into())),
        (Kind::Bool, Value::Bool(v)) => Some(Literal::Boolean(v)),
        (Kind::Enum(kind), Value::Text(name)) => value::member(&kind, &name),
        (Kind::Message(_), Value::Time { seconds, nanos }) => value::moment(field, seconds, nanos),
        (Kind::Double | Kind::Float, Value::Float(v)) => value::number(field, v),
        (Kind::Double | Kind::Float, Value::Int(v)) => value::number(field, v as f64),
        (Kind::Double | Kind::Float, Value::Uint(v)) => value::number(field, v as f64),
        (_, Value::Int(v)) => value::integer(field, v.into()),
        (_, Value::Uint(v)) => value::integer(field, v.into()),
        _ => None,
    };
    literal.ok_or_else(|| Fault::new(at, value::misfit(field).to_string()))
}

/// An enum's value by its name without quotes, which is the filter's own word and may be told.
fn named(field: &Field, name: &str, at: usize) -> Result<Literal, Fault> {
    let Kind::Enum(kind) = field.descriptor().kind() else {
        // Likely a value that lacks its quotes: it is not told.
        return Err(Fault::new(
            at,
            "this is not a value; a text stands in quotes",
        ));
    };
    value::member(&kind, name).ok_or_else(|| {
        let message = format!(
            "`{name}` is not a value of {}; {}",
            kind.full_name(),
            value::misfit(field)
        );
        Fault::new(at, message)
    })
}
