//! The search index: derived from the journal, behind it by what has just been written, and made anew when it is lost.
//!
//! Whoever tampers with it can hide entries from a search, but invent none: what it names is read from the journal.

mod agreement;
mod bits;
mod candidates;
mod follower;
mod openings;
mod requirement;
mod schema;
mod write;

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;

use crate::clock::Moment;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::reader::commits::Mark;
use crate::journal::scan::CommitAt;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::tlog::merkle::Hash;
pub(super) use candidates::Candidate;
pub use follower::IndexFollower;

/// The index of a journal, for one question: it sees none of what is added from its opening on.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
    covered: IndexCoverage,
}

/// How far an index goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IndexCoverage {
    /// The first entry that it does not have.
    complete_to: u64,
    /// The last commit that it has.
    last: Option<Mark>,
}

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(
        "the search index cannot be used; delete the folder `index` in the journal's, and its gateway makes it anew"
    )]
    Store(#[from] rusqlite::Error),
    #[error("the search index's folder `{}` cannot be used", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error("the search index's file was deleted")]
    Gone,
    #[error("the search index's thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// One exchange as two departments compare it: an answered, refused or failed one, and a stream by its closing entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountedExchange {
    pub exchange: ExchangeId,
    pub digest: Hash,
    /// The entry that says so; of a stream, the closing one.
    pub index: u64,
    pub outcome: Outcome,
    /// Whether it names the other gateway's entry of the answer, which a stream that was cut does not have.
    pub heard: bool,
}

impl Index {
    /// Opens the index of the journal in that folder, to read it. `None` if there is none that fits the journal: it is not
    /// yet made, or of another version, or was left unfinished when the machine went down.
    pub fn open(journal: &Path) -> Result<Option<Self>, IndexError> {
        let path = schema::file(journal);
        if !path.exists() {
            return Ok(None);
        }
        let Some((connection, covered)) = schema::open_to_read(&path)? else {
            return Ok(None);
        };
        if Reader::open(journal)
            .commits(covered.last.as_ref())?
            .is_none()
        {
            return Ok(None);
        }
        Ok(Some(Self {
            connection,
            covered,
        }))
    }

    /// The first entry that it does not have.
    pub fn complete_to(&self) -> u64 {
        self.covered.complete_to
    }

    /// The last commit that it has, where reading goes on.
    pub(super) fn last_commit(&self) -> CommitAt {
        self.covered
            .last
            .map_or(CommitAt::BEGINNING, |mark| mark.at)
    }

    /// The exchanges with a department in which this gateway had that role, by the time in their ids: from the one moment,
    /// before the other, in milliseconds. One for each id, in the order of the ids; streams that are still open are left out.
    pub fn exchanges_with(
        &self,
        peer: &DepartmentId,
        role: Role,
        from: Moment,
        until: Moment,
    ) -> Result<Vec<AccountedExchange>, IndexError> {
        let Some(peer) = self.word(peer.as_str())? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare(
            "SELECT exchange, digest, coalesce(closing, id), outcome, heard FROM entry
             WHERE exchange >= :from AND exchange < :until AND role = :role
             AND (kind <> :intent OR closing IS NOT NULL)
             AND :peer = CASE role WHEN :consumer THEN provider ELSE consumer END
             ORDER BY exchange, id",
        )?;
        let rows = statement.query_map(
            named_params! {
                ":from": first_id(from), ":until": first_id(until), ":peer": peer,
                ":role": role.code(), ":intent": Kind::Intent.code(), ":consumer": Role::Consumer.code(),
            },
            accounted,
        )?;
        let mut found: Vec<AccountedExchange> = rows.collect::<Result<_, _>>()?;
        // Should an id have been used again, the first exchange is the one that counts.
        found.dedup_by_key(|accounted| accounted.exchange);
        Ok(found)
    }

    /// Whether this gateway has asked a department for anything since that moment.
    pub fn has_asked(&self, peer: &DepartmentId, since: Moment) -> Result<bool, IndexError> {
        let Some(peer) = self.word(peer.as_str())? else {
            return Ok(false);
        };
        let mut statement = self.connection.prepare(
            "SELECT 1 FROM entry WHERE exchange >= :since AND role = :consumer AND provider = :peer LIMIT 1",
        )?;
        let asked = statement.exists(named_params! {
            ":since": first_id(since), ":consumer": Role::Consumer.code(), ":peer": peer,
        })?;
        Ok(asked)
    }

    /// Where the commit of an entry stands, or one a little before it.
    pub(super) fn near(&self, index: u64) -> Result<CommitAt, IndexError> {
        Ok(near(&self.connection, index)?)
    }

    /// Whether it has that entry, without a closing one.
    pub(super) fn is_unclosed(&self, index: u64) -> Result<bool, IndexError> {
        Ok(is_unclosed(&self.connection, index)?)
    }

    fn word(&self, text: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .query_row("SELECT id FROM word WHERE text = ?", [text], |row| {
                row.get(0)
            })
            .optional()
    }
}

impl IndexError {
    /// Whether the index itself is at fault, so that only another one helps.
    fn is_damage(&self) -> bool {
        let error = match self {
            Self::Store(error) => error,
            Self::Gone => return true,
            Self::Folder { .. } | Self::Journal(_) | Self::Thread(_) => return false,
        };
        !matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
                    | ErrorCode::DiskFull
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
            )
        )
    }
}

fn accounted(row: &Row<'_>) -> rusqlite::Result<AccountedExchange> {
    Ok(AccountedExchange {
        exchange: ExchangeId::new(uuid::Uuid::from_bytes(row.get(0)?)),
        digest: row.get(1)?,
        index: unsigned(row, 2)?,
        outcome: Outcome::from_code(row.get(3)?).unwrap_or(Outcome::None),
        heard: row.get(4)?,
    })
}

fn near(connection: &Connection, index: u64) -> rusqlite::Result<CommitAt> {
    let near = connection.query_row(
        "SELECT first, segment, offset FROM waypoint WHERE first <= ? ORDER BY first DESC LIMIT 1",
        [number(index)],
        |row| {
            Ok(CommitAt {
                first: unsigned(row, 0)?,
                segment: unsigned(row, 1)?,
                offset: unsigned(row, 2)?,
            })
        },
    );
    Ok(near.optional()?.unwrap_or(CommitAt::BEGINNING))
}

fn is_unclosed(connection: &Connection, index: u64) -> rusqlite::Result<bool> {
    let closing: Option<Option<i64>> = connection
        .query_row(
            "SELECT closing FROM entry WHERE id = ?",
            [number(index)],
            |row| row.get(0),
        )
        .optional()?;
    Ok(closing == Some(None))
}

/// The least id that is made in that millisecond: a UUID of version 7 begins with its 48 bits.
fn first_id(at: Moment) -> [u8; 16] {
    let millis = u128::try_from(at.millis()).unwrap_or(0) & 0xffff_ffff_ffff;
    (millis << 80).to_be_bytes()
}

/// SQLite's numbers are signed; an index in a journal never comes near their end.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests;
