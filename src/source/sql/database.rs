//! One database: its connections, and the three ways to work with them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Dialect;
use super::address::Address;
use super::address::BadAddress;
use super::address::Place;
use super::live::LiveColumn;
use super::mysql;
use super::mysql::MySql;
use super::plan::Plan;
use super::pool;
use super::postgres;
use super::postgres::Postgres;
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
    Postgres(pool::Pool<Postgres>),
    MySql(pool::Pool<MySql>),
    Sqlite(SqliteFile),
}

impl Database {
    pub(super) fn open(settings: SqlSettings, url: &str) -> Result<Self, Fault> {
        let bad = |error: BadAddress| {
            let key = if settings.url_file.is_some() {
                "url_file"
            } else {
                "url"
            };
            Fault::of_setting(
                format!("source[{}].{key}", settings.name),
                error.to_string(),
            )
        };
        let address = Address::parse(url).map_err(bad)?;
        let pool = match (address.dialect, &address.place) {
            (Dialect::Postgres, _) => Pool::Postgres(postgres::pool(address, &settings)),
            (Dialect::MySql, _) => Pool::MySql(mysql::pool(address, &settings)),
            (Dialect::Sqlite, Place::File(path)) => Pool::Sqlite(SqliteFile::of(path, &settings)),
            (Dialect::Sqlite, _) => return Err(bad(BadAddress::NotAUrl)),
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
        if field.is_some_and(|field| !is_time(&field)) {
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
        let columns = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::columns(pool, table, patience).await,
                Pool::MySql(pool) => mysql::columns(pool, table, patience).await,
                Pool::Sqlite(file) => sqlite::columns(file, table.clone(), patience).await,
            }
        };
        self.in_time(columns).await
    }

    pub(super) async fn probe(&self, plan: Plan) -> Result<(), SourceError> {
        let patience = self.patience();
        let probe = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::probe(pool, &plan, patience).await,
                Pool::MySql(pool) => mysql::get(pool, &plan, patience).await.map(|_| ()),
                Pool::Sqlite(file) => {
                    let plan = Arc::new(plan);
                    sqlite::get(file, plan, patience).await.map(|_| ())
                }
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

    /// Reads at once the record of a key.
    pub(super) async fn get(&self, plan: Plan) -> Result<Reading, SourceError> {
        let (plan, patience) = (Arc::new(plan), self.patience());
        let read = async {
            match &self.pool {
                Pool::Postgres(pool) => postgres::get(pool, &plan, patience).await,
                Pool::MySql(pool) => mysql::get(pool, &plan, patience).await,
                Pool::Sqlite(file) => sqlite::get(file, plan.clone(), patience).await,
            }
        };
        let mut batch = self.in_time(read).await?;
        Ok(Reading::done(batch.take()))
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

fn is_time(field: &Field) -> bool {
    let is_text = matches!(field.descriptor().kind(), prost_reflect::Kind::String);
    field.is_single_value() && (is_text || field.is_timestamp())
}
