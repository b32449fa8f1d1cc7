//! Records out of a PostgreSQL, MySQL or SQLite database.

mod address;
mod batch;
mod binding;
mod codec;
mod database;
mod encode;
mod error;
pub mod inspection;
mod live;
mod mysql;
mod narrow;
mod operand;
mod order;
mod plan;
mod pool;
mod position;
mod postgres;
pub mod settings;
mod sqlite;
mod statement;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::Cursor;
use super::Records;
use super::SourceError;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::policy::decision::Permit;
use crate::registry::Registry;
use crate::registry::extract::value_of;
use crate::registry::field::Field;
use crate::registry::filter::Expr;
use crate::registry::query::Order;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;
use crate::source::reading::Reading;
use binding::Binding;
use binding::Place;
use database::Database;
use inspection::Inspection;
use inspection::Misfits;
use live::LiveColumn;
use live::Uniqueness;
pub(super) use plan::Ask;
use plan::Plan;
pub use position::ForeignPosition;
pub use position::Position;

use settings::RecordSettings;
use settings::SqlSettings;
use settings::Table;
use settings::UniqueBy;

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

/// One database, with the connections to it. Outlives reloads of the registry.
#[derive(Debug, Clone)]
pub struct SqlSource(Arc<Database>);

/// The records of one database, read by the schemas of one registry revision.
#[derive(Debug)]
pub struct SqlBindings {
    database: Arc<Database>,
    records: BTreeMap<RecordType, Bound>,
}

/// A record type whose mapping is settled when its table can first be looked at.
#[derive(Debug)]
struct Bound {
    schema: Arc<RecordSchema>,
    /// The index into the settings.
    number: usize,
    table: Table,
    settled: OnceCell<Result<Arc<Binding>, Vec<String>>>,
}

/// A mapping that does not fit the live table; the faults were reported at the start, or the table has changed since.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct MappingError(String);

/// A record type's records, whole, batch by batch. Rows that are no records are noted, and do not end it.
pub struct Scan {
    reading: Reading,
    inspection: Arc<Inspection>,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scan")
    }
}

impl Scan {
    /// The next records, each encoded; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        self.reading.next().await
    }

    /// The rows that were no records so far.
    pub fn misfits(&self) -> Misfits {
        self.inspection.misfits()
    }
}

impl SqlSource {
    /// Prepares the connections, and opens none. The error does not show the URL, which may hold a password.
    /// Must be called within a Tokio runtime.
    pub fn open(settings: SqlSettings, url: &str) -> Result<Self, Fault> {
        Ok(Self(Arc::new(Database::open(settings, url)?)))
    }

    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Ties the settings to the schemas of a registry revision. The database is not asked yet.
    pub fn bind(&self, registry: &Registry) -> Result<SqlBindings, Vec<Fault>> {
        let (mut records, mut faults) = (BTreeMap::new(), Vec::new());
        for (number, settings) in self.0.settings.record.iter().enumerate() {
            match registry.record(settings.record.as_str()) {
                Ok(schema) => {
                    faults.extend(self.0.misnamed(number, settings, schema));
                    let bound = Bound::new(schema, number, settings);
                    if records.insert(settings.record.clone(), bound).is_some() {
                        let message = format!("{} is mapped twice", settings.record);
                        faults.push(self.0.fault(number, "type", message));
                    }
                }
                Err(unknown) => faults.push(self.0.fault(number, "type", unknown.to_string())),
            }
        }
        if faults.is_empty() {
            let database = Arc::clone(&self.0);
            Ok(SqlBindings { database, records })
        } else {
            Err(faults)
        }
    }
}

impl Bound {
    fn new(schema: &Arc<RecordSchema>, number: usize, settings: &RecordSettings) -> Self {
        let default = || {
            // The name of a message is an identifier; one of more than 63 characters needs its table named.
            let name = schema.descriptor().name().to_lowercase();
            name.parse::<Table>().ok()
        };
        Self {
            schema: Arc::clone(schema),
            number,
            table: settings
                .table
                .clone()
                .or_else(default)
                .unwrap_or_else(Table::unnamed),
            settled: OnceCell::new(),
        }
    }

    /// What was wrong stays wrong until the next reload; a database that could not be asked is asked again.
    async fn settled(
        &self,
        database: &Database,
    ) -> Result<&Result<Arc<Binding>, Vec<String>>, SourceError> {
        self.settled
            .get_or_try_init(|| async {
                let unread = |error| match error {
                    SourceError::Failed(cause) => Ok(vec![format!(
                        "table `{}` cannot be read: {cause}",
                        self.table
                    )]),
                    error => Err(error),
                };
                let live = match database.columns(&self.table).await {
                    Ok(live) => live,
                    Err(error) => return unread(error).map(Err),
                };
                let binding = match self.settle(database, &live) {
                    Ok(binding) => Arc::new(binding),
                    Err(faults) => return Ok(Err(faults)),
                };
                match database.probe(Plan::probe(&binding)).await {
                    Ok(()) => Ok(Ok(binding)),
                    Err(error) => unread(error).map(Err),
                }
            })
            .await
    }

    fn settle(&self, database: &Database, live: &[LiveColumn]) -> Result<Binding, Vec<String>> {
        let Some(settings) = database.settings.record.get(self.number) else {
            return Err(Vec::new());
        };
        let dialect = database.dialect();
        let binding = Binding::settle(&self.schema, dialect, settings, &self.table, live)?;
        let key = self.schema.key().path();
        let Some(Place::Column(column)) = binding.place(key) else {
            return Err(vec![format!(
                "the key `{key}` has no column; name it under `columns`"
            )]);
        };
        if column.uniqueness == Uniqueness::Nothing && settings.unique == UniqueBy::Index {
            return Err(vec![format!(
                "nothing keeps the key `{key}` unique in table `{}`, so records could be lost or mistaken: make its column `{}` the primary key or give it a unique index of its own; for a view or a table that cannot have one, write `unique = \"declared\"` and have `landbridge source check` count",
                self.table, column.name
            )]);
        }
        Ok(binding)
    }
}

impl SqlBindings {
    /// The source's name in the settings.
    pub fn name(&self) -> &str {
        &self.database.settings.name
    }

    /// The record types that this source has.
    pub fn records(&self) -> impl Iterator<Item = &RecordType> {
        self.records.keys()
    }

    /// Compares every mapping with the live tables: each fault with a hint. `file` of the faults is empty.
    ///
    /// # Errors
    ///
    /// When the database cannot be asked; that is no fault of the settings, and `fetch` will ask again.
    pub async fn check(&self) -> Result<Vec<Fault>, SourceError> {
        let mut faults = Vec::new();
        for bound in self.records.values() {
            if let Err(messages) = bound.settled(&self.database).await? {
                faults.extend(messages.iter().map(|message| {
                    self.database
                        .fault(bound.number, "columns", message.clone())
                }));
            }
        }
        Ok(faults)
    }

    /// The first field of which the expression asks an order that its texts do not have in this database; `None` too where
    /// the database could not be asked yet, whose gateway then refuses the question.
    pub(super) fn unordered(&self, record: &RecordType, expr: &Expr) -> Option<FieldPath> {
        let settled = self.records.get(record)?.settled.get()?;
        settled.as_ref().ok()?.unordered(expr)
    }

    /// What fits the live tables today and may not fit one day, as far as `check` has looked at them. `file` is empty.
    pub fn warnings(&self) -> Vec<Fault> {
        let settled = self.records.values().filter_map(|bound| {
            let binding = bound.settled.get()?.as_ref().ok()?;
            Some((bound.number, binding))
        });
        settled
            .flat_map(|(number, binding)| {
                let warnings = binding.warnings.iter();
                warnings.map(move |warning| self.database.fault(number, "columns", warning.clone()))
            })
            .collect()
    }

    /// Begins an answer: for a key its record is read at once, for a query nothing is read before it is asked for.
    ///
    /// The database is asked for no more than may pass the permit's gate, which the caller must still apply.
    /// `after` resumes after a position of the same question.
    pub async fn fetch(
        &self,
        permit: Permit,
        after: Option<Position>,
    ) -> Result<Records, SourceError> {
        let ask = Ask::of(&permit, after);
        let reading = self.read(permit.query().schema.name(), &ask).await?;
        drop(ask);
        Ok(Records::new(permit, Cursor::Own(reading)))
    }

    /// Begins to read every record with every field, for those who keep the source: no permit is behind it. Where no index
    /// keeps the key unique, rows come in its order, so that each key that is there again is noticed.
    pub async fn scan(&self, schema: &RecordSchema) -> Result<Scan, SourceError> {
        let fields = schema.leaves();
        let binding = self.settled(schema.name()).await?;
        let is_proven = matches!(
            binding.place(schema.key().path()),
            Some(Place::Column(column)) if column.uniqueness != Uniqueness::Nothing
        );
        let by_key = Order {
            field: schema.key().clone(),
            descending: false,
        };
        let ask = Ask {
            wanted: fields.iter().map(|field| field.path()).collect(),
            key: None,
            gate: None,
            order: if is_proven { Vec::new() } else { vec![by_key] },
            after: None,
            limit: u32::MAX,
        };
        let plan = Plan::of(binding, &ask)?;
        let inspection = Arc::new(Inspection::default());
        let reading = match plan {
            None => Reading::done(Vec::new()),
            Some(plan) => self.database.read(Plan {
                inspection: Some(Arc::clone(&inspection)),
                ..plan
            }),
        };
        Ok(Scan {
            reading,
            inspection,
        })
    }

    /// The latest value of the field that tells how fresh a record type's records are; `None` where the settings name none,
    /// or no record states one.
    pub(super) async fn newest(
        &self,
        schema: &RecordSchema,
    ) -> Result<Option<Literal>, SourceError> {
        let bound = self.records.get(schema.name());
        let settings = bound.and_then(|bound| self.database.settings.record.get(bound.number));
        let path = settings.and_then(|settings| settings.freshness.as_deref());
        let Some(field) = path.and_then(|path| schema.field(path).ok()) else {
            return Ok(None);
        };
        let by = |field: &Field, descending| Order {
            field: field.clone(),
            descending,
        };
        let ask = Ask {
            wanted: vec![field.path()],
            key: None,
            gate: None,
            order: vec![by(&field, true), by(schema.key(), false)],
            after: None,
            limit: 1,
        };
        let first = self.read(schema.name(), &ask).await?.next().await?;
        let first = first.and_then(|batch| batch.into_iter().next());
        first.map_or(Ok(None), |record| Ok(value_of(&record, &field)?))
    }

    async fn read(&self, record: &RecordType, ask: &Ask<'_>) -> Result<Reading, SourceError> {
        let binding = self.settled(record).await?;
        let plan = Plan::of(binding, ask)?;
        match plan {
            None => Ok(Reading::done(Vec::new())),
            Some(plan) if ask.key.is_some() => self.database.get(plan).await,
            Some(plan) => Ok(self.database.read(plan)),
        }
    }

    async fn settled(&self, record: &RecordType) -> Result<&Arc<Binding>, SourceError> {
        let failed = |message: String| SourceError::Failed(Box::new(MappingError(message)));
        let Some(bound) = self.records.get(record) else {
            let names = self.records.keys().map(RecordType::as_str);
            let suggestion = nearest(record.as_str(), names)
                .map(|name| format!(", though it has {name}"))
                .unwrap_or_default();
            return Err(failed(format!("the source has no {record}{suggestion}")));
        };
        match bound.settled(&self.database).await? {
            Ok(binding) => Ok(binding),
            Err(faults) => Err(failed(faults.join("; "))),
        }
    }
}
