//! PostgreSQL: transactions that cannot write; answers are read through a server-side cursor.
//!
//! A pooler may give every transaction to another server process, and let other clients change what a process has been
//! told. So a transaction brings along all that it needs. Only a session that is the gateway's own, with nobody in
//! between, keeps settings and statements for look-ups; each of those then proves that it runs in that very session.

mod connect;
mod session;
mod tls;
mod value;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::address::Address;
use super::batch::Batch;
use super::batch::rows_for_batch;
use super::error::DriverFault;
use super::error::Foreign;
use super::error::is_unholdable;
use super::error::refused;
use super::live;
use super::live::LiveColumn;
use super::live::Uniqueness;
use super::plan::Output;
use super::plan::Plan;
use super::pool::Backend;
use super::pool::Lease;
use super::pool::Pool;
use super::settings::Identifier;
use super::settings::SqlSettings;
use super::settings::Table;
use super::statement::Arg;
use crate::source::SourceError;
use crate::source::reading::Outlet;
use session::Answer;
use session::Name;
use session::PgRow;
use session::Session;
use session::SessionError;

/// How the gateway works with a server.
#[derive(Debug)]
pub(super) struct Postgres {
    statement_timeout: Duration,
    /// How long the server waits for the next word within a transaction.
    pause: Duration,
    /// There is a pooler in between: no session is the gateway's own.
    is_shared: AtomicBool,
}

type PgPool = Pool<Postgres>;
type PgLease = Lease<Postgres>;

/// What the rows of one statement see.
#[derive(Debug, Clone, Copy)]
enum Isolation {
    OneStatement,
    /// The cursor's fetches, too, see one state of the data.
    WholeAnswer,
}

pub(super) fn pool(address: Address, settings: &SqlSettings) -> PgPool {
    let postgres = Postgres {
        statement_timeout: settings.statement_timeout,
        pause: settings.answer_timeout.min(Duration::from_secs(120)),
        is_shared: AtomicBool::new(false),
    };
    Pool::new(postgres, address, settings)
}

impl Backend for Postgres {
    type Connection = Session;

    async fn open(&self, address: &Address) -> Result<Session, SourceError> {
        let mut session = connect::open(address, self.statement_timeout).await?;
        self.claim(&mut session).await?;
        Ok(session)
    }

    async fn is_usable(&self, session: &mut Session, _: Duration) -> bool {
        session.is_silent().await
    }

    fn leave(&self, session: &mut Session) -> bool {
        session.leave()
    }
}

impl Postgres {
    /// Makes the session the gateway's own, if it is with the very process that the login told of: poolers tell of none, or
    /// of one that they make up.
    async fn claim(&self, session: &mut Session) -> Result<(), SourceError> {
        if self.is_shared.load(Ordering::Relaxed) {
            return Ok(());
        }
        let failed = |broken| source_error(broken, self.statement_timeout);
        session.ask(live::POSTGRES_PROCESS, &[], None)?;
        session.flush().await?;
        let (outputs, mut process) = (live::postgres_process_outputs(), None);
        let mut answer = Answer::to(&outputs);
        while let Some(row) = session.next(&mut answer).await.map_err(failed)? {
            process = row.text(0);
        }
        if process != Some(session.process().to_string()) {
            self.is_shared.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let mut mark = [0; 16];
        aws_lc_rs::rand::fill(&mut mark)
            .map_err(|_| SourceError::Failed(Box::new(DriverFault("make a random number"))))?;
        let mark = format!("{:032x}", u128::from_be_bytes(mark));
        let settings = self.settings(session, "SESSION");
        session.put(&format!(
            "SET default_transaction_read_only = on;{settings};SET landbridge.session = '{mark}'"
        ))?;
        session.flush().await?;
        session.wait_for_ready().await.map_err(failed)?;
        session.take_mark(mark.into());
        Ok(())
    }

    /// Begins a transaction that rests on nothing that the session was told before.
    fn begin(&self, session: &mut Session, isolation: Isolation) -> Result<(), SourceError> {
        let isolation = match isolation {
            Isolation::OneStatement => "READ COMMITTED",
            Isolation::WholeAnswer => "REPEATABLE READ",
        };
        let settings = self.settings(session, "LOCAL");
        session.put(&format!(
            "BEGIN ISOLATION LEVEL {isolation} READ ONLY;{settings}"
        ))
    }

    fn settings(&self, session: &Session, scope: &str) -> String {
        // Lets the server notice, while it works on a statement, that the gateway has hung up.
        let watch = if session.version() >= 14 {
            format!("SET {scope} client_connection_check_interval = 1000;")
        } else {
            String::new()
        };
        format!(
            "SET {scope} statement_timeout = {};{watch}SET {scope} lock_timeout = 1000;\
             SET {scope} idle_in_transaction_session_timeout = {};SET {scope} client_encoding = 'UTF8';\
             SET {scope} TimeZone = 'UTC';SET {scope} DateStyle = 'ISO, MDY';\
             SET {scope} search_path TO DEFAULT;SET {scope} role TO DEFAULT",
            self.statement_timeout.as_millis(),
            self.pause.as_millis(),
        )
    }
}

/// The server's refusal as an error of the source.
fn source_error(broken: SessionError, timeout: Duration) -> SourceError {
    match broken {
        SessionError::Refused(code) => refused(code, timeout),
        SessionError::Lost(error) => error,
    }
}

pub(super) async fn columns(
    pool: &PgPool,
    table: &Table,
    timeout: Duration,
) -> Result<Vec<LiveColumn>, SourceError> {
    let text = |text: &str| Arg::Text(text.into());
    let schema = table.schema.as_ref().map_or("", Identifier::as_str);
    let args = [text(schema), text(table.name.as_str())];
    let outputs = live::postgres_outputs();
    let statement = Statement {
        sql: live::POSTGRES,
        args: &args,
        outputs: &outputs,
    };
    let read = |lease: PgLease| async {
        let mut columns = Vec::new();
        let each = |row: &PgRow<'_>| {
            columns.push(LiveColumn {
                name: row.text(0).unwrap_or_default(),
                kind: row.text(1).unwrap_or_default(),
                shown: row.text(2).unwrap_or_default(),
                element: row.text(3),
                collation: None,
                labels: split_labels(row.text(4)),
                uniqueness: Uniqueness::of(row.is_true(5), row.is_true(6)),
                in_utf8: row.is_true(7),
            });
            Ok(())
        };
        transact(lease, pool, &statement, each, timeout).await?;
        Ok(columns)
    };
    pool.with(read, || true).await
}

fn split_labels(labels: Option<String>) -> Vec<String> {
    let labels = labels.unwrap_or_default();
    let labels = labels.split(live::BETWEEN_LABELS);
    labels
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Reads no row, and finds out whether a transaction and what is set within it hold from one round trip to the next.
pub(super) async fn probe(
    pool: &PgPool,
    plan: &Plan,
    timeout: Duration,
) -> Result<(), SourceError> {
    let probe = |lease: PgLease| probe_once(lease, pool, plan, timeout);
    pool.with(probe, || true).await
}

async fn probe_once(
    mut lease: PgLease,
    pool: &PgPool,
    plan: &Plan,
    timeout: Duration,
) -> Result<(), SourceError> {
    let failed = |broken| source_error(broken, timeout);
    let session = lease.connection()?;
    let postgres = pool.backend();
    postgres.begin(session, Isolation::WholeAnswer)?;
    session.flush().await?;
    session.begun().await.map_err(failed)?;
    let limit = i64::try_from(postgres.statement_timeout.as_millis()).unwrap_or(i64::MAX);
    let (args, outputs) = ([Arg::Integer(limit)], live::postgres_state_outputs());
    let mut seen = Vec::new();
    for _ in 0..2 {
        session.ask(live::POSTGRES_STATE, &args, None)?;
        session.flush().await?;
        let mut answer = Answer::to(&outputs);
        while let Some(row) = session.next(&mut answer).await.map_err(failed)? {
            seen.push((row.text(0), row.is_true(1)));
        }
    }
    if !matches!(seen.as_slice(), [(first, true), (second, true)] if first == second) {
        return Err(failed(session.foreign(Foreign::Transaction)));
    }
    session.ask(&plan.sql, &[], None)?;
    session.put("COMMIT")?;
    session.flush().await?;
    let mut answer = Answer::to(&plan.outputs);
    while session.next(&mut answer).await.map_err(failed)?.is_some() {}
    session.wait_for_ready().await.map_err(failed)
}

/// Reads the few records of a key.
pub(super) async fn get(
    pool: &PgPool,
    plan: &Plan,
    timeout: Duration,
) -> Result<Batch, SourceError> {
    let statement = Statement {
        sql: &plan.sql,
        args: &plan.args,
        outputs: &plan.outputs,
    };
    let read = |lease: PgLease| async {
        let mut batch = Batch::default();
        let each = |row: &PgRow<'_>| batch.push(plan, row);
        transact(lease, pool, &statement, each, timeout).await?;
        Ok(batch)
    };
    match pool.with(read, || true).await {
        // No record has a key that the database cannot hold.
        Err(error) if is_unholdable(&error) => Ok(Batch::default()),
        outcome => outcome,
    }
}

struct Statement<'s> {
    sql: &'s str,
    args: &'s [Arg],
    outputs: &'s [Arc<Output>],
}

/// One statement as a transaction of its own, in one round trip.
async fn transact(
    mut lease: PgLease,
    pool: &PgPool,
    statement: &Statement<'_>,
    mut each: impl FnMut(&PgRow<'_>) -> Result<(), SourceError>,
    timeout: Duration,
) -> Result<(), SourceError> {
    let session = lease.connection()?;
    let postgres = pool.backend();
    if let Some(mark) = session.mark()
        && !postgres.is_shared.load(Ordering::Relaxed)
    {
        match transact_marked(session, mark, statement, &mut each).await? {
            None => return Ok(()),
            // Another session than ours, in which the mark or the statement is not known, or is another's.
            Some(code) if matches!(code.as_str(), "42704" | "26000" | "42P05") => {
                postgres.is_shared.store(true, Ordering::Relaxed);
            }
            // The table has changed since the statement was prepared.
            Some(code) if code == "0A000" => {}
            Some(code) => return Err(refused(code, timeout)),
        }
    }
    postgres.begin(session, Isolation::OneStatement)?;
    session.ask(statement.sql, statement.args, None)?;
    session.put("COMMIT")?;
    session.flush().await?;
    // Each answer is read to its end, so that the session can go on; the first refusal is the one that tells.
    let begun = code_of_refusal(session.begun().await)?;
    let read = code_of_refusal(read(session, statement, &mut each).await)?;
    let ended = code_of_refusal(session.wait_for_ready().await)?;
    match begun.or(read).or(ended) {
        None => Ok(()),
        Some(code) => Err(refused(code, timeout)),
    }
}

/// The same in a session that is the gateway's own, where settings and statements are kept. Returns the code of a refusal.
async fn transact_marked(
    session: &mut Session,
    mark: Arc<str>,
    statement: &Statement<'_>,
    each: &mut impl FnMut(&PgRow<'_>) -> Result<(), SourceError>,
) -> Result<Option<String>, SourceError> {
    let mut args = statement.args.to_vec();
    args.push(Arg::Text(mark));
    // An error where the session has another mark or none: nobody sets what is looked for then.
    let sql = format!(
        "SELECT * FROM ({}) AS answer WHERE CASE WHEN current_setting('landbridge.session', true) = ${} \
         THEN true ELSE CAST(current_setting('landbridge.of_another') AS boolean) END",
        statement.sql,
        args.len()
    );
    let name = Name::of(&sql, &args);
    let is_unproven = session.is_unproven();
    if is_unproven {
        session.put("")?;
    }
    session.ask(&sql, &args, Some(name))?;
    session.flush().await?;
    if is_unproven {
        code_of_refusal(session.check_mark().await)?;
    }
    let refusal = code_of_refusal(read(session, statement, each).await)?;
    if refusal.as_deref() == Some("0A000") {
        session.close(name)?;
    }
    Ok(refusal)
}

async fn read(
    session: &mut Session,
    statement: &Statement<'_>,
    each: &mut impl FnMut(&PgRow<'_>) -> Result<(), SourceError>,
) -> Result<(), SessionError> {
    let mut answer = Answer::to(statement.outputs);
    while let Some(row) = session.next(&mut answer).await? {
        each(&row)?;
    }
    Ok(())
}

/// The code of a refusal, if there is one.
fn code_of_refusal(answer: Result<(), SessionError>) -> Result<Option<String>, SourceError> {
    match answer {
        Ok(()) => Ok(None),
        Err(SessionError::Refused(code)) => Ok(Some(code)),
        Err(SessionError::Lost(error)) => Err(error),
    }
}

/// Reads an answer. Dropped between two fetches it rolls back; dropped within one it hangs up, since the rest of a
/// half-read result would have to be drained.
pub(super) async fn drive(
    pool: PgPool,
    plan: Plan,
    outlet: Outlet,
    timeout: Duration,
) -> Result<(), SourceError> {
    let rest = match (
        answer(&pool, &plan, &outlet, timeout).await,
        &plan.unnarrowed,
    ) {
        (Err(error), Some(unnarrowed)) if is_unholdable(&error) => {
            answer(&pool, unnarrowed, &outlet, timeout).await?
        }
        (outcome, _) => outcome?,
    };
    outlet.send(rest).await;
    Ok(())
}

async fn answer(
    pool: &PgPool,
    plan: &Plan,
    outlet: &Outlet,
    timeout: Duration,
) -> Result<Vec<Bytes>, SourceError> {
    let read = |lease: PgLease| stream(lease, pool, plan, outlet, timeout);
    pool.with(read, || !outlet.has_sent()).await
}

/// The rows of the first fetch.
const FIRST: usize = 64;

/// Returns the records of the last batch, once the connection is free.
async fn stream(
    mut lease: PgLease,
    pool: &PgPool,
    plan: &Plan,
    outlet: &Outlet,
    timeout: Duration,
) -> Result<Vec<Bytes>, SourceError> {
    let failed = |broken| source_error(broken, timeout);
    let session = lease.connection()?;
    pool.backend().begin(session, Isolation::WholeAnswer)?;
    let declare = format!("DECLARE answer NO SCROLL CURSOR FOR {}", plan.sql);
    session.ask(&declare, &plan.args, None)?;
    put_fetch(session, FIRST)?;
    session.flush().await?;
    let begun = code_of_refusal(session.begun().await)?;
    let declared = code_of_refusal(session.wait_for_ready().await)?;
    if let Some(code) = begun.or(declared) {
        // The fetch is refused, too.
        code_of_refusal(session.wait_for_ready().await)?;
        return Err(refused(code, timeout));
    }

    let (mut batch, mut wanted) = (Batch::default(), FIRST);
    loop {
        let (rows, bytes) = fetch(session, plan, &mut batch, outlet, timeout).await?;
        if rows < wanted {
            break;
        }
        outlet.send(batch.take()).await;
        if wanted == FIRST {
            // Many readers need no second batch: only for those that ask for one are the next fetched ahead.
            outlet.taken().await;
        }
        wanted = rows_for_batch(rows, bytes).max(FIRST + 1);
        put_fetch(session, wanted)?;
        session.flush().await?;
    }
    session.put("COMMIT")?;
    session.flush().await?;
    session.wait_for_ready().await.map_err(failed)?;
    drop(lease);
    Ok(batch.take())
}

/// Not kept prepared: the columns of the same words differ from answer to answer.
fn put_fetch(session: &mut Session, rows: usize) -> Result<(), SourceError> {
    session.ask(&format!("FETCH FORWARD {rows} FROM answer"), &[], None)
}

/// Reads the whole of one fetch into the batch; tells its rows and bytes.
async fn fetch(
    session: &mut Session,
    plan: &Plan,
    batch: &mut Batch,
    outlet: &Outlet,
    timeout: Duration,
) -> Result<(usize, usize), SourceError> {
    let mut answer = Answer::to(&plan.outputs);
    let (mut rows, mut bytes) = (0, 0);
    loop {
        let next = session.next(&mut answer).await;
        let Some(row) = next.map_err(|broken| source_error(broken, timeout))? else {
            return Ok((rows, bytes));
        };
        let before = batch.bytes();
        batch.push(plan, &row)?;
        rows += 1;
        bytes += batch.bytes() - before;
        if batch.is_full() {
            outlet.send(batch.take()).await;
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}
