//! The index's database: where it lies, what stands in it, and whether it can be trusted to be whole.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;

use super::IndexCoverage;
use super::number;
use super::unsigned;
use crate::journal::reader::commits::Mark;
use crate::journal::scan::CommitAt;

/// Counted up with every change of the tables or of what is put into them; another version is made anew.
const VERSION: i32 = 4;
/// In `state.boot` when everything has been flushed.
const FLUSHED: &str = "flushed";
/// In `state.boot` where it cannot be told: an index that was not flushed is made anew.
const UNKNOWN: &str = "unknown";

/// `entry` has a row for each entry but closing ones, which are part of their opening's. `facet` says for each value, and
/// block of entries, which of them have it. `mention` is in shards, so that new rows, whose keys are random, meet few pages.
/// `waypoint` says where some commits stand.
const TABLES: &str = "
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    boot TEXT NOT NULL,
    complete_to INTEGER NOT NULL,
    segment INTEGER, offset INTEGER, first INTEGER, root BLOB
);
INSERT INTO state (id, boot, complete_to) VALUES (0, 'flushed', 0);
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    role INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    exchange BLOB,
    digest BLOB NOT NULL,
    heard INTEGER NOT NULL,
    consumer INTEGER, provider INTEGER,
    records INTEGER NOT NULL, bytes INTEGER NOT NULL, latency_us INTEGER NOT NULL,
    closing INTEGER
);
CREATE INDEX entry_exchange ON entry (exchange) WHERE exchange IS NOT NULL;
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    records INTEGER NOT NULL, bytes INTEGER NOT NULL, latency_us INTEGER NOT NULL
);
CREATE TABLE facet (key INTEGER, block INTEGER, bits BLOB NOT NULL, PRIMARY KEY (key, block)) WITHOUT ROWID;
CREATE TABLE mention (shard INTEGER, key INTEGER, entry INTEGER, PRIMARY KEY (shard, key, entry)) WITHOUT ROWID;
CREATE TABLE waypoint (first INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL);
";

pub(super) fn folder(journal: &Path) -> PathBuf {
    journal.join("index")
}

pub(super) fn file(journal: &Path) -> PathBuf {
    folder(journal).join("index.sqlite")
}

/// `None` for one of another version, or that may have been torn.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Option<(Connection, IndexCoverage)>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(1))?;
    // One transaction for all that is asked of it: everything is seen as of now.
    connection.execute_batch("PRAGMA cache_size = -16384; BEGIN")?;
    let Some((covered, boot)) = read_state(&connection)? else {
        return Ok(None);
    };
    Ok(is_whole(&boot).then_some((connection, covered)))
}

/// The follower's own connection. `None` if what is there must be made anew.
pub(super) fn open_to_write(path: &Path) -> rusqlite::Result<Option<(Connection, IndexCoverage)>> {
    let fresh = !path.exists();
    own(path)?;
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;",
    )?;
    if fresh {
        connection.execute_batch(&format!(
            "BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT"
        ))?;
    }
    let Some((covered, boot)) = read_state(&connection)? else {
        return Ok(None);
    };
    if !is_whole(&boot) {
        return Ok(None);
    }
    // From here on nothing is flushed. If the machine goes down, this line, which is, tells that pages may be torn.
    connection.execute("UPDATE state SET boot = ?", [this_boot()])?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    Ok(Some((connection, covered)))
}

/// Makes everything durable, so that the index survives the machine's going down.
pub(super) fn flush(connection: &Connection) -> rusqlite::Result<()> {
    // A checkpoint flushes the file only if it finds something to put there.
    connection.execute_batch("PRAGMA synchronous = FULL; UPDATE state SET boot = boot")?;
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        // Somebody reads. The index is whole all the same, unless the machine goes down.
        return Ok(());
    }
    connection.execute("UPDATE state SET boot = ?", [FLUSHED])?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}

/// For its owner only: it tells who asked for whom.
pub(super) fn make_folder(journal: &Path) -> std::io::Result<()> {
    let (folder, mut folders) = (folder(journal), fs::DirBuilder::new());
    folders.recursive(true).mode(0o700).create(&folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Makes the file if it is not there, for its owner only; SQLite gives the files beside it the same mode.
fn own(path: &Path) -> rusqlite::Result<()> {
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let owned = options
        .open(path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)));
    owned.map_err(|error| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
    })
}

pub(super) fn delete(journal: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder(journal)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read_state(connection: &Connection) -> rusqlite::Result<Option<(IndexCoverage, String)>> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != VERSION {
        return Ok(None);
    }
    let state = connection.query_row(
        "SELECT complete_to, boot, root, segment, offset, first FROM state",
        [],
        |row| {
            let root: Option<[u8; 32]> = row.get(2)?;
            let last = match root {
                Some(root) => Some(Mark {
                    at: CommitAt {
                        segment: unsigned(row, 3)?,
                        offset: unsigned(row, 4)?,
                        first: unsigned(row, 5)?,
                    },
                    root,
                }),
                None => None,
            };
            let covered = IndexCoverage {
                complete_to: unsigned(row, 0)?,
                last,
            };
            Ok((covered, row.get(1)?))
        },
    );
    state.optional()
}

pub(super) fn write_state(
    connection: &Connection,
    covered: &IndexCoverage,
) -> rusqlite::Result<()> {
    let Some(last) = &covered.last else {
        return Ok(());
    };
    connection.execute(
        "UPDATE state SET complete_to = ?, segment = ?, offset = ?, first = ?, root = ?",
        (
            number(covered.complete_to),
            number(last.at.segment),
            number(last.at.offset),
            number(last.at.first),
            last.root,
        ),
    )?;
    Ok(())
}

/// Whether all pages are as they were written: they have been flushed, or the machine has not gone down since.
fn is_whole(boot: &str) -> bool {
    boot == FLUSHED || (boot != UNKNOWN && boot == this_boot())
}

/// Another after each start of the machine.
fn this_boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| UNKNOWN.to_owned())
}
