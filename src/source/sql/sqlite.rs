//! SQLite: read-only connections on threads that may wait for a disk.

use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Statement;
use rusqlite::types::ToSql;
use rusqlite::types::ToSqlOutput;
use rusqlite::types::Value;
use rusqlite::types::ValueRef;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use super::batch::Batch;
use super::codec::Codec;
use super::encode::Cell;
use super::encode::EncodeError;
use super::encode::Row;
use super::error::DriverFault;
use super::error::Foreign;
use super::error::PoolTimeout;
use super::error::judge_sqlite;
use super::live;
use super::live::LiveColumn;
use super::live::Uniqueness;
use super::operand::DECIMALS;
use super::operand::TEXTS;
use super::plan::Output;
use super::plan::Plan;
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::registry::decimal::Parts;
use crate::source::SourceError;
use crate::source::reading::Outlet;

/// Steps of SQLite's machine between two looks at whether anybody still waits: a fraction of a millisecond.
const STEPS: i32 = 4_000;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;

/// The connections to one file. None is opened before it is needed.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    busy: Duration,
    acquire: Duration,
    idle: Mutex<Vec<OpenConnection>>,
    /// For the connections at work.
    places: Arc<Semaphore>,
}

/// A connection, and which file it reads. Another file may be put in its place, and is the one to read from then on.
#[derive(Debug)]
struct OpenConnection {
    connection: Connection,
    identity: Option<(u64, u64)>,
}

/// A connection at work. Comes back when it is dropped.
struct Lease {
    /// `None` only while it is dropped.
    opened: Option<OpenConnection>,
    file: SqliteFile,
    _place: OwnedSemaphorePermit,
}

impl SqliteFile {
    pub(super) fn of(path: &Path, settings: &SqlSettings) -> Self {
        Self(Arc::new(Shared {
            path: path.to_owned(),
            busy: settings.acquire_timeout,
            acquire: settings.acquire_timeout,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(settings.pool as usize)),
        }))
    }

    /// Runs the work on a thread of its own. Whoever drops this stops it within a few thousand steps.
    async fn run<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&Connection, &AtomicBool) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let place = tokio::time::timeout(self.0.acquire, self.0.places.clone().acquire_owned());
        let Ok(Ok(place)) = place.await else {
            return Err(SourceError::Unavailable(Box::new(PoolTimeout(
                self.0.acquire,
            ))));
        };
        let (file, watch) = (self.clone(), Watch::default());
        let stop = Arc::clone(&watch.0);
        let working = tokio::task::spawn_blocking(move || {
            let failed = |error| judge_sqlite(&error, timeout);
            let lease = file.lease(place).map_err(failed)?;
            let connection = &lease.opened.as_ref().ok_or_else(lost)?.connection;
            let stopped = Arc::clone(&stop);
            connection
                .progress_handler(STEPS, Some(move || stopped.load(Relaxed)))
                .map_err(failed)?;
            work(connection, &stop)
        });
        let outcome = working.await.map_err(|_| lost());
        drop(watch);
        outcome?
    }

    fn lease(self, place: OwnedSemaphorePermit) -> rusqlite::Result<Lease> {
        // Before the file is opened: one that is replaced in between is opened again the next time.
        let identity = identity(&self.0.path);
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|opened| opened.identity == identity);
        let last = idle.pop();
        drop(idle);
        let opened = match last {
            Some(opened) => opened,
            None => OpenConnection {
                connection: self.open()?,
                identity,
            },
        };
        Ok(Lease {
            opened: Some(opened),
            file: self,
            _place: place,
        })
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        // Without SQLite's own lock: a connection is on one thread at a time.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.0.path, flags)?;
        connection.busy_timeout(self.0.busy)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.create_collation(DECIMALS, decimals)?;
        connection.create_collation(TEXTS, str::cmp)?;
        Ok(connection)
    }
}

/// Decimal numbers by their values, and other texts after them.
fn decimals(one: &str, other: &str) -> Ordering {
    match (Parts::of(one), Parts::of(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let idle = self.file.0.idle.lock();
        let mut idle = idle.unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.opened.take());
    }
}

/// The device and the number of the file that is at the path now.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

/// Stops the statement when it is dropped.
#[derive(Default)]
struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn lost() -> SourceError {
    SourceError::Failed(Box::new(DriverFault("finish its work")))
}

pub(super) async fn columns(
    file: &SqliteFile,
    table: Table,
    timeout: Duration,
) -> Result<Vec<LiveColumn>, SourceError> {
    let read = move |connection: &Connection| {
        let mut statement = connection.prepare(live::SQLITE)?;
        let schema = table.schema.as_ref().map(|schema| schema.as_str());
        let rows = statement.query_map((schema, table.name.as_str()), |row| {
            let (name, declared): (String, String) = (row.get(0)?, row.get(2)?);
            let (is_key, indexes) = (row.get(4)?, row.get(5)?);
            Ok(LiveColumn {
                uniqueness: uniqueness(connection, &table, &name, is_key, indexes)?,
                in_utf8: row.get(6)?,
                name,
                kind: live::affinity(&declared).to_owned(),
                shown: declared,
                element: None,
                labels: Vec::new(),
                collation: None,
            })
        })?;
        rows.collect::<rusqlite::Result<_>>()
    };
    let work = move |connection: &Connection, _: &AtomicBool| {
        read(connection).map_err(|error| judge_sqlite(&error, timeout))
    };
    file.run(timeout, work).await
}

/// `is_key` tells that the column alone is the primary key, `indexes` the collations of the unique indexes on it alone.
/// A primary key without an index is the table's own number of the row.
fn uniqueness(
    connection: &Connection,
    table: &Table,
    column: &str,
    is_key: bool,
    indexes: Option<String>,
) -> rusqlite::Result<Uniqueness> {
    let Some(indexes) = indexes else {
        return Ok(Uniqueness::of(is_key, is_key));
    };
    let schema = table.schema.as_ref().map(|schema| schema.as_str());
    let (_, own, ..) = connection.column_metadata(schema, table.name.as_str(), column)?;
    let own = own.map(|name| name.to_bytes()).unwrap_or(b"BINARY");
    let mut collations = indexes.split(',').map(str::as_bytes);
    let in_order = collations.any(|collation| collation.eq_ignore_ascii_case(own));
    Ok(Uniqueness::of(true, in_order))
}

/// Reads the few records of a key, and of a probe none.
pub(super) async fn get(
    file: &SqliteFile,
    plan: Arc<Plan>,
    timeout: Duration,
) -> Result<Batch, SourceError> {
    let work = move |connection: &Connection, _: &AtomicBool| {
        let failed = |error| judge_sqlite(&error, timeout);
        let mut batch = Batch::default();
        let mut statement = connection.prepare_cached(&plan.sql).map_err(failed)?;
        bind(&mut statement, &plan.args).map_err(failed)?;
        if !fits(&statement, &plan.outputs) {
            return Err(SourceError::Failed(Box::new(Foreign::Columns)));
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            batch.push(&plan, row)?;
        }
        Ok(batch)
    };
    file.run(timeout, work).await
}

/// Reads an answer. A single statement sees a single state of the data. It runs ahead of its reader by two batches at
/// most; whoever waits for one limits its time.
pub(super) async fn drive(
    file: SqliteFile,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let runtime = Handle::current();
    let work = move |connection: &Connection, stop: &AtomicBool| {
        let failed = |error| judge_sqlite(&error, timeout);
        let mut batch = Batch::default();
        let mut statement = connection.prepare(&plan.sql).map_err(failed)?;
        bind(&mut statement, &plan.args).map_err(failed)?;
        if !fits(&statement, &plan.outputs) {
            return Err(SourceError::Failed(Box::new(Foreign::Columns)));
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            batch.push(&plan, row)?;
            if batch.is_full() {
                runtime.block_on(outlet.send(batch.take()));
                if stop.load(Relaxed) {
                    return Ok(());
                }
            }
        }
        runtime.block_on(outlet.send(batch.take()));
        Ok(())
    };
    file.run(timeout, work).await
}

/// By number and name; each value is looked at by itself.
fn fits(statement: &Statement<'_>, outputs: &[Arc<Output>]) -> bool {
    let names = (0..statement.column_count()).map(|index| statement.column_name(index).ok());
    names.eq(outputs.iter().map(|output| Some(output.name.as_str())))
}

fn bind(statement: &mut Statement<'_>, args: &[Arg]) -> rusqlite::Result<()> {
    for (number, arg) in (1..).zip(args) {
        statement.raw_bind_parameter(number, arg)?;
    }
    Ok(())
}

impl ToSql for Arg {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Data(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Unsigned(value) => match i64::try_from(*value) {
                Ok(value) => ToSqlOutput::Owned(Value::Integer(value)),
                Err(e) => return Err(rusqlite::Error::ToSqlConversionFailure(e.into())),
            },
            Self::Number(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Self::Boolean(value) => ToSqlOutput::Owned(Value::Integer((*value).into())),
        })
    }
}

/// SQLite types each value by itself, so each is looked at.
impl Row for rusqlite::Row<'_> {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, EncodeError> {
        const ODD: EncodeError = EncodeError("has a value that the driver cannot read");
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| ODD);
        let value = self.get_ref(index).map_err(|_| ODD)?;
        Ok(match (codec, value) {
            (_, ValueRef::Null) => Cell::Null,
            (
                Codec::Text | Codec::EnumName(_) | Codec::Json(_) | Codec::EnumEither,
                ValueRef::Text(bytes),
            ) => Cell::Text(text(bytes)?),
            (Codec::Integer | Codec::EnumNumber | Codec::EnumEither, ValueRef::Integer(number)) => {
                Cell::Integer(number)
            }
            (Codec::Boolean, ValueRef::Integer(0)) => Cell::Boolean(false),
            (Codec::Boolean, ValueRef::Integer(1)) => Cell::Boolean(true),
            (Codec::Boolean, ValueRef::Integer(_)) => {
                return Err(EncodeError("is neither 0 nor 1"));
            }
            (Codec::Double, ValueRef::Real(number)) => Cell::Number(number),
            (Codec::Double, ValueRef::Integer(number)) => Cell::Number(whole(number)?),
            (Codec::Float, ValueRef::Real(number)) => single(number)?,
            (Codec::Float, ValueRef::Integer(number)) => single(whole(number)?)?,
            (Codec::Data, ValueRef::Blob(bytes)) => Cell::Data(bytes),
            (Codec::UnixSeconds, ValueRef::Integer(seconds)) => Cell::Instant { seconds, nanos: 0 },
            (Codec::InstantText, ValueRef::Text(bytes)) => instant(text(bytes)?)?,
            (Codec::Text, _) => return Err(EncodeError("is not text")),
            (Codec::Integer, _) => return Err(EncodeError("is not an integer")),
            (Codec::InstantText, _) => return Err(UTC),
            _ => return Err(EncodeError("has a value of another type")),
        })
    }
}

/// SQLite compares a whole number with all its digits.
fn whole(number: i64) -> Result<f64, EncodeError> {
    let float = number as f64;
    if float as i128 != i128::from(number) {
        return Err(EncodeError("has more digits than a double holds"));
    }
    Ok(float)
}

fn single<'r>(number: f64) -> Result<Cell<'r>, EncodeError> {
    if f64::from(number as f32) != number {
        return Err(EncodeError("has more digits than a float holds"));
    }
    Ok(Cell::Number(number))
}

const UTC: EncodeError = EncodeError("is not a time in UTC such as `2026-01-31T09:30:00Z`");

/// Only UTC, and only as RFC 3339 writes it, so that the texts sort as the times do.
fn instant<'r>(text: &str) -> Result<Cell<'r>, EncodeError> {
    // Digits beyond a nanosecond, and the sixtieth second, would sort otherwise than the times that are read.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !text.ends_with('Z')
        || text.as_bytes().get(10) != Some(&b'T')
        || whole.get(17..19) == Some("60")
        || fraction.len() > "123456789Z".len()
    {
        return Err(UTC);
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| UTC)?;
    Ok(Cell::Instant {
        seconds: at.unix_timestamp(),
        nanos: at.nanosecond() as i32,
    })
}
