//! One question as one SELECT: only the columns that are needed, only the rows that may pass the gate.

use std::sync::Arc;

use super::Dialect;
use super::binding::Binding;
use super::binding::Column;
use super::binding::Node;
use super::codec::Codec;
use super::inspection::Inspection;
use super::operand::date_text;
use super::operand::rendered;
use super::order::Line;
use super::position::Position;
use super::position::order_of;
use super::statement::Arg;
use super::statement::Fragment;
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
    pub(super) nodes: Vec<Node>,
    pub(super) binding: Arc<Binding>,
    /// Rows of one key come one after the other, with their key.
    pub(super) keeps_keys_together: bool,
    /// The key of the record behind which the answer goes on.
    pub(super) behind: Option<Literal>,
    /// In which order its records must come.
    pub(super) line: Option<Line>,
    /// Where rows that are no records are noted, for a reading that goes on behind them.
    pub(super) inspection: Option<Arc<Inspection>>,
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
        let conditions: Vec<Fragment> =
            conditions.into_iter().chain(ordering.condition()).collect();

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
        Ok(Some(Self {
            sql,
            args,
            nodes,
            keeps_keys_together: has_key && (ask.key.is_some() || !ask.order.is_empty()),
            behind: ask
                .after
                .as_ref()
                .and_then(|at| at.values().last().cloned()),
            line: Line::of(&ask.order),
            inspection: None,
            binding: Arc::clone(binding),
        }))
    }

    /// A statement that reads every column and no row: what it needs, every other statement may do.
    pub(super) fn probe(binding: &Binding) -> String {
        let (_, columns) = binding.select(&binding.paths());
        format!(
            "SELECT {} FROM {} WHERE 1 = 0",
            select_list(binding.dialect, &columns),
            quoted_table(binding.dialect, &binding.table)
        )
    }
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

fn select_list(dialect: Dialect, columns: &[Arc<Column>]) -> String {
    let reads: Vec<String> = columns.iter().map(|column| read(dialect, column)).collect();
    reads.join(", ")
}

fn read(dialect: Dialect, column: &Column) -> String {
    let name = quoted(dialect, &column.name);
    match (&column.codec, dialect) {
        (Codec::Rendered | Codec::Decimal | Codec::Uuid | Codec::EnumName(true), _) => {
            rendered(dialect, &name)
        }
        (Codec::List(element), Dialect::Postgres) if is_rendered(element) => {
            format!("CAST({name} AS text[])")
        }
        (Codec::Date, Dialect::MySql) => date_text(dialect, &name),
        // A BIT is no number by itself.
        (Codec::Boolean, Dialect::MySql) => format!("({name} + 0)"),
        _ => name,
    }
}

fn is_rendered(codec: &Codec) -> bool {
    matches!(
        codec,
        Codec::Rendered | Codec::Decimal | Codec::Uuid | Codec::EnumName(true)
    )
}
