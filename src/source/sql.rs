//! Records out of a PostgreSQL, MySQL or SQLite database.

mod binding;
mod codec;
mod encode;
mod error;
mod live;
mod mysql;
mod narrow;
mod operand;
mod order;
mod plan;
mod position;
mod postgres;
mod reading;
pub mod settings;
mod sqlite;
mod statement;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::MySqlPool;
use sqlx::PgPool;
use sqlx::SqlitePool;
use tokio::sync::OnceCell;

use super::Cursor;
use super::Records;
use super::SourceError;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::name::RecordType;
use crate::policy::decision::Permit;
use crate::registry::Registry;
use crate::registry::schema::RecordSchema;
use binding::Binding;
use binding::Place;
use error::judge;
use live::LiveColumn;
use plan::Ask;
use plan::Plan;
pub use position::ForeignPosition;
pub use position::Position;
pub(super) use reading::Reading;
use settings::RecordSettings;
use settings::SqlSettings;
use settings::Table;

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

#[derive(Debug)]
struct Database {
    settings: SqlSettings,
    pool: Pool,
}

#[derive(Debug)]
enum Pool {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqlitePool),
}

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
struct Unsettled(String);

impl SqlSource {
    /// Prepares the connections, and opens none. The error does not show the URL, which may hold a password.
    /// Must be called within a Tokio runtime.
    pub fn open(settings: SqlSettings, url: &str) -> Result<Self, Fault> {
        let scheme = url.split(':').next().unwrap_or_default();
        let bad = |message: &str| Fault {
            file: String::new(),
            line: 0,
            column: 0,
            key: format!("source[{}].url", settings.name),
            message: message.to_owned(),
        };
        let malformed = |_| bad("this is not a database URL such as `postgres://reader@host/name`");
        let pool = match scheme {
            "postgres" | "postgresql" => {
                Pool::Postgres(postgres::pool(url, &settings).map_err(malformed)?)
            }
            "mysql" | "mariadb" => Pool::MySql(mysql::pool(url, &settings).map_err(malformed)?),
            "sqlite" => Pool::Sqlite(sqlite::pool(url, &settings).map_err(malformed)?),
            _ => {
                return Err(bad(
                    "a source's URL begins with `postgres:`, `mysql:`, `mariadb:` or `sqlite:`",
                ));
            }
        };
        Ok(Self(Arc::new(Database { settings, pool })))
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

impl Database {
    fn fault(&self, record: usize, key: &str, message: String) -> Fault {
        Fault {
            file: String::new(),
            line: 0,
            column: 0,
            key: format!("source[{}].record[{record}].{key}", self.settings.name),
            message,
        }
    }

    /// The mapping's names that are no fields.
    fn misnamed(&self, number: usize, of: &RecordSettings, schema: &RecordSchema) -> Vec<Fault> {
        let columns = of.columns.keys().map(|path| ("columns", path));
        let absent = of.absent.iter().map(|path| ("absent", path));
        columns
            .chain(absent)
            .filter_map(|(key, path)| {
                let unknown = schema.field(path).err()?;
                Some(self.fault(number, key, unknown.to_string()))
            })
            .collect()
    }

    fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::MySql(_) => Dialect::MySql,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    fn patience(&self) -> Duration {
        self.settings.statement_timeout
    }

    async fn columns(&self, table: &Table) -> Result<Vec<LiveColumn>, SourceError> {
        let columns = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::columns(pool, table).await,
                Pool::MySql(pool) => mysql::columns(pool, table).await,
                Pool::Sqlite(pool) => sqlite::columns(pool, table).await,
            }
        };
        self.in_time(columns).await
    }

    async fn probe(&self, sql: String) -> Result<(), SourceError> {
        let probe = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::probe(pool, sql).await,
                Pool::MySql(pool) => mysql::probe(pool, sql).await,
                Pool::Sqlite(pool) => sqlite::probe(pool, sql).await,
            }
        };
        self.in_time(probe).await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, SourceError> {
        let patience = self.patience();
        match tokio::time::timeout(patience, work).await {
            Ok(outcome) => outcome.map_err(|error| judge(error, patience)),
            Err(_) => Err(SourceError::Timeout(patience)),
        }
    }

    /// Reads at once the record of a key. A connection may have died in the pool: what failed for want of one is tried
    /// once more.
    async fn get(&self, plan: &Plan) -> Result<Reading, SourceError> {
        let mut read = self.get_once(plan).await;
        if matches!(read, Err(SourceError::Unavailable(_))) {
            read = self.get_once(plan).await;
        }
        let mut batch = read?;
        if batch.len() > 1 {
            let schema = &plan.binding.schema;
            return Err(SourceError::Misfit(format!(
                "{}: several rows have the same `{}`",
                schema.name(),
                schema.key().path()
            )));
        }
        Ok(Reading::done(batch.take()))
    }

    async fn get_once(&self, plan: &Plan) -> Result<reading::Batch, SourceError> {
        let patience = self.patience();
        let read = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::get(pool, plan, patience).await,
                Pool::MySql(pool) => mysql::get(pool, plan, patience).await,
                Pool::Sqlite(pool) => sqlite::get(pool, plan, patience).await,
            }
        };
        match tokio::time::timeout(patience, read).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SourceError::Timeout(patience)),
        }
    }

    fn read(&self, plan: Plan) -> Reading {
        let (patience, lifetime) = (self.patience(), self.settings.answer_timeout);
        match &self.pool {
            Pool::Postgres(pool) => {
                let pool = pool.clone();
                Reading::new(patience, lifetime, |outlet| {
                    postgres::drive(pool, plan, outlet, patience)
                })
            }
            Pool::MySql(pool) => {
                let pool = pool.clone();
                Reading::new(patience, lifetime, |outlet| {
                    mysql::drive(pool, plan, outlet, patience)
                })
            }
            Pool::Sqlite(pool) => {
                let pool = pool.clone();
                Reading::new(patience, lifetime, |outlet| {
                    sqlite::drive(pool, plan, outlet, patience)
                })
            }
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
                let live = database.columns(&self.table).await?;
                let binding = match self.settle(database, &live) {
                    Ok(binding) => binding,
                    Err(faults) => return Ok(Err(faults)),
                };
                match database.probe(Plan::probe(&binding)).await {
                    Ok(()) => Ok(Ok(Arc::new(binding))),
                    Err(SourceError::Failed(cause)) => Ok(Err(vec![format!(
                        "table `{}` cannot be read: {cause}",
                        self.table
                    )])),
                    Err(error) => Err(error),
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
        match binding.place(self.schema.key().path()) {
            Some(Place::Column(_)) => Ok(binding),
            _ => Err(vec![format!(
                "the key `{}` has no column; name it under `columns`",
                self.schema.key().path()
            )]),
        }
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

    /// Compares every mapping with the live tables: each fault with its mend. `file` of the faults is empty.
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

    /// Begins an answer: for a key its record is read at once, for a query nothing is read before it is asked for.
    ///
    /// The database is asked for no more than may pass the permit's gate, which the caller must still apply.
    /// `after` resumes behind a position of the same question.
    pub async fn fetch(
        &self,
        permit: Permit,
        after: Option<Position>,
    ) -> Result<Records, SourceError> {
        let ask = Ask::of(&permit, after);
        let reading = self.read(permit.query().schema.name(), &ask).await?;
        drop(ask);
        Ok(Records::new(permit, Cursor::Sql(reading)))
    }

    async fn read(&self, record: &RecordType, ask: &Ask<'_>) -> Result<Reading, SourceError> {
        let failed = |message: String| SourceError::Failed(Box::new(Unsettled(message)));
        let Some(bound) = self.records.get(record) else {
            let names = self.records.keys().map(RecordType::as_str);
            let suggestion = nearest(record.as_str(), names)
                .map(|name| format!(", though it has {name}"))
                .unwrap_or_default();
            return Err(failed(format!("the source has no {record}{suggestion}")));
        };
        let binding = match bound.settled(&self.database).await? {
            Ok(binding) => binding,
            Err(faults) => return Err(failed(faults.join("; "))),
        };
        let plan = Plan::of(binding, ask).map_err(|e| SourceError::Failed(Box::new(e)))?;
        match plan {
            None => Ok(Reading::done(Vec::new())),
            Some(plan) if ask.key.is_some() => self.database.get(&plan).await,
            Some(plan) => Ok(self.database.read(plan)),
        }
    }
}
