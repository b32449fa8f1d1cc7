//! One question as one SELECT: only the columns that are needed, only the rows that may pass the gate.

use std::sync::Arc;

use super::Dialect;
use super::binding::Binding;
use super::binding::Column;
use super::binding::Node;
use super::codec::Codec;
use super::inspection::Inspection;
use super::mysql;
use super::operand::date_text;
use super::operand::rendered;
use super::order::Line;
use super::position::Position;
use super::position::order_of;
use super::settings::Identifier;
use super::statement::Arg;
use super::statement::Fragment;
use super::statement::quote;
use super::statement::quoted;
use super::statement::quoted_table;
use crate::name::FieldPath;
use crate::policy::decision::Permit;
use crate::registry::filter::Expr;
use crate::registry::filter::Filter;
use crate::registry::filter::Op;
use crate::registry::query::Order;
use crate::registry::query::Selection;
use crate::registry::value::Literal;
use crate::source::SourceError;

/// What a source must know of a permitted question.
pub(in crate::source) struct Ask<'p> {
    pub(in crate::source) wanted: Vec<&'p FieldPath>,
    pub(in crate::source) key: Option<&'p Literal>,
    pub(super) gate: Option<&'p Expr>,
    /// Empty, or ending with the key.
    pub(in crate::source) order: Vec<Order>,
    pub(in crate::source) after: Option<Position>,
    /// The most records that the caller will send.
    pub(super) limit: u32,
}

/// A statement with its values, and how its rows become records.
pub(super) struct Plan {
    pub(super) sql: String,
    pub(super) args: Vec<Arg>,
    /// The columns that its answer must have.
    pub(super) outputs: Vec<Arc<Output>>,
    pub(super) nodes: Vec<Node>,
    pub(super) binding: Arc<Binding>,
    /// Rows of one key come one after the other, with their key.
    pub(super) keeps_keys_together: bool,
    /// The key of the record after which the answer goes on.
    pub(super) resume_key: Option<Literal>,
    /// In which order its records must come.
    pub(super) line: Option<Line>,
    /// Where rows that are no records are noted, for a reading that goes on after them.
    pub(super) inspection: Option<Arc<Inspection>>,
    /// The same question with nothing of the gate in it, for a database that cannot hold what the gate compares with.
    pub(super) unnarrowed: Option<Box<Self>>,
}

/// A column of an answer, as it must come back.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) name: String,
    /// Reads its values.
    pub(super) codec: Codec,
}

impl<'p> Ask<'p> {
    pub(in crate::source) fn of(permit: &'p Permit, after: Option<Position>) -> Self {
        let query = permit.query();
        let schema = &query.schema;
        let uses = permit.gate().map(Filter::expr);
        let mut wanted: Vec<&FieldPath> =
            permit.released().iter().map(|r| r.field.path()).collect();
        if let Some(gate) = uses {
            fields_of(gate, &mut wanted);
        }
        let key = match &query.selection {
            Selection::Get { key } => Some(key),
            Selection::Verify { key, claims } => {
                wanted.extend(claims.iter().map(|(field, _)| field.path()));
                Some(key)
            }
            Selection::Query { order, .. } => {
                wanted.extend(order.iter().map(|by| by.field.path()));
                None
            }
            Selection::Count { .. } => None,
        };
        if !matches!(query.selection, Selection::Count { .. }) {
            wanted.push(schema.key().path());
            wanted.extend(schema.subject().map(|subject| subject.path()));
        }
        Self {
            wanted,
            key,
            gate: uses,
            order: order_of(permit).unwrap_or_default(),
            after,
            limit: match query.selection {
                Selection::Count { .. } => u32::MAX,
                _ => permit.limit(),
            },
        }
    }
}

impl Ask<'_> {
    fn without_gate(&self) -> Self {
        Self {
            wanted: self.wanted.clone(),
            key: self.key,
            gate: None,
            order: self.order.clone(),
            after: self.after.clone(),
            limit: u32::MAX,
        }
    }
}

fn fields_of<'e>(expr: &'e Expr, into: &mut Vec<&'e FieldPath>) {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| fields_of(part, into)),
        Expr::Not(inner) => fields_of(inner, into),
        Expr::Compare { field, .. }
        | Expr::In { field, .. }
        | Expr::StartsWith { field, .. }
        | Expr::Has { field } => into.push(field.path()),
        Expr::Constant(_) => {}
    }
}

impl Plan {
    /// `None` where no record can have the key that is asked for.
    pub(super) fn of(binding: &Arc<Binding>, ask: &Ask<'_>) -> Result<Option<Self>, SourceError> {
        if let Some(path) = ask.gate.and_then(|gate| binding.unordered(gate)) {
            return Err(SourceError::Unordered(path));
        }
        let key = [binding.schema.key().path()];
        let (mut nodes, mut columns) = binding.select(&ask.wanted);
        if columns.is_empty() {
            (nodes, columns) = binding.select(&key);
        }
        let (conditions, limit) = match ask.key {
            Some(key) => match binding.keyed(key) {
                Some(condition) => (vec![condition], Some(2)),
                None => return Ok(None),
            },
            None => binding.selected(ask),
        };
        let ordering = binding.ordering(&ask.order, ask.after.as_ref())?;
        let conditions: Vec<Fragment> = guard(binding.dialect)
            .into_iter()
            .chain(conditions)
            .chain(ordering.condition())
            .collect();

        let mut statement = Fragment::of(format!(
            "SELECT {} FROM {}",
            select_list(binding.dialect, &columns),
            quoted_table(binding.dialect, &binding.table)
        ));
        if !conditions.is_empty() {
            statement = statement.sql(" WHERE ").then(Fragment::all(conditions));
        }
        statement = statement.sql(&ordering.sql());
        if let Some(limit) = limit {
            statement = statement.sql(&format!(" LIMIT {limit}"));
        }
        let (sql, args) = statement.render(binding.dialect);
        let has_key = nodes
            .iter()
            .any(|node| matches!(node, Node::Column { column, .. } if column.target.is_key));
        let is_foreign = |arg: &Arg| matches!(arg, Arg::Text(text) if !text.is_ascii());
        let unnarrowed = if binding.dialect == Dialect::Postgres
            && ask.key.is_none()
            && ask.gate.is_some()
            && args.iter().any(is_foreign)
        {
            Self::of(binding, &ask.without_gate())?.map(Box::new)
        } else {
            None
        };
        Ok(Some(Self {
            sql,
            args,
            outputs: outputs(&columns),
            nodes,
            keeps_keys_together: has_key && (ask.key.is_some() || !ask.order.is_empty()),
            resume_key: ask
                .after
                .as_ref()
                .and_then(|at| at.values().last().cloned()),
            line: Line::of(&ask.order),
            inspection: None,
            binding: Arc::clone(binding),
            unnarrowed,
        }))
    }

    /// A statement that reads every column and no row: what it needs, every other statement may do.
    pub(super) fn probe(binding: &Arc<Binding>) -> Self {
        let (nodes, columns) = binding.select(&binding.paths());
        let conditions = guard(binding.dialect)
            .into_iter()
            .chain([Fragment::any(Vec::new())]);
        let statement = Fragment::of(format!(
            "SELECT {} FROM {} WHERE ",
            select_list(binding.dialect, &columns),
            quoted_table(binding.dialect, &binding.table)
        ));
        let statement = statement.then(Fragment::all(conditions.collect()));
        let (sql, args) = statement.render(binding.dialect);
        Self {
            sql,
            args,
            outputs: outputs(&columns),
            nodes,
            keeps_keys_together: false,
            resume_key: None,
            line: None,
            inspection: None,
            binding: Arc::clone(binding),
            unnarrowed: None,
        }
    }
}

impl Output {
    /// What is not read as it stands has a name that no column has, so that ORDER BY means the column.
    pub(super) fn of(dialect: Dialect, name: &Identifier, codec: &Codec) -> Self {
        let mut shown = name.to_string();
        if expression(dialect, name, codec).is_some() {
            // PostgreSQL cuts longer ones.
            shown.truncate(shown.floor_char_boundary(62));
            shown.insert(0, '#');
        }
        Self {
            name: shown,
            codec: codec.clone(),
        }
    }
}

fn outputs(columns: &[Arc<Column>]) -> Vec<Arc<Output>> {
    let outputs = columns.iter().map(|column| &column.output);
    outputs.map(Arc::clone).collect()
}

impl Binding {
    fn keyed(&self, key: &Literal) -> Option<Fragment> {
        let field = self.schema.key().clone();
        let by_key = Expr::Compare {
            field,
            op: Op::Eq,
            value: key.clone(),
        };
        self.narrow(&by_key).condition
    }

    /// One record more than will be sent tells whether there are more, and one that was sent may come again. Where the
    /// gate may refuse rows, their number is not known beforehand.
    fn selected(&self, ask: &Ask<'_>) -> (Vec<Fragment>, Option<u64>) {
        let besides = 1 + u64::from(ask.after.is_some());
        let bounded = (ask.limit != u32::MAX).then(|| u64::from(ask.limit) + besides);
        match ask.gate.map(|expr| self.narrow(expr)) {
            None => (Vec::new(), bounded),
            Some(narrowed) => {
                let limit = bounded.filter(|_| narrowed.exact);
                (narrowed.condition.into_iter().collect(), limit)
            }
        }
    }
}

/// PostgreSQL's transactions bring along what they need, and SQLite's sessions are in this process.
fn guard(dialect: Dialect) -> Option<Fragment> {
    (dialect == Dialect::MySql).then(|| Fragment::of(mysql::GUARD))
}

fn select_list(dialect: Dialect, columns: &[Arc<Column>]) -> String {
    let reads: Vec<String> = columns.iter().map(|column| read(dialect, column)).collect();
    reads.join(", ")
}

fn read(dialect: Dialect, column: &Column) -> String {
    let output = &column.output;
    match expression(dialect, &column.name, &output.codec) {
        Some(expression) => format!("{expression} AS {}", quote(dialect, &output.name)),
        None => quoted(dialect, &column.name),
    }
}

/// `None` where the column is read as it stands.
fn expression(dialect: Dialect, name: &Identifier, codec: &Codec) -> Option<String> {
    let name = quoted(dialect, name);
    match (codec, dialect) {
        (_, Dialect::Sqlite) => None,
        (Codec::Rendered | Codec::Decimal | Codec::Uuid | Codec::EnumName(true), _) => {
            Some(rendered(dialect, &name))
        }
        (Codec::List(element), Dialect::Postgres) if is_rendered(element) => {
            Some(format!("CAST({name} AS text[])"))
        }
        (Codec::Date, Dialect::MySql) => Some(date_text(dialect, &name)),
        // A BIT is no number by itself.
        (Codec::Boolean, Dialect::MySql) => Some(format!("({name} + 0)")),
        _ => None,
    }
}

fn is_rendered(codec: &Codec) -> bool {
    matches!(
        codec,
        Codec::Rendered | Codec::Decimal | Codec::Uuid | Codec::EnumName(true)
    )
}
