//! The order in which records come, in which every record has one place: what was asked, then the key.

use std::cmp;

use prost_reflect::Kind;

use super::Dialect;
use super::binding::Binding;
use super::binding::Place;
use super::codec::Codec;
use super::live::Uniqueness;
use super::narrow::default_of;
use super::operand;
use super::operand::DECIMALS;
use super::operand::Operand;
use super::position::Position;
use super::statement::Arg;
use super::statement::Fragment;
use super::statement::Wrap;
use super::statement::quoted;
use crate::name::FieldPath;
use crate::registry::decimal::Parts;
use crate::registry::extract::ExtractedValues;
use crate::registry::extract::Extractor;
use crate::registry::field::Field;
use crate::registry::filter::Expr;
use crate::registry::filter::Op;
use crate::registry::query::Order;
use crate::registry::scalar::Datum;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;
use crate::source::SourceError;

/// One expression of ORDER BY; never NULL, save for the key, which every record has.
struct Term {
    sql: String,
    wrap: Wrap,
    descending: bool,
}

/// ORDER BY, and what resumes after a position.
pub(super) struct Ordering {
    terms: Vec<Term>,
    position: Option<Vec<Arg>>,
}

impl Binding {
    /// `order` ends with the key.
    pub(super) fn ordering(
        &self,
        order: &[Order],
        after: Option<&Position>,
    ) -> Result<Ordering, SourceError> {
        let mut terms = Vec::new();
        let mut position = Vec::new();
        for (i, by) in order.iter().enumerate() {
            let unordered = || SourceError::Unordered(by.field.path().clone());
            let place = self.place(by.field.path()).ok_or_else(unordered)?;
            if self.goes_by_characters(&by.field) {
                return Err(unordered());
            }
            let term = self.term(by, place).ok_or_else(unordered)?;
            if let Some(value) = after.and_then(|position| position.values().get(i)) {
                position.push(self.value(&by.field, place, value).ok_or_else(unordered)?);
            }
            terms.push(term);
        }
        let position = after.map(|_| position);
        Ok(Ordering { terms, position })
    }

    /// Whether the field is a text that its column keeps as a number, which the schema does not say: its order would be
    /// that of its characters, in which 100 comes before 20.
    fn goes_by_characters(&self, field: &Field) -> bool {
        let place = self.place(field.path());
        matches!(place, Some(Place::Column(column)) if column.codec == Codec::Decimal)
            && !field.is_decimal()
    }

    /// The first field of which the expression asks an order that its texts do not have.
    pub(super) fn unordered(&self, expr: &Expr) -> Option<FieldPath> {
        match expr {
            Expr::All(parts) | Expr::Any(parts) => {
                parts.iter().find_map(|part| self.unordered(part))
            }
            Expr::Not(inner) => self.unordered(inner),
            Expr::Compare { field, op, .. } if !matches!(op, Op::Eq | Op::Ne) => {
                self.goes_by_characters(field).then(|| field.path().clone())
            }
            Expr::Compare { .. }
            | Expr::In { .. }
            | Expr::StartsWith { .. }
            | Expr::Has { .. }
            | Expr::Constant(_) => None,
        }
    }

    fn term(&self, by: &Order, place: Place<'_>) -> Option<Term> {
        let (dialect, descending) = (self.dialect, by.descending);
        let term = |sql, wrap| Term {
            sql,
            wrap,
            descending,
        };
        if let Place::Column(column) = place {
            let name = quoted(dialect, &column.name);
            match &column.codec {
                Codec::InstantText => {
                    let fraction =
                        format!("rtrim(rtrim(rtrim(substr({name}, 20), 'Z'), '0'), '.')");
                    return Some(term(
                        format!(
                            "COALESCE(substr({name}, 1, 19) || {fraction}, '1970-01-01T00:00:00')"
                        ),
                        Wrap::NONE,
                    ));
                }
                Codec::EnumEither => {
                    let numbers = case(&name, &by.field, &format!("COALESCE({name}, 0)"))?;
                    return Some(term(numbers, Wrap::NONE));
                }
                _ => {}
            }
        }
        let operand = Operand::of(dialect, place, &by.field)?;
        let is_key = by.field.path() == self.schema.key().path();
        let in_order = has_own_order(place);
        Some(match operand {
            // The column's own order has no ties, and an index.
            Operand::Text {
                plain: Some(plain), ..
            } if is_key && in_order => term(plain.sql, plain.wrap),
            Operand::Text { bytes, wrap, .. } if is_key => term(bytes, wrap),
            Operand::Text { bytes, wrap, .. } => {
                let empty = match (dialect, place) {
                    (Dialect::Postgres, Place::Column(column) | Place::Within(column))
                        if !column.in_utf8 =>
                    {
                        "''::bytea"
                    }
                    _ => "''",
                };
                term(format!("COALESCE({bytes}, {empty})"), wrap)
            }
            Operand::Value { sql, wrap, .. } if is_key => term(sql, wrap),
            // A collation stands outside.
            Operand::Value { wrap, .. } if by.field.is_decimal() && dialect == Dialect::Sqlite => {
                let Place::Column(column) = place else {
                    return None;
                };
                let name = quoted(dialect, &column.name);
                term(
                    format!("COALESCE(NULLIF(+{name}, ''), '0') COLLATE {DECIMALS}"),
                    wrap,
                )
            }
            Operand::Value { sql, wrap, .. } => {
                let default = default_sql(dialect, &by.field, &wrap)?;
                term(format!("COALESCE({sql}, {default})"), wrap)
            }
            Operand::Float { sql } => term(format!("COALESCE({sql}, 0)"), Wrap::NONE),
            Operand::Names(names) => term(case(names.sql(), &by.field, "0")?, Wrap::NONE),
        })
    }

    fn value(&self, field: &Field, place: Place<'_>, value: &Literal) -> Option<Arg> {
        let Place::Column(column) = place else {
            return Operand::arg(self.dialect, value);
        };
        match value {
            Literal::Time { seconds, nanos } if column.codec == Codec::InstantText => {
                operand::instant_sort_text(*seconds, *nanos).map(|text| Arg::Text(text.into()))
            }
            // In PostgreSQL's order NaN comes last and equals itself, as in that of the records; the others have none.
            Literal::Number(value) if value.is_nan() && self.dialect == Dialect::Postgres => {
                Some(Arg::Number(*value))
            }
            // The key is compared as its column's type, of which not every text is a value.
            Literal::Text(text)
                if has_own_order(place) && field.path() == self.schema.key().path() =>
            {
                match Operand::of(self.dialect, place, field)? {
                    Operand::Text {
                        plain: Some(plain), ..
                    } if !plain.form.takes(text) => None,
                    _ => Operand::arg(self.dialect, value),
                }
            }
            value => Operand::arg(self.dialect, value),
        }
    }
}

/// The order of an answer by the values that its records show, the key aside: the database's must be the same, or records
/// were lost where the next answer goes on.
pub(super) struct Line {
    extractor: Extractor,
    terms: Vec<LineTerm>,
}

struct LineTerm {
    slot: usize,
    absent: Literal,
    is_decimal: bool,
    descending: bool,
}

impl Line {
    /// `order` ends with the key. `None` where it has nothing else.
    pub(super) fn of(order: &[Order]) -> Option<Self> {
        let (_, terms) = order.split_last()?;
        let (extractor, slots) = Extractor::of(terms.iter().map(|by| &by.field));
        let terms: Vec<_> = terms
            .iter()
            .zip(slots)
            .map(|(by, slot)| {
                Some(LineTerm {
                    slot,
                    absent: default_of(&by.field)?,
                    is_decimal: by.field.is_decimal(),
                    descending: by.descending,
                })
            })
            .collect::<Option<_>>()?;
        (!terms.is_empty()).then_some(Self { extractor, terms })
    }

    /// Whether one record may come after another.
    pub(super) fn lets_follow(&self, last: &[u8], next: &[u8]) -> Result<bool, Malformed> {
        let (last, next) = (self.extractor.read(last)?, self.extractor.read(next)?);
        for term in &self.terms {
            let ordering = term.of(&last).place(&term.of(&next));
            let ordering = match term.descending {
                true => ordering.map(cmp::Ordering::reverse),
                false => ordering,
            };
            match ordering {
                Some(cmp::Ordering::Equal) => {}
                Some(cmp::Ordering::Less) => return Ok(true),
                Some(cmp::Ordering::Greater) | None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl LineTerm {
    fn of<'a>(&'a self, record: &ExtractedValues<'_, 'a>) -> Datum<'a> {
        match record.value(self.slot) {
            Datum::Nothing => Datum::of(&self.absent),
            Datum::Text("") if self.is_decimal => Datum::of(&self.absent),
            Datum::Text(text) if self.is_decimal => {
                Parts::of(text).map_or(Datum::Text(text), Datum::Decimal)
            }
            value => value,
        }
    }
}

/// Whether the column's own order, which an index has, is without ties.
fn has_own_order(place: Place<'_>) -> bool {
    matches!(place, Place::Column(column) if column.uniqueness == Uniqueness::Order)
}

/// The numbers of an enum's names. The names are the schema's, which are identifiers.
fn case(sql: &str, field: &Field, otherwise: &str) -> Option<String> {
    let Kind::Enum(values) = field.descriptor().kind() else {
        return None;
    };
    let whens: String = values
        .values()
        .map(|value| format!(" WHEN '{}' THEN {}", value.name(), value.number()))
        .collect();
    Some(format!("CASE {sql}{whens} ELSE {otherwise} END"))
}

fn default_sql(dialect: Dialect, field: &Field, wrap: &Wrap) -> Option<String> {
    Some(match (field.descriptor().kind(), dialect) {
        (Kind::Bool, Dialect::Postgres) => "false".to_owned(),
        (Kind::Bytes, Dialect::Postgres) => "''::bytea".to_owned(),
        (Kind::Bytes, _) => "x''".to_owned(),
        (Kind::Message(_), Dialect::Sqlite) => "0".to_owned(),
        (Kind::Message(_), _) => wrap.around("'1970-01-01 00:00:00'"),
        (Kind::String, _) if field.is_decimal() => "0".to_owned(),
        (Kind::String, _) => return None,
        _ => "0".to_owned(),
    })
}

impl Ordering {
    /// What lies at the position or after it: greater in the first term, or equal in it and so on in those that follow.
    /// The record at the position has been sent; that there is no second one, its reader sees.
    pub(super) fn condition(&self) -> Option<Fragment> {
        let args = self.position.as_ref()?;
        let mut after: Option<Fragment> = None;
        for (term, arg) in self.terms.iter().zip(args).rev() {
            let sign = match (term.descending, &after) {
                (true, None) => "<=",
                (false, None) => ">=",
                (true, Some(_)) => "<",
                (false, Some(_)) => ">",
            };
            let further =
                Fragment::of(format!("{} {sign} ", term.sql)).then(term.wrap.of(arg.clone()));
            after = Some(match after {
                None => further,
                Some(inner) => {
                    let equal =
                        Fragment::of(format!("{} = ", term.sql)).then(term.wrap.of(arg.clone()));
                    Fragment::any(vec![further, Fragment::all(vec![equal, inner])])
                }
            });
        }
        after
    }

    pub(super) fn sql(&self) -> String {
        self.terms
            .iter()
            .enumerate()
            .map(|(i, term)| {
                format!(
                    "{}{}{}",
                    if i == 0 { " ORDER BY " } else { ", " },
                    term.sql,
                    if term.descending { " DESC" } else { "" }
                )
            })
            .collect()
    }
}
