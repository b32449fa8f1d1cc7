//! One database: its connections, and the three ways to work with them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::MySqlPool;
use sqlx::PgPool;

use super::Dialect;
use super::batch::Batch;
use super::error::judge;
use super::live::LiveColumn;
use super::mysql;
use super::plan::Plan;
use super::postgres;
use super::settings::RecordSettings;
use super::settings::SqlSettings;
use super::settings::Table;
use super::sqlite;
use super::sqlite::SqliteFile;
use crate::fault::Fault;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;
use crate::source::SourceError;
use crate::source::reading::Reading;

#[derive(Debug)]
pub(super) struct Database {
    pub(super) settings: SqlSettings,
    pub(super) pool: Pool,
}

#[derive(Debug)]
pub(super) enum Pool {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqliteFile),
}

impl Database {
    pub(super) fn open(settings: SqlSettings, url: &str) -> Result<Self, Fault> {
        let scheme = url.split(':').next().unwrap_or_default();
        let bad =
            |message: &str| Fault::of_setting(format!("source[{}].url", settings.name), message);
        let malformed = |_| bad("this is not a database URL such as `postgres://reader@host/name`");
        let pool = match scheme {
            "postgres" | "postgresql" => {
                Pool::Postgres(postgres::pool(url, &settings).map_err(malformed)?)
            }
            "mysql" | "mariadb" => Pool::MySql(mysql::pool(url, &settings).map_err(malformed)?),
            "sqlite" => Pool::Sqlite(SqliteFile::of(url, &settings).map_err(malformed)?),
            _ => {
                return Err(bad(
                    "a source's URL begins with `postgres:`, `mysql:`, `mariadb:` or `sqlite:`",
                ));
            }
        };
        Ok(Self { settings, pool })
    }

    pub(super) fn fault(&self, record: usize, key: &str, message: String) -> Fault {
        let name = &self.settings.name;
        Fault::of_setting(format!("source[{name}].record[{record}].{key}"), message)
    }

    /// The mapping's names that are no fields.
    pub(super) fn misnamed(
        &self,
        number: usize,
        of: &RecordSettings,
        schema: &RecordSchema,
    ) -> Vec<Fault> {
        let columns = of.columns.keys().map(|path| ("columns", path));
        let absent = of.absent.iter().map(|path| ("absent", path));
        let freshness = of.freshness.iter().map(|path| ("freshness", path));
        let known = columns.chain(absent).chain(freshness);
        let mut faults: Vec<_> = known
            .filter_map(|(key, path)| {
                let unknown = schema.field(path).err()?;
                Some(self.fault(number, key, unknown.to_string()))
            })
            .collect();
        let freshness = of.freshness.as_ref();
        let field = freshness.and_then(|path| schema.field(path).ok());
        if field.is_some_and(|field| !tells_time(&field)) {
            let message =
                "must name a google.protobuf.Timestamp, or a string with an ISO 8601 date";
            faults.push(self.fault(number, "freshness", message.to_owned()));
        }
        faults
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::MySql(_) => Dialect::MySql,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    fn patience(&self) -> Duration {
        self.settings.statement_timeout
    }

    pub(super) async fn columns(&self, table: &Table) -> Result<Vec<LiveColumn>, SourceError> {
        let patience = self.patience();
        let judged = |error| judge(error, patience);
        let columns = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::columns(pool, table).await.map_err(judged),
                Pool::MySql(pool) => mysql::columns(pool, table).await.map_err(judged),
                Pool::Sqlite(file) => sqlite::columns(file, table.clone(), patience).await,
            }
        };
        self.in_time(columns).await
    }

    pub(super) async fn probe(&self, sql: String) -> Result<(), SourceError> {
        let patience = self.patience();
        let judged = |error| judge(error, patience);
        let probe = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::probe(pool, sql).await.map_err(judged),
                Pool::MySql(pool) => mysql::probe(pool, sql).await.map_err(judged),
                Pool::Sqlite(file) => sqlite::probe(file, sql, patience).await,
            }
        };
        self.in_time(probe).await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let patience = self.patience();
        match tokio::time::timeout(patience, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SourceError::Timeout(patience)),
        }
    }

    /// Reads at once the record of a key. A connection may have died in the pool: what failed for want of one is tried
    /// once more.
    pub(super) async fn get(&self, plan: Plan) -> Result<Reading, SourceError> {
        let plan = Arc::new(plan);
        let mut read = self.get_once(&plan).await;
        if matches!(read, Err(SourceError::Unavailable(_))) {
            read = self.get_once(&plan).await;
        }
        Ok(Reading::done(read?.take()))
    }

    async fn get_once(&self, plan: &Arc<Plan>) -> Result<Batch, SourceError> {
        let patience = self.patience();
        let read = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::get(pool, plan, patience).await,
                Pool::MySql(pool) => mysql::get(pool, plan, patience).await,
                Pool::Sqlite(file) => sqlite::get(file, plan.clone(), patience).await,
            }
        };
        self.in_time(read).await
    }

    pub(super) fn read(&self, plan: Plan) -> Reading {
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
            Pool::Sqlite(file) => {
                let file = file.clone();
                Reading::new(patience, lifetime, |outlet| {
                    sqlite::drive(file, plan, outlet, patience)
                })
            }
        }
    }
}

fn tells_time(field: &Field) -> bool {
    let is_text = matches!(field.descriptor().kind(), prost_reflect::Kind::String);
    field.is_single_value() && (is_text || field.is_timestamp())
}
