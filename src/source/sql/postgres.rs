//! PostgreSQL: read-only sessions, and answers read through a server-side cursor.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::PgPool;
use sqlx::Postgres;
use sqlx::Row as _;
use sqlx::ValueRef as _;
use sqlx::postgres::PgArguments;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::postgres::PgRow;
use time::Date;

use super::batch::Batch;
use super::batch::rows_for_batch;
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
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::source::SourceError;
use crate::source::reading::Outlet;

pub(super) fn pool(url: &str, settings: &SqlSettings) -> Result<PgPool, sqlx::Error> {
    let timeout = settings.statement_timeout.as_millis().to_string();
    let idle = settings.answer_timeout.min(Duration::from_secs(120));
    let options = url
        .parse::<PgConnectOptions>()?
        .application_name("landbridge")
        .options([
            ("default_transaction_read_only", "on"),
            ("statement_timeout", &timeout),
            ("lock_timeout", "1000"),
            (
                "idle_in_transaction_session_timeout",
                &idle.as_millis().to_string(),
            ),
        ])
        .disable_statement_logging();
    // A dead connection is found on its first use, which is tried again.
    Ok(PgPoolOptions::new()
        .max_connections(settings.pool)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(watch_the_client(connection)))
        .connect_lazy_with(options))
}

/// Lets the server notice, while it works on a statement, that the gateway has hung up (PostgreSQL 14 and later).
async fn watch_the_client(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    connection
        .execute(
            "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'",
        )
        .await
        .map(|_| ())
}

pub(super) async fn columns(pool: &PgPool, table: &Table) -> Result<Vec<LiveColumn>, sqlx::Error> {
    let rows = sqlx::query(live::POSTGRES)
        .bind(table.schema.as_ref().map(|schema| schema.as_str()))
        .bind(table.name.as_str())
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LiveColumn {
                name: row.try_get(0)?,
                kind: row.try_get(1)?,
                shown: row.try_get(2)?,
                element: row.try_get(3)?,
                collation: None,
                uniqueness: Uniqueness::of(row.try_get(4)?, row.try_get(5)?),
                in_utf8: row.try_get(6)?,
            })
        })
        .collect()
}

pub(super) async fn probe(pool: &PgPool, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .map(|_| ())
}

fn arguments(args: &[Arg]) -> Result<PgArguments, SourceError> {
    let mut bound = PgArguments::default();
    for arg in args {
        let added = match arg {
            Arg::Text(text) => bound.add(&**text),
            Arg::Integer(value) => bound.add(*value),
            Arg::Unsigned(value) => match i64::try_from(*value) {
                Ok(value) => bound.add(value),
                Err(e) => Err(e.into()),
            },
            Arg::Number(value) => bound.add(*value),
            Arg::Boolean(value) => bound.add(*value),
            Arg::Data(bytes) => bound.add(&**bytes),
        };
        added.map_err(|_| SourceError::Failed(Box::new(Driver("bind a value"))))?;
    }
    Ok(bound)
}

/// Reads the few records of a key.
pub(super) async fn get(
    pool: &PgPool,
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

/// Reads an answer. Dropped between two fetches it rolls back; dropped within one it hangs up, since the rest of a
/// half-read result would have to be drained.
pub(super) async fn drive(
    pool: PgPool,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let failed = |error| judge(error, timeout);
    let mut lease = Lease::<Postgres>::new(acquire(&pool).await.map_err(failed)?);
    let Lease {
        connection,
        at_work,
    } = &mut lease;
    *at_work = true;
    let mut transaction = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let declare = format!("DECLARE answer NO SCROLL CURSOR FOR {}", plan.sql);
    sqlx::query_with(AssertSqlSafe(declare), arguments(&plan.args)?)
        .persistent(false)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    *at_work = false;

    let (mut batch, mut wanted) = (Batch::default(), FIRST);
    loop {
        *at_work = true;
        let (rows, bytes) = fetch(
            &mut transaction,
            &plan,
            wanted,
            &mut batch,
            &outlet,
            timeout,
        )
        .await?;
        *at_work = false;
        if rows < wanted {
            break;
        }
        outlet.send(batch.take()).await;
        if wanted == FIRST {
            // Many readers need no second batch: only for those that ask for one are the next fetched ahead.
            outlet.taken().await;
        }
        wanted = rows_for_batch(rows, bytes).max(FIRST + 1);
    }
    *at_work = true;
    transaction.commit().await.map_err(failed)?;
    *at_work = false;
    drop(lease);
    outlet.send(batch.take()).await;
    Ok(())
}

/// The rows of the first fetch.
const FIRST: usize = 64;

/// Reads the whole of one fetch into the batch; tells its rows and bytes.
async fn fetch(
    connection: &mut sqlx::PgConnection,
    plan: &Plan,
    wanted: usize,
    batch: &mut Batch,
    outlet: &Outlet,
    timeout: Duration,
) -> Result<(usize, usize), SourceError> {
    // Not kept prepared: the columns of the same words differ from answer to answer.
    let fetch = AssertSqlSafe(format!("FETCH FORWARD {wanted} FROM answer"));
    let mut fetched = sqlx::query(fetch).persistent(false).fetch(connection);
    let (mut rows, mut bytes) = (0, 0);
    while let Some(row) = fetched
        .try_next()
        .await
        .map_err(|error| judge(error, timeout))?
    {
        let before = batch.bytes();
        batch.push(plan, &row)?;
        rows += 1;
        bytes += batch.bytes() - before;
        if batch.is_full() {
            outlet.send(batch.take()).await;
        }
    }
    Ok((rows, bytes))
}

impl Row for PgRow {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, Unfit> {
        let raw = self.try_get_raw(index).map_err(|_| ODD)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        binary(raw.as_bytes().map_err(|_| ODD)?, codec)
    }
}

const ODD: Unfit = Unfit("has a value that the driver cannot read");

/// From PostgreSQL's binary format: integers in network order, dates in days and times in microseconds since 2000-01-01.
fn binary<'r>(bytes: &'r [u8], codec: &Codec) -> Result<Cell<'r>, Unfit> {
    let text = |bytes| std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| ODD);
    Ok(match codec {
        Codec::Text
        | Codec::Rendered
        | Codec::Decimal
        | Codec::Uuid
        | Codec::EnumName(_)
        | Codec::Json(false) => text(bytes)?,
        // `jsonb` begins with its version.
        Codec::Json(true) => text(bytes.strip_prefix(&[1]).unwrap_or(bytes))?,
        Codec::Integer | Codec::EnumNumber => Cell::Integer(signed(bytes)?),
        Codec::Boolean => Cell::Boolean(bytes != [0]),
        Codec::Float => Cell::Number(f32::from_be_bytes(sized(bytes)?).into()),
        Codec::Double => Cell::Number(f64::from_be_bytes(sized(bytes)?)),
        Codec::Data => Cell::Data(bytes),
        Codec::Date => Cell::Date(date(i32::from_be_bytes(sized(bytes)?))?),
        Codec::Instant => instant(i64::from_be_bytes(sized(bytes)?))?,
        Codec::List(element) => Cell::List(array(bytes, element)?),
        Codec::Unsigned | Codec::UnixSeconds | Codec::InstantText | Codec::EnumEither => {
            return Err(ODD);
        }
    })
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Unfit> {
    bytes.try_into().map_err(|_| ODD)
}

fn signed(bytes: &[u8]) -> Result<i64, Unfit> {
    match bytes.len() {
        2 => Ok(i16::from_be_bytes(sized(bytes)?).into()),
        4 => Ok(i32::from_be_bytes(sized(bytes)?).into()),
        _ => Ok(i64::from_be_bytes(sized(bytes)?)),
    }
}

fn date(days: i32) -> Result<Date, Unfit> {
    const INFINITE: Unfit = Unfit("is an infinite date, or one out of the years 1 to 9999");
    const EPOCH: Date = time::macros::date!(2000 - 01 - 01);
    EPOCH
        .checked_add(time::Duration::days(days.into()))
        .ok_or(INFINITE)
}

fn instant<'r>(micros: i64) -> Result<Cell<'r>, Unfit> {
    /// 2000-01-01 in seconds since 1970.
    const EPOCH: i64 = 946_684_800;
    if micros == i64::MAX || micros == i64::MIN {
        return Err(Unfit("is an infinite time"));
    }
    Ok(Cell::Instant {
        seconds: micros.div_euclid(1_000_000) + EPOCH,
        nanos: micros.rem_euclid(1_000_000) as i32 * 1_000,
    })
}

/// Dimensions, a flag, the elements' type; length and lower bound of each dimension; then each element with its length,
/// -1 for NULL.
fn array<'r>(bytes: &'r [u8], element: &Codec) -> Result<Vec<Cell<'r>>, Unfit> {
    let mut rest = bytes;
    let dimensions = take_i32(&mut rest)?;
    let (_flags, _type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    if dimensions > 1 {
        return Err(Unfit("is a list of lists"));
    }
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    let length = take_i32(&mut rest)?;
    let _lower_bound = take_i32(&mut rest)?;
    (0..length)
        .map(|_| match usize::try_from(take_i32(&mut rest)?) {
            Err(_) => Ok(Cell::Null),
            Ok(size) => {
                let (value, left) = rest.split_at_checked(size).ok_or(ODD)?;
                rest = left;
                binary(value, element)
            }
        })
        .collect()
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Unfit> {
    let (value, left) = rest.split_first_chunk().ok_or(ODD)?;
    *rest = left;
    Ok(i32::from_be_bytes(*value))
}
