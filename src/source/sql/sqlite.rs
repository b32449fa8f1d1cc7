//! SQLite: read-only connections, with a watch that stops a statement when its time is up or its reader gone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::Row as _;
use sqlx::SqlitePool;
use sqlx::TypeInfo as _;
use sqlx::ValueRef as _;
use sqlx::sqlite::SqliteArguments;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::codec::Codec;
use super::encode::Cell;
use super::encode::Row;
use super::encode::Unfit;
use super::error::Driver;
use super::error::judge;
use super::live;
use super::live::LiveColumn;
use super::plan::Plan;
use super::reading::Batch;
use super::reading::Outlet;
use super::reading::acquire;
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::source::SourceError;

pub(super) fn pool(url: &str, settings: &SqlSettings) -> Result<SqlitePool, sqlx::Error> {
    let options = url
        .parse::<SqliteConnectOptions>()?
        .read_only(true)
        .busy_timeout(settings.acquire_timeout)
        .row_buffer_size(256)
        .disable_statement_logging();
    Ok(SqlitePoolOptions::new()
        .max_connections(settings.pool)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire(false)
        .connect_lazy_with(options))
}

pub(super) async fn columns(
    pool: &SqlitePool,
    table: &Table,
) -> Result<Vec<LiveColumn>, sqlx::Error> {
    let rows = sqlx::query(live::SQLITE)
        .bind(table.schema.as_ref().map(|schema| schema.as_str()))
        .bind(table.name.as_str())
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            let declared: String = row.try_get(2)?;
            Ok(LiveColumn {
                name: row.try_get(0)?,
                kind: live::affinity(&declared).to_owned(),
                shown: declared,
                element: None,
                collation: None,
                unique: row.try_get::<Option<bool>, _>(4)?.unwrap_or(false),
            })
        })
        .collect()
}

pub(super) async fn probe(pool: &SqlitePool, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .map(|_| ())
}

fn arguments(args: &[Arg]) -> Result<SqliteArguments, SourceError> {
    let mut bound = SqliteArguments::default();
    for arg in args {
        match arg {
            Arg::Text(text) => bound.add(&**text),
            Arg::Integer(value) => bound.add(*value),
            Arg::Unsigned(value) => match i64::try_from(*value) {
                Ok(value) => bound.add(value),
                Err(e) => Err(e.into()),
            },
            Arg::Number(value) => bound.add(*value),
            Arg::Boolean(value) => bound.add(*value),
            Arg::Data(bytes) => bound.add(&**bytes),
        }
        .map_err(|_| SourceError::Failed(Box::new(Driver("bind a value"))))?;
    }
    Ok(bound)
}

/// Stops the statement when it is dropped.
struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// SQLite asks every few thousand steps of its machine whether to go on.
async fn watched(connection: &mut sqlx::SqliteConnection) -> Result<Watch, sqlx::Error> {
    const STEPS: i32 = 4_000;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || !stopped.load(Ordering::Relaxed));
    Ok(Watch(stop))
}

/// Reads the few records of a key.
pub(super) async fn get(
    pool: &SqlitePool,
    plan: &Plan,
    timeout: Duration,
) -> Result<Batch, SourceError> {
    let failed = |error| judge(error, timeout);
    let mut batch = Batch::default();
    let mut connection = acquire(pool).await.map_err(failed)?;
    let _watch = watched(&mut connection).await.map_err(failed)?;
    let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments(&plan.args)?);
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        batch.push(plan, &row)?;
    }
    Ok(batch)
}

/// Reads an answer. A single statement sees a single state of the data. Whoever waits for a batch limits its time; when
/// this is dropped the watch stops the statement, and the connection goes back to the pool.
pub(super) async fn drive(
    pool: SqlitePool,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let failed = |error| judge(error, timeout);
    let mut connection = acquire(&pool).await.map_err(failed)?;
    let _watch = watched(&mut connection).await.map_err(failed)?;
    let mut batch = Batch::default();
    {
        let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments(&plan.args)?)
            .persistent(false);
        let mut rows = query.fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            batch.push(&plan, &row)?;
            if batch.is_full() {
                outlet.send(&mut batch).await;
            }
        }
    }
    drop(connection);
    outlet.send(&mut batch).await;
    Ok(())
}

/// SQLite types each value by itself, so each is looked at.
impl Row for SqliteRow {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, Unfit> {
        const ODD: Unfit = Unfit("has a value that the driver cannot read");
        let raw = self.try_get_raw(index).map_err(|_| ODD)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let info = raw.type_info();
        let text = || self.try_get_unchecked::<&str, _>(index).map_err(|_| ODD);
        let integer = || self.try_get_unchecked::<i64, _>(index).map_err(|_| ODD);
        let number = || self.try_get_unchecked::<f64, _>(index).map_err(|_| ODD);
        Ok(match (codec, info.name()) {
            (Codec::Text | Codec::EnumName(_) | Codec::Json(_) | Codec::EnumEither, "TEXT") => {
                Cell::Text(text()?)
            }
            (Codec::Integer | Codec::EnumNumber | Codec::EnumEither, "INTEGER") => {
                Cell::Integer(integer()?)
            }
            (Codec::Boolean, "INTEGER") => match integer()? {
                0 => Cell::Boolean(false),
                1 => Cell::Boolean(true),
                _ => return Err(Unfit("is neither 0 nor 1")),
            },
            (Codec::Double, "REAL" | "INTEGER") => Cell::Number(number()?),
            (Codec::Float, "REAL" | "INTEGER") => {
                let value = number()?;
                if f64::from(value as f32) != value {
                    return Err(Unfit("has more digits than a float holds"));
                }
                Cell::Number(value)
            }
            (Codec::Data, "BLOB") => Cell::Data(self.try_get_unchecked(index).map_err(|_| ODD)?),
            (Codec::UnixSeconds, "INTEGER") => Cell::Instant {
                seconds: integer()?,
                nanos: 0,
            },
            (Codec::InstantText, "TEXT") => instant(text()?)?,
            (Codec::Text, _) => return Err(Unfit("is not text")),
            (Codec::Integer, _) => return Err(Unfit("is not an integer")),
            (Codec::InstantText, _) => return Err(UTC),
            _ => return Err(Unfit("has a value of another type")),
        })
    }
}

const UTC: Unfit = Unfit("is not a time in UTC such as `2026-01-31T09:30:00Z`");

/// Only UTC, and only as RFC 3339 writes it, so that the texts sort as the times do.
fn instant<'r>(text: &str) -> Result<Cell<'r>, Unfit> {
    if !text.ends_with('Z') || text.as_bytes().get(10) != Some(&b'T') {
        return Err(UTC);
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| UTC)?;
    Ok(Cell::Instant {
        seconds: at.unix_timestamp(),
        nanos: at.nanosecond() as i32,
    })
}
