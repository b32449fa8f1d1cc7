//! The order in which records come, in which every record has one place: what was asked, then the key.

use prost_reflect::Kind;

use super::Dialect;
use super::binding::Binding;
use super::binding::Place;
use super::codec::Codec;
use super::live::Uniqueness;
use super::operand;
use super::operand::Operand;
use super::position::Position;
use super::statement::Arg;
use super::statement::Fragment;
use super::statement::Wrap;
use super::statement::quoted;
use crate::registry::field::Field;
use crate::registry::query::Order;
use crate::registry::value::Literal;

/// A field by which this source cannot order records.
#[derive(Debug, thiserror::Error)]
#[error("records cannot be ordered by `{0}`: its column does not sort as the field's values do")]
pub(super) struct Unordered(String);

/// One expression of ORDER BY; never NULL, save for the key, which every record has.
struct Term {
    sql: String,
    wrap: Wrap,
    descending: bool,
}

/// ORDER BY, and what resumes behind a position.
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
    ) -> Result<Ordering, Unordered> {
        let mut terms = Vec::new();
        let mut position = Vec::new();
        for (i, by) in order.iter().enumerate() {
            let unordered = || Unordered(by.field.path().to_string());
            let place = self.place(by.field.path()).ok_or_else(unordered)?;
            let term = self.term(by, place).ok_or_else(unordered)?;
            if let Some(value) = after.and_then(|position| position.values().get(i)) {
                position.push(self.value(&by.field, place, value).ok_or_else(unordered)?);
            }
            terms.push(term);
        }
        let position = after.map(|_| position);
        Ok(Ordering { terms, position })
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
                    let text = format!("rtrim(rtrim({name}, 'Z'), '0')");
                    return Some(term(
                        format!("COALESCE({text}, '1970-01-01T00:00:')"),
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
            Operand::Text { bytes, wrap, .. } => term(format!("COALESCE({bytes}, '')"), wrap),
            Operand::Value { sql, wrap } if is_key => term(sql, wrap),
            Operand::Value { sql, wrap } => {
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
        (Kind::String, _) => return None,
        _ => "0".to_owned(),
    })
}

impl Ordering {
    /// What lies at the position or behind it: greater in the first term, or equal in it and so on in those that follow.
    /// The record at the position has been sent; that there is no second one, its reader sees.
    pub(super) fn condition(&self) -> Option<Fragment> {
        let args = self.position.as_ref()?;
        let mut behind: Option<Fragment> = None;
        for (term, arg) in self.terms.iter().zip(args).rev() {
            let sign = match (term.descending, &behind) {
                (true, None) => "<=",
                (false, None) => ">=",
                (true, Some(_)) => "<",
                (false, Some(_)) => ">",
            };
            let further =
                Fragment::of(format!("{} {sign} ", term.sql)).then(term.wrap.of(arg.clone()));
            behind = Some(match behind {
                None => further,
                Some(inner) => {
                    let equal =
                        Fragment::of(format!("{} = ", term.sql)).then(term.wrap.of(arg.clone()));
                    Fragment::any(vec![further, Fragment::all(vec![equal, inner])])
                }
            });
        }
        behind
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
