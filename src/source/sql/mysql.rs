//! MySQL and MariaDB: read-only sessions, and answers read row by row off the connection.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::Column as _;
use sqlx::ConnectOptions;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::MySqlConnection;
use sqlx::Row as _;
use sqlx::TypeInfo as _;
use sqlx::ValueRef as _;
use sqlx::mysql::MySqlArguments;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlRow;
use sqlx::mysql::MySqlSslMode;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::address::Address;
use super::address::Place;
use super::address::TlsMode;
use super::batch::Batch;
use super::codec::Codec;
use super::encode::Cell;
use super::encode::EncodeError;
use super::encode::Row;
use super::error::DriverFault;
use super::error::Foreign;
use super::error::Unreachable;
use super::error::judge;
use super::live;
use super::live::LiveColumn;
use super::live::Uniqueness;
use super::plan::Output;
use super::plan::Plan;
use super::pool;
use super::settings::Identifier;
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::source::SourceError;
use crate::source::reading::Outlet;

/// How the gateway works with a server.
#[derive(Debug)]
pub(super) struct MySql {
    statement_timeout: Duration,
    /// The server counts the time in which the reader pauses, too, so its limit is that of a whole answer; one batch is
    /// limited by whoever waits for it.
    lifetime: Duration,
}

/// A connection, which is closed where it is left at work: it would have to be read to its end.
pub(super) struct Session {
    connection: MySqlConnection,
    is_at_work: bool,
}

type Pool = pool::Pool<MySql>;
type Lease = pool::Lease<MySql>;

/// After this time of silence it is asked whether the server is still there.
const SILENCE: Duration = Duration::from_secs(1);

/// A condition of every statement: an error where the session is not as `restrict` has left it, because a pooler has
/// put another in its place or another client has changed it.
pub(super) const GUARD: &str = "IF(@landbridge = 1 AND @@session.time_zone = '+00:00' \
     AND @@session.character_set_client = 'utf8mb4' AND @@session.character_set_results = 'utf8mb4', \
     1, (SELECT 1 UNION ALL SELECT 2))";

pub(super) fn pool(address: Address, settings: &SqlSettings) -> Pool {
    let mysql = MySql {
        statement_timeout: settings.statement_timeout,
        lifetime: settings.answer_timeout,
    };
    Pool::new(mysql, address, settings)
}

impl pool::Backend for MySql {
    type Connection = Session;

    async fn open(&self, address: &Address) -> Result<Session, SourceError> {
        let opened = options(address).connect().await;
        let mut connection = opened.map_err(|error| match error {
            sqlx::Error::Io(error) => Unreachable::source_error(&address.place, error),
            sqlx::Error::Tls(error) => Unreachable::tls(&address.place, error),
            error => judge(error, self.statement_timeout),
        })?;
        let restricted = restrict(&mut connection, self.lifetime).await;
        restricted.map_err(|error| judge(error, self.statement_timeout))?;
        Ok(Session {
            connection,
            is_at_work: false,
        })
    }

    async fn is_usable(&self, session: &mut Session, idle: Duration) -> bool {
        if idle < SILENCE {
            return true;
        }
        let pinged = timeout(pool::LIVENESS, session.connection.ping()).await;
        matches!(pinged, Ok(Ok(())))
    }

    fn leave(&self, session: &mut Session) -> bool {
        !session.is_at_work
    }
}

fn options(address: &Address) -> MySqlConnectOptions {
    let mode = match address.tls.mode {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .username(&address.user)
        .ssl_mode(mode)
        .disable_statement_logging();
    options = match &address.place {
        Place::Host { name, port } => options.host(name).port(*port),
        Place::Socket(path) | Place::File(path) => options.socket(path),
    };
    if let Some(password) = &address.password {
        options = options.password(password);
    }
    if let Some(database) = &address.database {
        options = options.database(database);
    }
    if let Some(roots) = &address.tls.roots {
        options = options.ssl_ca(roots);
    }
    if let Some(certificate) = &address.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &address.tls.key {
        options = options.ssl_client_key(key);
    }
    options
}

/// Sets what `GUARD` looks for last.
async fn restrict(connection: &mut MySqlConnection, lifetime: Duration) -> Result<(), sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)")
        .fetch_one(&mut *connection)
        .await?;
    let limit = if version.contains("MariaDB") {
        format!("max_statement_time = {}", lifetime.as_secs().max(1))
    } else {
        format!("max_execution_time = {}", lifetime.as_millis())
    };
    connection
        .execute("SET SESSION TRANSACTION READ ONLY")
        .await?;
    connection
        .execute(AssertSqlSafe(format!(
            "SET SESSION {limit}, SESSION innodb_lock_wait_timeout = 1, \
             SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', @landbridge = 1"
        )))
        .await
        .map(|_| ())
}

pub(super) async fn columns(
    pool: &Pool,
    table: &Table,
    timeout: Duration,
) -> Result<Vec<LiveColumn>, SourceError> {
    let read = |mut lease: Lease| async move {
        let session = lease.connection()?;
        session.is_at_work = true;
        let sql = format!("{} AND {GUARD}", live::MYSQL);
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(table.schema.as_ref().map(|schema| schema.as_str()))
            .bind(table.name.as_str())
            .fetch_all(&mut session.connection)
            .await;
        let rows = rows.map_err(|error| judge(error, timeout))?;
        session.is_at_work = false;
        let columns = rows.iter().map(live_column).collect::<Result<_, _>>();
        columns.map_err(|error| judge(error, timeout))
    };
    pool.with(read, || true).await
}

fn live_column(row: &MySqlRow) -> Result<LiveColumn, sqlx::Error> {
    Ok(LiveColumn {
        name: row.try_get_unchecked(0)?,
        kind: row.try_get_unchecked(1)?,
        shown: row.try_get_unchecked(2)?,
        element: None,
        labels: labels(row.try_get_unchecked::<Option<&str>, _>(7)?),
        collation: name(row, 5)?.zip(name(row, 6)?),
        uniqueness: match row.try_get_unchecked::<i64, _>(4)? {
            0 => Uniqueness::Nothing,
            _ => Uniqueness::Order,
        },
        // What is compared and ordered is converted to it.
        in_utf8: true,
    })
}

/// Those in a type such as `enum('A','it''s')`.
fn labels(column_type: Option<&str>) -> Vec<String> {
    let (mut labels, mut label) = (Vec::new(), None::<String>);
    let mut chars = column_type.unwrap_or_default().chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut label, c) {
            (None, '\'') => label = Some(String::new()),
            (None, _) => {}
            (Some(text), '\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            (Some(_), '\'') => labels.extend(label.take()),
            (Some(text), c) => text.push(c),
        }
    }
    labels
}

fn name(row: &MySqlRow, index: usize) -> Result<Option<Identifier>, sqlx::Error> {
    let name: Option<&str> = row.try_get_unchecked(index)?;
    Ok(name.and_then(|name| name.parse().ok()))
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
        .map_err(|_| SourceError::Failed(Box::new(DriverFault("bind a value"))))?;
    }
    Ok(bound)
}

/// Reads the few records of a key, and of a probe none.
pub(super) async fn get(pool: &Pool, plan: &Plan, timeout: Duration) -> Result<Batch, SourceError> {
    let read = |mut lease: Lease| async move {
        let mut batch = Batch::default();
        read(&mut lease, plan, true, &mut batch, None, timeout).await?;
        Ok(batch)
    };
    pool.with(read, || true).await
}

/// Reads an answer. A single statement sees a single state of the data. Dropped before its end it hangs up, since the
/// rest would have to be drained; the server stops when it next writes.
pub(super) async fn drive(
    pool: Pool,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let (plan, outlet) = (&plan, &outlet);
    let read = |mut lease: Lease| async move {
        let mut batch = Batch::default();
        read(&mut lease, plan, false, &mut batch, Some(outlet), timeout).await?;
        Ok(batch.take())
    };
    let rest = pool.with(read, || !outlet.has_sent()).await?;
    outlet.send(rest).await;
    Ok(())
}

/// Reads a whole answer. `outlet` takes what fills a batch.
async fn read(
    lease: &mut Lease,
    plan: &Plan,
    is_kept_prepared: bool,
    batch: &mut Batch,
    outlet: Option<&Outlet>,
    timeout: Duration,
) -> Result<(), SourceError> {
    let session = lease.connection()?;
    session.is_at_work = true;
    let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments(&plan.args)?)
        .persistent(is_kept_prepared);
    let mut rows = query.fetch(&mut session.connection);
    let mut is_checked = false;
    while let Some(row) = rows
        .try_next()
        .await
        .map_err(|error| judge(error, timeout))?
    {
        if !is_checked && !fits(&row, &plan.outputs) {
            return Err(SourceError::Failed(Box::new(Foreign::Columns)));
        }
        is_checked = true;
        batch.push(plan, &row)?;
        if let Some(outlet) = outlet.filter(|_| batch.is_full()) {
            outlet.send(batch.take()).await;
        }
    }
    drop(rows);
    session.is_at_work = false;
    Ok(())
}

/// By number, name and type.
fn fits(row: &MySqlRow, outputs: &[Arc<Output>]) -> bool {
    let columns = row.columns();
    columns.len() == outputs.len()
        && columns.iter().zip(outputs).all(|(column, output)| {
            column.name() == output.name && is_read_by(column.type_info().name(), &output.codec)
        })
}

/// Whether values of the type are what the codec reads.
fn is_read_by(kind: &str, codec: &Codec) -> bool {
    let is_text = ["CHAR", "TEXT", "BLOB", "BINARY", "ENUM", "SET", "JSON"]
        .iter()
        .any(|part| kind.contains(part));
    let is_integer = kind.contains("INT") || matches!(kind, "BOOLEAN" | "YEAR");
    match codec {
        Codec::Integer | Codec::Unsigned | Codec::EnumNumber | Codec::Boolean => is_integer,
        Codec::Float => kind == "FLOAT",
        Codec::Double => matches!(kind, "DOUBLE" | "FLOAT"),
        Codec::Instant => kind == "TIMESTAMP",
        Codec::Text
        | Codec::Rendered
        | Codec::Decimal
        | Codec::Date
        | Codec::EnumName(_)
        | Codec::Json(_)
        | Codec::Data => is_text,
        Codec::Uuid
        | Codec::UnixSeconds
        | Codec::InstantText
        | Codec::EnumEither
        | Codec::List(_) => false,
    }
}

impl Row for MySqlRow {
    fn cell(&self, index: usize, codec: &Codec) -> Result<Cell<'_>, EncodeError> {
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
                _ => return Err(EncodeError("is neither 0 nor 1")),
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
                    .map_err(|_| EncodeError("is a zero time, or none at all"))?;
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

const ODD: EncodeError = EncodeError("has a value that the driver cannot read");

/// MySQL may hold dates such as `2024-05-00`, which are none. That of zeros alone states nothing, and is read as NULL.
fn whole_date(text: &str) -> Result<&str, EncodeError> {
    if text.starts_with("0000") || text.contains("-00") {
        return Err(EncodeError("is a date without year, month or day"));
    }
    Ok(text)
}
