//! MySQL and MariaDB: read-only sessions, and answers read row by row off the connection.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::Executor as _;
use sqlx::MySqlPool;
use sqlx::Row as _;
use sqlx::ValueRef as _;
use sqlx::mysql::MySqlArguments;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::mysql::MySqlRow;
use time::OffsetDateTime;

use super::batch::Batch;
use super::codec::Codec;
use super::encode::Cell;
use super::encode::Row;
use super::encode::Unfit;
use super::error::Driver;
use super::error::judge;
use super::lease::Lease;
use super::lease::acquire;
use super::live;
use super::live::LiveColumn;
use super::live::Uniqueness;
use super::plan::Plan;
use super::settings::Identifier;
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::source::SourceError;
use crate::source::reading::Outlet;

pub(super) fn pool(url: &str, settings: &SqlSettings) -> Result<MySqlPool, sqlx::Error> {
    let options = url
        .parse::<MySqlConnectOptions>()?
        .disable_statement_logging();
    let lifetime = settings.answer_timeout;
    Ok(MySqlPoolOptions::new()
        .max_connections(settings.pool)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(restrict(connection, lifetime)))
        .connect_lazy_with(options))
}

/// The server counts the time in which the reader pauses, too, so its limit is that of a whole answer; one batch is
/// limited by whoever waits for it.
async fn restrict(
    connection: &mut sqlx::MySqlConnection,
    lifetime: Duration,
) -> Result<(), sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)")
        .fetch_one(&mut *connection)
        .await?;
    let limit = if version.contains("MariaDB") {
        format!(
            "SET SESSION max_statement_time = {}",
            lifetime.as_secs().max(1)
        )
    } else {
        format!("SET SESSION max_execution_time = {}", lifetime.as_millis())
    };
    connection.execute(AssertSqlSafe(limit)).await?;
    connection
        .execute("SET SESSION innodb_lock_wait_timeout = 1")
        .await?;
    connection
        .execute("SET SESSION TRANSACTION READ ONLY")
        .await
        .map(|_| ())
}

pub(super) async fn columns(
    pool: &MySqlPool,
    table: &Table,
) -> Result<Vec<LiveColumn>, sqlx::Error> {
    let rows = sqlx::query(live::MYSQL)
        .bind(table.schema.as_ref().map(|schema| schema.as_str()))
        .bind(table.name.as_str())
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LiveColumn {
                name: row.try_get_unchecked(0)?,
                kind: row.try_get_unchecked(1)?,
                shown: row.try_get_unchecked(2)?,
                element: None,
                collation: name(row, 5)?.zip(name(row, 6)?),
                uniqueness: match row.try_get_unchecked::<i64, _>(4)? {
                    0 => Uniqueness::Nothing,
                    _ => Uniqueness::Order,
                },
                // What is compared and ordered is converted to it.
                in_utf8: true,
            })
        })
        .collect()
}

fn name(row: &MySqlRow, index: usize) -> Result<Option<Identifier>, sqlx::Error> {
    let name: Option<&str> = row.try_get_unchecked(index)?;
    Ok(name.and_then(|name| name.parse().ok()))
}

pub(super) async fn probe(pool: &MySqlPool, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .map(|_| ())
}

fn arguments(args: &[Arg]) -> Result<MySqlArguments, SourceError> {
    let mut bound = MySqlArguments::default();
    for arg in args {
        match arg {
            Arg::Text(text) => bound.add(&**text),
            Arg::Integer(value) => bound.add(*value),
            Arg::Unsigned(value) => bound.add(*value),
            Arg::Number(value) => bound.add(*value),
            Arg::Boolean(value) => bound.add(*value),
            Arg::Data(bytes) => bound.add(&**bytes),
        }
        .map_err(|_| SourceError::Failed(Box::new(Driver("bind a value"))))?;
    }
    Ok(bound)
}

/// Reads the few records of a key.
pub(super) async fn get(
    pool: &MySqlPool,
    plan: &Plan,
    timeout: Duration,
) -> Result<Batch, SourceError> {
    let failed = |error| judge(error, timeout);
    let mut batch = Batch::default();
    let mut lease = Lease::new(acquire(pool).await.map_err(failed)?);
    lease.at_work = true;
    let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments(&plan.args)?);
    let mut rows = query.fetch(&mut *lease.connection);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        batch.push(plan, &row)?;
    }
    drop(rows);
    lease.at_work = false;
    Ok(batch)
}

/// Reads an answer. A single statement sees a single state of the data. Dropped before its end it hangs up, since the
/// rest would have to be drained; the server stops when it next writes.
pub(super) async fn drive(
    pool: MySqlPool,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let failed = |error| judge(error, timeout);
    let mut lease = Lease::new(acquire(&pool).await.map_err(failed)?);
    lease.at_work = true;
    let mut batch = Batch::default();
    {
        let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments(&plan.args)?)
            .persistent(false);
        let mut rows = query.fetch(&mut *lease.connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            batch.push(&plan, &row)?;
            if batch.is_full() {
                outlet.send(batch.take()).await;
            }
        }
    }
    lease.at_work = false;
    drop(lease);
    outlet.send(batch.take()).await;
    Ok(())
}

impl Row for MySqlRow {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, Unfit> {
        let raw = self.try_get_raw(index).map_err(|_| ODD)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let text = || self.try_get_unchecked::<&str, _>(index).map_err(|_| ODD);
        let integer = || self.try_get_unchecked::<i64, _>(index).map_err(|_| ODD);
        Ok(match codec {
            Codec::Text
            | Codec::Rendered
            | Codec::Decimal
            | Codec::EnumName(_)
            | Codec::Json(_) => Cell::Text(text()?),
            Codec::Date => Cell::Text(whole_date(text()?)?),
            Codec::Integer | Codec::EnumNumber => Cell::Integer(integer()?),
            Codec::Unsigned => Cell::Unsigned(self.try_get_unchecked(index).map_err(|_| ODD)?),
            Codec::Boolean => match integer()? {
                0 => Cell::Boolean(false),
                1 => Cell::Boolean(true),
                _ => return Err(Unfit("is neither 0 nor 1")),
            },
            Codec::Float => {
                let value: f32 = self.try_get_unchecked(index).map_err(|_| ODD)?;
                Cell::Number(value.into())
            }
            Codec::Double => Cell::Number(self.try_get_unchecked(index).map_err(|_| ODD)?),
            Codec::Data => Cell::Data(self.try_get_unchecked(index).map_err(|_| ODD)?),
            Codec::Instant => {
                let at: OffsetDateTime = self
                    .try_get_unchecked(index)
                    .map_err(|_| Unfit("is a zero time, or none at all"))?;
                Cell::Instant {
                    seconds: at.unix_timestamp(),
                    nanos: at.nanosecond() as i32,
                }
            }
            Codec::Uuid
            | Codec::UnixSeconds
            | Codec::InstantText
            | Codec::EnumEither
            | Codec::List(_) => return Err(ODD),
        })
    }
}

const ODD: Unfit = Unfit("has a value that the driver cannot read");

/// MySQL may hold dates such as `2024-05-00`, which are none. That of zeros alone states nothing, and is read as NULL.
fn whole_date(text: &str) -> Result<&str, Unfit> {
    if text.starts_with("0000") || text.contains("-00") {
        return Err(Unfit("is a date without year, month or day"));
    }
    Ok(text)
}
