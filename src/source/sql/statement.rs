//! Pieces of SQL in which every value is bound: text comes from the gateway and from checked identifiers only.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::Dialect;
use super::settings::Identifier;
use super::settings::Table;

/// A value for a placeholder. Holds personal data: no `Debug`.
#[derive(Clone)]
pub(super) enum Arg {
    Text(Arc<str>),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    Boolean(bool),
    Data(Bytes),
}

#[derive(Clone)]
enum Piece {
    Text(String),
    Arg(Arg),
}

/// A piece of a statement with its values.
#[derive(Clone, Default)]
pub(super) struct Fragment(Vec<Piece>);

impl Fragment {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    pub(super) fn sql(mut self, text: &str) -> Self {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
        self
    }

    pub(super) fn arg(mut self, arg: Arg) -> Self {
        self.0.push(Piece::Arg(arg));
        self
    }

    pub(super) fn then(mut self, other: Self) -> Self {
        for piece in other.0 {
            self = match piece {
                Piece::Text(text) => self.sql(&text),
                Piece::Arg(arg) => self.arg(arg),
            };
        }
        self
    }

    pub(super) fn all(terms: Vec<Self>) -> Self {
        Self::joined(terms, " AND ").unwrap_or_else(|| Self::of("1 = 1"))
    }

    pub(super) fn any(terms: Vec<Self>) -> Self {
        Self::joined(terms, " OR ").unwrap_or_else(|| Self::of("1 = 0"))
    }

    /// Joins as a balanced tree: SQLite refuses an expression that is nested a thousand deep, and reads a long chain
    /// as one.
    fn joined(mut terms: Vec<Self>, operator: &str) -> Option<Self> {
        if terms.len() <= 1 {
            return terms.pop();
        }
        let right = terms.split_off(terms.len() / 2);
        let left = Self::joined(terms, operator)?;
        let right = Self::joined(right, operator)?;
        Some(Self::of("(").then(left).sql(operator).then(right).sql(")"))
    }

    /// `(?, ?, …)`, each value within `wrap`.
    pub(super) fn list(args: impl IntoIterator<Item = Arg>, wrap: &Wrap) -> Self {
        let mut list = Self::of("(");
        for (i, arg) in args.into_iter().enumerate() {
            list = list.sql(if i == 0 { "" } else { ", " }).then(wrap.of(arg));
        }
        list.sql(")")
    }

    /// The statement's text with the dialect's placeholders, and its values in their order.
    pub(super) fn render(self, dialect: Dialect) -> (String, Vec<Arg>) {
        let (mut sql, mut args) = (String::with_capacity(256), Vec::new());
        for piece in self.0 {
            match piece {
                Piece::Text(text) => sql.push_str(&text),
                Piece::Arg(arg) => {
                    args.push(arg);
                    match dialect {
                        // Writing to a String cannot fail.
                        Dialect::Postgres => _ = write!(sql, "${}", args.len()),
                        Dialect::MySql | Dialect::Sqlite => sql.push('?'),
                    }
                }
            }
        }
        (sql, args)
    }
}

/// What stands around a placeholder, such as a cast.
#[derive(Clone)]
pub(super) struct Wrap(Cow<'static, str>, Cow<'static, str>);

impl Wrap {
    pub(super) const NONE: Self = Self::new("", "");

    pub(super) const fn new(before: &'static str, after: &'static str) -> Self {
        Self(Cow::Borrowed(before), Cow::Borrowed(after))
    }

    /// A text in the character set of a MySQL column, to be compared by the column's collation: left to itself the
    /// server refuses to compare, or does not use the index, where a text has characters that the column cannot hold.
    pub(super) fn collated(charset: &Identifier, collation: &Identifier) -> Self {
        let after = format!(" USING {charset}) COLLATE {collation}");
        Self("CONVERT(".into(), after.into())
    }

    pub(super) fn of(&self, arg: Arg) -> Fragment {
        Fragment::of(&*self.0).arg(arg).sql(&self.1)
    }

    fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn around(&self, sql: &str) -> String {
        format!("{}{sql}{}", self.0, self.1)
    }
}

/// Quotes a name. Identifiers hold no quotes, so nothing needs escaping.
pub(super) fn quoted(dialect: Dialect, name: &Identifier) -> String {
    match dialect {
        Dialect::Postgres | Dialect::Sqlite => format!("\"{name}\""),
        Dialect::MySql => format!("`{name}`"),
    }
}

pub(super) fn quoted_table(dialect: Dialect, table: &Table) -> String {
    let name = quoted(dialect, &table.name);
    match &table.schema {
        Some(schema) => format!("{}.{name}", quoted(dialect, schema)),
        None => name,
    }
}

impl Dialect {
    /// Whether the text begins with the value, byte by byte.
    pub(super) fn begins(self, bytes: &str, wrap: &Wrap, prefix: Arg) -> Fragment {
        match self {
            Self::Postgres if !wrap.is_none() => {
                // Of a database that is not in UTF-8: bytes against bytes.
                let prefix = wrap.of(prefix);
                Fragment::of(format!("substr({bytes}, 1, length("))
                    .then(prefix.clone())
                    .sql(")) = ")
                    .then(prefix)
            }
            Self::Postgres => Fragment::of(format!("starts_with({bytes}, "))
                .arg(prefix)
                .sql(")"),
            Self::MySql => Fragment::of(format!("LEFT({bytes}, LENGTH("))
                .arg(prefix.clone())
                .sql(")) = CAST(")
                .arg(prefix)
                .sql(" AS BINARY)"),
            Self::Sqlite => Fragment::of(format!("substr({bytes}, 1, length("))
                .arg(prefix.clone())
                .sql(")) = ")
                .arg(prefix),
        }
    }
}
