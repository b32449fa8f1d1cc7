//! Which column fills which field of a record type, settled against the live table.

use std::sync::Arc;

use prost_reflect::Kind;

use super::Dialect;
use super::codec;
use super::codec::Codec;
use super::codec::ValueKind;
use super::live::LiveColumn;
use super::live::Uniqueness;
use super::plan::Output;
use super::settings::Identifier;
use super::settings::RecordSettings;
use super::settings::Table;
use crate::fault;
use crate::name::FieldPath;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;

/// A column with the field that it fills.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) field: Field,
    pub(super) target: Target,
    pub(super) name: Identifier,
    pub(super) codec: Codec,
    /// How it comes back in an answer.
    pub(super) output: Arc<Output>,
    pub(super) uniqueness: Uniqueness,
    pub(super) in_utf8: bool,
    /// Of a text of MySQL.
    pub(super) collation: Option<(Identifier, Identifier)>,
    /// A `YEAR` of MySQL, which takes a number that it is compared with for a year: 1 for 2001.
    pub(super) is_year: bool,
}

/// What the encoder must know of a field, taken out of its descriptor once.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) number: u32,
    pub(super) want: ValueKind,
    pub(super) kind: Kind,
    /// The field has presence: a value that is the type's default is written, too.
    pub(super) states_default: bool,
    pub(super) packed: bool,
    /// The field is the record's key, which every record states.
    pub(super) is_key: bool,
    pub(super) is_decimal: bool,
}

/// How one record type is read from one table of one registry revision.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) schema: Arc<RecordSchema>,
    pub(super) dialect: Dialect,
    pub(super) table: Table,
    /// By field number.
    bound: Vec<Bound>,
    /// What fits today and may not fit one day.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
enum Bound {
    Column(Arc<Column>),
    /// A message whose fields have columns of their own.
    Message {
        field: Field,
        fields: Vec<Self>,
    },
}

/// A part of one query's rows: a column of its select list, or a message put together from several.
#[derive(Debug)]
pub(super) enum Node {
    Column { index: usize, column: Arc<Column> },
    Message { number: u32, fields: Vec<Self> },
}

/// Where the value of a field stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'b> {
    Column(&'b Column),
    /// Within the JSON of a column.
    Within(&'b Column),
}

impl Binding {
    /// Settles the mapping, or tells all that is wrong with it.
    pub(super) fn settle(
        schema: &Arc<RecordSchema>,
        dialect: Dialect,
        settings: &RecordSettings,
        table: &Table,
        live: &[LiveColumn],
    ) -> Result<Self, Vec<String>> {
        if live.is_empty() {
            return Err(vec![format!(
                "there is no table `{table}`, or the gateway's role may read none of its columns; name it under `table`, or grant SELECT on it"
            )]);
        }
        let mut settling = SettlingBinding {
            schema,
            dialect,
            settings,
            table,
            live,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        let bound = settling.fields(None);
        if settling.faults.is_empty() {
            Ok(Self {
                schema: Arc::clone(schema),
                dialect,
                table: table.clone(),
                bound,
                warnings: settling.warnings,
            })
        } else {
            Err(settling.faults)
        }
    }

    /// The nodes that hold the wanted fields, and their columns in the order of the select list.
    pub(super) fn select(&self, wanted: &[&FieldPath]) -> (Vec<Node>, Vec<Arc<Column>>) {
        let mut columns = Vec::new();
        let nodes = select(&self.bound, wanted, &mut columns);
        (nodes, columns)
    }

    /// The paths of all columns.
    pub(super) fn paths(&self) -> Vec<&FieldPath> {
        let parts = self.bound.iter();
        parts
            .map(|part| match part {
                Bound::Column(column) => column.field.path(),
                Bound::Message { field, .. } => field.path(),
            })
            .collect()
    }

    /// Where the value of a field stands; `None` for a message that is spread over columns, and for an absent field.
    pub(super) fn place(&self, path: &FieldPath) -> Option<Place<'_>> {
        place(&self.bound, path)
    }
}

fn select(bound: &[Bound], wanted: &[&FieldPath], columns: &mut Vec<Arc<Column>>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for part in bound {
        match part {
            Bound::Column(column) => {
                let path = column.field.path();
                if wanted.iter().any(|w| w.within(path) || path.within(w)) {
                    nodes.push(Node::Column {
                        index: columns.len(),
                        column: Arc::clone(column),
                    });
                    columns.push(Arc::clone(column));
                }
            }
            Bound::Message { field, fields } => {
                let fields = select(fields, wanted, columns);
                if !fields.is_empty() {
                    nodes.push(Node::Message {
                        number: field.descriptor().number(),
                        fields,
                    });
                }
            }
        }
    }
    nodes
}

fn place<'b>(bound: &'b [Bound], path: &FieldPath) -> Option<Place<'b>> {
    bound.iter().find_map(|part| match part {
        Bound::Column(column) if column.field.path() == path => Some(Place::Column(column)),
        Bound::Column(column) if path.within(column.field.path()) => Some(Place::Within(column)),
        Bound::Column(_) => None,
        Bound::Message { field, fields } => path
            .within(field.path())
            .then(|| place(fields, path))
            .flatten(),
    })
}

struct SettlingBinding<'a> {
    schema: &'a RecordSchema,
    dialect: Dialect,
    settings: &'a RecordSettings,
    table: &'a Table,
    live: &'a [LiveColumn],
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl SettlingBinding<'_> {
    fn fields(&mut self, within: Option<&FieldPath>) -> Vec<Bound> {
        let mut fields = self.schema.fields(within);
        fields.sort_by_key(|field| field.descriptor().number());
        fields
            .into_iter()
            .filter_map(|field| self.field(field))
            .collect()
    }

    fn field(&mut self, field: Field) -> Option<Bound> {
        let path = field.path().clone();
        if self.settings.absent.iter().any(|a| *a == path.as_str()) {
            return None;
        }
        if let Some(name) = self.settings.columns.get(path.as_str()) {
            return self.bind_named(field, name.as_str());
        }
        let default = path.as_str().replace('.', "_");
        if !self.is_divided(&path) && self.live(&default).is_some() {
            return self.bind_named(field, &default);
        }
        let message = ValueKind::of(field.descriptor()) == ValueKind::Json && !field.is_repeated();
        if message && (self.is_divided(&path) || self.has_columns_below(&default)) {
            let fields = self.fields(Some(&path));
            return Some(Bound::Message { field, fields });
        }
        self.report_missing(&path, &default);
        None
    }

    /// Whether the settings speak of fields within the path.
    fn is_divided(&self, path: &FieldPath) -> bool {
        let names = self.settings.columns.keys().chain(&self.settings.absent);
        names
            .filter_map(|name| name.strip_prefix(path.as_str()))
            .any(|rest| rest.starts_with('.'))
    }

    fn has_columns_below(&self, default: &str) -> bool {
        let prefix = format!("{default}_");
        self.live.iter().any(|column| {
            column
                .name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(&prefix))
        })
    }

    fn live(&self, name: &str) -> Option<&LiveColumn> {
        self.live
            .iter()
            .find(|column| column.is_called(name, self.dialect))
    }

    fn bind_named(&mut self, field: Field, name: &str) -> Option<Bound> {
        let Some(column) = self.live(name) else {
            self.report_missing(field.path(), name);
            return None;
        };
        let Ok(identifier) = column.name.parse::<Identifier>() else {
            self.report_missing(field.path(), name);
            return None;
        };
        let chosen = codec::choose(self.dialect, column, field.descriptor());
        let (uniqueness, in_utf8) = (column.uniqueness, column.in_utf8);
        let shown = column.shown.clone();
        let collation = column.collation.clone();
        let is_year = self.dialect == Dialect::MySql && column.kind == "year";
        let descriptor = field.descriptor();
        if chosen.is_ok()
            && let Kind::Enum(values) = descriptor.kind()
        {
            let is_lacking = |label: &&String| values.get_value_by_name(label).is_none();
            let lacking: Vec<_> = column.labels.iter().filter(is_lacking).cloned().collect();
            if !lacking.is_empty() {
                self.warnings.push(format!(
                    "column `{name}` of table `{}` may hold `{}`, which {} does not have: a record with it cannot be read",
                    self.table,
                    lacking.join("`, `"),
                    values.full_name()
                ));
            }
        }
        match chosen {
            Ok(codec) => Some(Bound::Column(Arc::new(Column {
                target: Target {
                    number: descriptor.number(),
                    want: ValueKind::of(descriptor),
                    kind: descriptor.kind(),
                    states_default: descriptor.supports_presence(),
                    packed: descriptor.is_packed(),
                    is_key: field.path() == self.schema.key().path(),
                    is_decimal: field.is_decimal(),
                },
                field,
                output: Arc::new(Output::of(self.dialect, &identifier, &codec)),
                name: identifier,
                codec,
                uniqueness,
                in_utf8,
                collation,
                is_year,
            }))),
            Err(hint) => {
                self.faults.push(format!(
                    "column `{name}` of table `{}` is {shown}, which cannot fill the {} field `{}`: {hint}",
                    self.table,
                    described(&field),
                    field.path(),
                ));
                None
            }
        }
    }

    fn report_missing(&mut self, path: &FieldPath, column: &str) {
        let names = self.live.iter().map(|column| column.name.as_str());
        let suggestion = fault::nearest(column, names)
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        self.faults.push(format!(
            "table `{}` has no column `{column}` for the field `{path}`{suggestion} Name its column under `columns`, or list the field under `absent`",
            self.table,
        ));
    }
}

fn described(field: &Field) -> String {
    let descriptor = field.descriptor();
    let kind = match descriptor.kind() {
        Kind::Message(m) if descriptor.is_map() => return format!("map ({})", m.name()),
        Kind::Message(m) => m.full_name().to_owned(),
        Kind::Enum(e) => e.full_name().to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    if descriptor.is_list() {
        format!("repeated {kind}")
    } else {
        kind
    }
}
