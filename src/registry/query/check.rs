//! From a request's parts to a query, each part within its bounds.

use std::sync::Arc;

use bytes::Bytes;

use super::InvalidQuery;
use super::Order;
use super::Query;
use super::Raw;
use super::RawSelection;
use super::Reason;
use super::Selection;
use crate::name::Purpose;
use crate::pb;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;

const MAX_FIELDS: usize = 256;
const MAX_CLAIMS: usize = 64;
const MAX_ORDER_TERMS: usize = 8;
const MAX_ORDER_BYTES: usize = 4 * 1024;
const MAX_KEY_BYTES: usize = 1024;
const MAX_CURSOR_BYTES: usize = 4 * 1024;

pub(super) fn check(schema: &Arc<RecordSchema>, raw: &Raw<'_>) -> Result<Query, InvalidQuery> {
    Ok(Query {
        purpose: purpose(raw.purpose)?,
        fields: fields(schema, raw.fields)?,
        selection: selection(schema, &raw.selection)?,
        schema: Arc::clone(schema),
    })
}

fn purpose(purpose: &str) -> Result<Purpose, InvalidQuery> {
    let location = "grounds.purpose";
    if purpose.is_empty() {
        return Err(invalid(location, Reason::Missing));
    }
    purpose
        .parse()
        .map_err(|e| invalid(location, Reason::Purpose(e)))
}

/// The fields in the order of the request. One that lies within another, or comes again, is left out.
fn fields(schema: &RecordSchema, paths: &[String]) -> Result<Vec<Field>, InvalidQuery> {
    bounded("fields", paths.len(), MAX_FIELDS)?;
    let mut fields: Vec<Field> = Vec::with_capacity(paths.len());
    for (i, path) in paths.iter().enumerate() {
        let field = schema
            .field(path)
            .map_err(|e| invalid(format!("fields[{i}]"), Reason::Field(e)))?;
        if fields.iter().any(|f| field.path().within(f.path())) {
            continue;
        }
        fields.retain(|f| !f.path().within(field.path()));
        fields.push(field);
    }
    Ok(fields)
}

fn selection(schema: &RecordSchema, raw: &RawSelection<'_>) -> Result<Selection, InvalidQuery> {
    Ok(match *raw {
        RawSelection::Get { key: text } => Selection::Get {
            key: key(schema, text)?,
        },
        RawSelection::Query {
            filter: text,
            order_by,
            limit,
            cursor: bytes,
        } => Selection::Query {
            filter: filter(schema, text)?,
            order: order(schema, order_by)?,
            limit: (limit > 0).then_some(limit),
            cursor: cursor(bytes)?,
        },
        RawSelection::Verify {
            key: text,
            claims: list,
        } => Selection::Verify {
            key: key(schema, text)?,
            claims: claims(schema, list)?,
        },
        RawSelection::Count { filter: text } => Selection::Count {
            filter: filter(schema, text)?,
        },
    })
}

fn key(schema: &RecordSchema, text: &str) -> Result<Literal, InvalidQuery> {
    if text.is_empty() {
        return Err(invalid("key", Reason::Missing));
    }
    within_bytes("key", text.len(), MAX_KEY_BYTES)?;
    Literal::from_text(schema.key(), text).map_err(|e| invalid("key", Reason::Value(e)))
}

fn filter(schema: &RecordSchema, text: &str) -> Result<Option<Filter>, InvalidQuery> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::parse(text, schema)
        .map(Some)
        .map_err(|e| invalid("filter", Reason::Filter(e)))
}

fn order(schema: &RecordSchema, text: &str) -> Result<Vec<Order>, InvalidQuery> {
    let location = "order_by";
    within_bytes(location, text.len(), MAX_ORDER_BYTES)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    bounded(location, text.split(',').count(), MAX_ORDER_TERMS)?;
    let mut order: Vec<Order> = Vec::new();
    for term in text.split(',') {
        let term = order_term(schema, term).map_err(|reason| invalid(location, reason))?;
        if order.iter().any(|o| o.field == term.field) {
            let path = term.field.path().clone();
            return Err(invalid(location, Reason::Twice(path)));
        }
        order.push(term);
    }
    Ok(order)
}

fn order_term(schema: &RecordSchema, term: &str) -> Result<Order, Reason> {
    let mut words = term.split_whitespace();
    let path = words.next().ok_or(Reason::OrderTerm)?;
    let descending = match (words.next(), words.next()) {
        (None | Some("asc"), None) => false,
        (Some("desc"), None) => true,
        _ => return Err(Reason::OrderTerm),
    };
    let field = single(schema.field(path).map_err(Reason::Field)?)?;
    Ok(Order { field, descending })
}

fn cursor(bytes: &Bytes) -> Result<Option<Bytes>, InvalidQuery> {
    within_bytes("cursor", bytes.len(), MAX_CURSOR_BYTES)?;
    Ok((!bytes.is_empty()).then(|| bytes.clone()))
}

fn claims(schema: &RecordSchema, raw: &[pb::Claim]) -> Result<Vec<(Field, Literal)>, InvalidQuery> {
    if raw.is_empty() {
        return Err(invalid("claims", Reason::Missing));
    }
    bounded("claims", raw.len(), MAX_CLAIMS)?;
    let mut claims: Vec<(Field, Literal)> = Vec::with_capacity(raw.len());
    for (i, claim) in raw.iter().enumerate() {
        let at_field = |reason| invalid(format!("claims[{i}].field"), reason);
        let at_value = |reason| invalid(format!("claims[{i}].value"), reason);
        let field = schema
            .field(&claim.field)
            .map_err(Reason::Field)
            .and_then(single)
            .map_err(at_field)?;
        if claims.iter().any(|(f, _)| *f == field) {
            return Err(at_field(Reason::Twice(field.path().clone())));
        }
        let value = claim
            .value
            .as_ref()
            .ok_or_else(|| at_value(Reason::Missing))?;
        let value = Literal::from_pb(&field, value).map_err(|e| at_value(Reason::Value(e)))?;
        claims.push((field, value));
    }
    Ok(claims)
}

fn single(field: Field) -> Result<Field, Reason> {
    if field.is_single_value() {
        return Ok(field);
    }
    Err(Reason::NotSingle {
        field: field.path().clone(),
        type_name: field.type_name(),
        in_list: field.is_repeated()
            && !field.descriptor().is_list()
            && !field.descriptor().is_map(),
    })
}

fn bounded(location: &str, count: usize, limit: usize) -> Result<(), InvalidQuery> {
    if count > limit {
        return Err(invalid(location, Reason::TooMany { limit }));
    }
    Ok(())
}

fn within_bytes(location: &str, bytes: usize, limit: usize) -> Result<(), InvalidQuery> {
    if bytes > limit {
        return Err(invalid(location, Reason::TooLong { limit }));
    }
    Ok(())
}

fn invalid(location: impl Into<String>, reason: Reason) -> InvalidQuery {
    InvalidQuery {
        location: location.into(),
        reason,
    }
}
