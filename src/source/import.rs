//! Fills the embedded SQLite source of an office without a database, from CSV or record by record.

mod cells;
mod table;

#[cfg(test)]
mod tests;

use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use csv::ByteRecord;
use prost::DecodeError;
use prost_reflect::DynamicMessage;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;

use super::sql::settings::Identifier;
use crate::registry::rules::FieldSet;
use crate::registry::rules::Violation;
use crate::registry::schema::RecordSchema;
use crate::registry::wire::Malformed;
use cells::Header;
use table::Layout;

/// The most bad rows that one report tells; the import stops there.
pub const MOST_BAD_ROWS: usize = 1_000;

/// The largest row of a file, so that a quotation mark without its end does not take the whole file for one cell.
const MAX_ROW: usize = 16 * 1024 * 1024;

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub rows: u64,
    /// Of the file.
    pub bytes: u64,
}

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportReport {
    pub rows: u64,
    /// The records that stood there before and were replaced.
    pub removed: u64,
}

/// A row that does not fit, without its values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// The 1-based line on which the row begins.
    pub line: u64,
    /// The header of the column; empty when it is about the row as a whole.
    pub column: String,
    /// What was expected, e.g. "a whole number from 0 to 4294967295".
    pub expected: String,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// At most `MOST_BAD_ROWS`, by line.
    #[error("{} of the file's rows do not fit; nothing was imported", .0.len())]
    BadRows(Vec<BadRow>),
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("the table `{table}` of this file does not fit: {fault}")]
    Table { table: String, fault: String },
    #[error("the database cannot be written")]
    Database(#[source] sqlx::Error),
}

/// A record that cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the record is not a message of its type")]
    Malformed(#[source] DecodeError),
    #[error("the record is not a message of its type")]
    Unreadable(#[source] Malformed),
    #[error(transparent)]
    Violation(Violation),
    #[error("`{field}` {fault}")]
    Misfit { field: String, fault: &'static str },
    #[error("there is a record with this key already")]
    Duplicate,
    #[error("the database cannot be written")]
    Database(#[source] sqlx::Error),
}

/// One transaction that puts records into a table. Dropped before `finish`, it leaves the table as it was; so does a
/// process that dies.
#[derive(Debug)]
pub struct Importer {
    connection: SqliteConnection,
    layout: Layout,
    rows: u64,
    removed: u64,
}

impl Importer {
    /// Opens the file and the table, and makes what is not there yet. `replace` removes the records that it has.
    pub async fn open(
        path: &Path,
        schema: &RecordSchema,
        table: &Identifier,
        replace: bool,
    ) -> Result<Self, ImportError> {
        let layout = Layout::of(schema, table);
        // Readers go on reading the old state until the import is done.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(ImportError::Database)?;
        run(&mut connection, "BEGIN IMMEDIATE".to_owned()).await?;
        run(&mut connection, layout.create()).await?;
        layout.compare(&mut connection).await?;
        let removed = match replace {
            true => run(&mut connection, layout.clear()).await?,
            false => 0,
        };
        Ok(Self {
            connection,
            layout,
            rows: 0,
            removed,
        })
    }

    /// Puts one encoded record, if it is as the registry demands.
    pub async fn put(&mut self, record: &[u8]) -> Result<(), PutError> {
        let descriptor = self.layout.descriptor().clone();
        let message = DynamicMessage::decode(descriptor, record).map_err(PutError::Malformed)?;
        let rules = self.layout.rules();
        let violation = rules.map(|rules| rules.violation(record, &FieldSet::All));
        if let Some(violation) = violation
            .transpose()
            .map_err(PutError::Unreadable)?
            .flatten()
        {
            return Err(PutError::Violation(violation));
        }
        self.insert(&message).await
    }

    /// Puts one record.
    pub async fn insert(&mut self, record: &DynamicMessage) -> Result<(), PutError> {
        let values = self.layout.values(record)?;
        let insert = sqlx::query_with(AssertSqlSafe(Arc::clone(self.layout.insert())), values);
        match insert.execute(&mut self.connection).await {
            Ok(_) => {
                self.rows += 1;
                Ok(())
            }
            Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(PutError::Duplicate),
            Err(error) => Err(PutError::Database(error)),
        }
    }

    /// Makes all of it durable and visible at once.
    pub async fn finish(mut self) -> Result<ImportReport, ImportError> {
        run(&mut self.connection, "COMMIT".to_owned()).await?;
        let imported = ImportReport {
            rows: self.rows,
            removed: self.removed,
        };
        self.connection
            .close()
            .await
            .map_err(ImportError::Database)?;
        Ok(imported)
    }
}

async fn run(connection: &mut SqliteConnection, sql: String) -> Result<u64, ImportError> {
    let done = connection.execute(AssertSqlSafe(sql)).await;
    done.map(|done| done.rows_affected())
        .map_err(ImportError::Database)
}

/// Imports a CSV file whose first row names fields: all of its rows, or none.
///
/// A cell of a message, a list or a map holds its JSON; `address.district` fills one field of a message. An empty cell
/// states nothing. `on_progress` is called every thousand rows and at the end.
///
/// # Errors
///
/// `BadRows` tells every row that does not fit, up to `MOST_BAD_ROWS`; no text of the file is in it but the header's.
pub async fn import<R: Read>(
    file: R,
    schema: &RecordSchema,
    path: &Path,
    table: &Identifier,
    replace: bool,
    mut on_progress: impl FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    let unread = Arc::new(AtomicUsize::new(0));
    let bounded = BoundedReader {
        file,
        unread: Arc::clone(&unread),
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(bounded);
    let names = reader.byte_headers().map_err(unreadable)?.clone();
    let header = Header::of(&names, schema).map_err(ImportError::BadRows)?;
    let mut importer = Importer::open(path, schema, table, replace).await?;

    let (mut row, mut bad, mut rows) = (ByteRecord::new(), Vec::new(), 0);
    while reader.read_byte_record(&mut row).map_err(unreadable)? {
        unread.store(0, Ordering::Relaxed);
        rows += 1;
        let line = row.position().map_or(0, csv::Position::line);
        match header.record(&row, line) {
            Ok(record) => {
                bad.extend(header.violations(&record, line));
                match importer.insert(&record).await {
                    Ok(()) => {}
                    Err(PutError::Database(error)) => return Err(ImportError::Database(error)),
                    Err(misfit) => bad.push(header.misfit(&misfit, line)),
                }
            }
            Err(faults) => bad.extend(faults),
        }
        if bad.len() >= MOST_BAD_ROWS {
            break;
        }
        if rows % 1_000 == 0 {
            let bytes = reader.position().byte();
            on_progress(Progress { rows, bytes });
        }
    }
    let bytes = reader.position().byte();
    on_progress(Progress { rows, bytes });
    if bad.is_empty() {
        importer.finish().await
    } else {
        bad.truncate(MOST_BAD_ROWS);
        Err(ImportError::BadRows(bad))
    }
}

fn unreadable(error: csv::Error) -> ImportError {
    let error = match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::from(io::ErrorKind::InvalidData),
    };
    ImportError::Unreadable(error)
}

/// A file of which no single row may be too long.
struct BoundedReader<R> {
    file: R,
    /// Bytes since the last whole row.
    unread: Arc<AtomicUsize>,
}

impl<R: Read> Read for BoundedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        if self.unread.fetch_add(read, Ordering::Relaxed) > MAX_ROW {
            return Err(io::Error::other(
                "a row has more than 16 MiB: is a quotation mark not closed?",
            ));
        }
        Ok(read)
    }
}
