//! Where a department keeps its corrections and notices: an SQLite file, which the gateway and the command line share.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use prost::Message;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::types::Type;

use super::Side;
use super::Step;
use crate::clock::Moment;
use crate::pb;

const VERSION: i32 = 1;

/// `closed`: seconds since 1970, once it is.
const TABLES: &str = "
    CREATE TABLE correction (
        id TEXT NOT NULL, side INTEGER NOT NULL, peer TEXT NOT NULL, step INTEGER NOT NULL, body BLOB NOT NULL,
        closed INTEGER, PRIMARY KEY (id, side)
    ) WITHOUT ROWID;
    CREATE TABLE notice (
        id TEXT NOT NULL, side INTEGER NOT NULL, peer TEXT NOT NULL, system TEXT NOT NULL, step INTEGER NOT NULL,
        body BLOB NOT NULL, closed INTEGER, PRIMARY KEY (id, side)
    ) WITHOUT ROWID;
    CREATE INDEX open_correction ON correction (step) WHERE closed IS NULL;
    CREATE INDEX open_notice ON notice (step) WHERE closed IS NULL;";

/// A handle on the file. Its calls wait for the disk: not for an async task.
#[derive(Clone)]
pub struct Store(Arc<Mutex<Connection>>);

/// A correction, as one side has it.
#[derive(Clone)]
pub struct Case {
    pub side: Side,
    pub step: Step,
    pub correction: pb::Correction,
}

/// A notice of a change.
#[derive(Clone)]
pub struct Notice {
    /// The consumer hears it, the provider tells it.
    pub side: Side,
    pub step: Step,
    /// The other department.
    pub peer: String,
    /// At the consumer: the system that received the record.
    pub system: String,
    pub notice: pb::ChangeNotice,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the corrections in `{}` cannot be used", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the corrections in `{}` cannot be made", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{}` is of another version of Landbridge", path.display())]
    Version { path: PathBuf },
    #[error("the corrections cannot be read or written")]
    Failed(#[from] rusqlite::Error),
}

impl Store {
    /// Opens the file, and makes it if it is not there: for its owner only, since it names people.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        make(path).map_err(|source| StoreError::Make {
            path: path.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(failed)?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(failed)?;
        let set_up = || -> rusqlite::Result<i32> {
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; BEGIN IMMEDIATE",
            )?;
            let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version == 0 {
                connection.execute_batch(&format!("{TABLES} PRAGMA user_version = {VERSION}"))?;
            }
            connection.execute_batch("COMMIT")?;
            Ok(if version == 0 { VERSION } else { version })
        };
        match set_up().map_err(failed)? {
            VERSION => Ok(Self(Arc::new(Mutex::new(connection)))),
            _ => Err(StoreError::Version {
                path: path.to_owned(),
            }),
        }
    }

    /// Puts a new correction in. False if that side has it already.
    pub fn add(&self, case: &Case) -> Result<bool, StoreError> {
        let added = self.lock().execute(
            "INSERT OR IGNORE INTO correction (id, side, peer, step, body) VALUES (:id, :side, :peer, :step, :body)",
            named_params! {
                ":id": case.correction.correction_id, ":side": code(case.side), ":peer": case.peer(),
                ":step": step_code(case.step), ":body": case.correction.encode_to_vec(),
            },
        )?;
        Ok(added == 1)
    }

    /// Moves a correction from one step to another, with what it is then. False if it is no longer where it was.
    pub fn advance(&self, from: Step, to: &Case, at: Moment) -> Result<bool, StoreError> {
        let moved = self.lock().execute(
            "UPDATE correction SET step = :step, body = :body, closed = :closed
             WHERE id = :id AND side = :side AND step = :from",
            named_params! {
                ":id": to.correction.correction_id, ":side": code(to.side), ":from": step_code(from),
                ":step": step_code(to.step), ":body": to.correction.encode_to_vec(), ":closed": closed(to.step, at),
            },
        )?;
        Ok(moved == 1)
    }

    /// One side's correction of that id.
    pub fn case(&self, id: &str, side: Side) -> Result<Option<Case>, StoreError> {
        let found = self.lock().query_row(
            "SELECT side, step, body FROM correction WHERE id = ? AND side = ?",
            rusqlite::params![id, code(side)],
            case,
        );
        Ok(found.optional()?)
    }

    /// The corrections of one side, the newest first.
    pub fn cases(&self, side: Side) -> Result<Vec<Case>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare("SELECT side, step, body FROM correction WHERE side = ? ORDER BY id DESC")?;
        let cases = statement.query_map([code(side)], case)?;
        Ok(cases.collect::<Result<_, _>>()?)
    }

    /// Those that this gateway has still something to do about, the oldest first.
    pub fn pending(&self) -> Result<Vec<Case>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT side, step, body FROM correction WHERE closed IS NULL AND step <> ? ORDER BY id",
        )?;
        let cases = statement.query_map([step_code(Step::Open)], case)?;
        Ok(cases.collect::<Result<_, _>>()?)
    }

    /// How many of a consumer's corrections wait for an answer.
    pub fn open_of(&self, consumer: &str) -> Result<u64, StoreError> {
        let open: i64 = self.lock().query_row(
            "SELECT count(*) FROM correction WHERE closed IS NULL AND side = ? AND peer = ?",
            rusqlite::params![code(Side::Provider), consumer],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(open).unwrap_or(0))
    }

    /// Puts the owner's answer on record as to be told, together with all notices that come of it.
    pub fn answered(&self, case: &Case, notices: &[Notice], at: Moment) -> Result<(), StoreError> {
        // Dies here: nothing has been told, and the receivers are looked for again.
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for notice in notices {
            put_notice(&transaction, notice)?;
        }
        transaction.execute(
            "UPDATE correction SET step = :step, body = :body, closed = :closed WHERE id = :id AND side = :side",
            named_params! {
                ":id": case.correction.correction_id, ":side": code(case.side), ":step": step_code(case.step),
                ":body": case.correction.encode_to_vec(), ":closed": closed(case.step, at),
            },
        )?;
        Ok(transaction.commit()?)
    }

    /// Puts a notice in, if it is not there.
    pub fn add_notice(&self, notice: &Notice) -> Result<(), StoreError> {
        Ok(put_notice(&self.lock(), notice)?)
    }

    /// Notices that are still to be told, or are not on record yet.
    pub fn pending_notices(&self) -> Result<Vec<Notice>, StoreError> {
        self.select_notices("closed IS NULL ORDER BY id", [])
    }

    /// The notices of one side, the newest first.
    pub fn notices(&self, side: Side) -> Result<Vec<Notice>, StoreError> {
        self.select_notices("side = ? ORDER BY id DESC", [code(side)])
    }

    pub fn close_notice(&self, notice: &Notice, at: Moment) -> Result<(), StoreError> {
        self.lock().execute(
            "UPDATE notice SET step = ?, closed = ? WHERE id = ? AND side = ?",
            rusqlite::params![
                step_code(Step::Closed),
                at.seconds(),
                notice.notice.notice_id,
                code(notice.side)
            ],
        )?;
        Ok(())
    }

    /// Forgets what was closed before that moment.
    pub fn forget(&self, before: Moment) -> Result<(), StoreError> {
        let connection = self.lock();
        for table in ["correction", "notice"] {
            connection.execute(
                &format!("DELETE FROM {table} WHERE closed < ?"),
                [before.seconds()],
            )?;
        }
        Ok(())
    }

    fn select_notices(
        &self,
        which: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Notice>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare(&format!(
            "SELECT side, step, peer, system, body FROM notice WHERE {which}"
        ))?;
        let notices = statement.query_map(values, notice)?;
        Ok(notices.collect::<Result<_, _>>()?)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement is whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Case {
    /// The other department.
    pub fn peer(&self) -> &str {
        match self.side {
            Side::Consumer => &self.correction.provider,
            Side::Provider => &self.correction.consumer,
        }
    }

    #[must_use]
    pub fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new();
    file.append(true).create(true).mode(0o600).open(path)?;
    Ok(())
}

fn put_notice(connection: &Connection, notice: &Notice) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR IGNORE INTO notice (id, side, peer, system, step, body)
         VALUES (:id, :side, :peer, :system, :step, :body)",
        named_params! {
            ":id": notice.notice.notice_id, ":side": code(notice.side), ":peer": notice.peer,
            ":system": notice.system, ":step": step_code(notice.step), ":body": notice.notice.encode_to_vec(),
        },
    )?;
    Ok(())
}

fn case(row: &Row<'_>) -> rusqlite::Result<Case> {
    Ok(Case {
        side: side(row, 0)?,
        step: step(row, 1)?,
        correction: decoded(row, 2)?,
    })
}

fn notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        side: side(row, 0)?,
        step: step(row, 1)?,
        peer: row.get(2)?,
        system: row.get(3)?,
        notice: decoded(row, 4)?,
    })
}

fn decoded<T: Message + Default>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let body: Vec<u8> = row.get(column)?;
    T::decode(body.as_slice()).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}

fn closed(step: Step, at: Moment) -> Option<i64> {
    (step == Step::Closed).then(|| at.seconds())
}

fn code(side: Side) -> i64 {
    match side {
        Side::Consumer => 1,
        Side::Provider => 2,
    }
}

fn side(row: &Row<'_>, column: usize) -> rusqlite::Result<Side> {
    match row.get(column)? {
        1 => Ok(Side::Consumer),
        2 => Ok(Side::Provider),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

fn step_code(step: Step) -> i64 {
    match step {
        Step::New => 0,
        Step::Filed => 1,
        Step::Open => 2,
        Step::Decided => 3,
        Step::Answered => 4,
        Step::Closed => 5,
    }
}

fn step(row: &Row<'_>, column: usize) -> rusqlite::Result<Step> {
    let code: i64 = row.get(column)?;
    let mut all = Step::ALL.into_iter();
    let step = all.find(|step| step_code(*step) == code);
    step.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, code))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

/// Names the correction: what is stated is about a person.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.correction.correction_id)
            .field("side", &self.side)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("id", &self.notice.notice_id)
            .field("side", &self.side)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
