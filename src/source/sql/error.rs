//! What a database's errors mean to the gateway, without the values that databases like to quote in them.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rusqlite::ErrorCode;
use sqlx::Error;

use super::address::Place;
use crate::source::SourceError;

/// A database's refusal by its code alone: the message may quote a value.
#[derive(Debug, thiserror::Error)]
#[error("the database answers with error {code}{}", hint(code))]
struct Refusal {
    code: String,
}

/// Follows the code of a pooler that gives each statement to another connection.
pub(super) const STATEMENT_POOLING: &str = " (statement pooling)";

fn hint(code: &str) -> &'static str {
    match code {
        "42P01" | "42S02" | "1146" => ": there is no such table",
        "42703" | "42S22" | "1054" => ": there is no such column",
        "42501" | "42000" | "1142" | "1143" => ": the gateway's role may not do this",
        "28P01" | "28000" | "1045" => ": the password or the role is refused",
        "3D000" | "1049" => ": there is no such database",
        "53300" | "08004" | "1040" => ": it has too many connections",
        "57P01" | "57P03" => ": it is starting or stopping",
        "25006" => ": the session is read-only",
        "08P01" => ": a pooler between the gateway and the database has no connection to it",
        "08P01 (statement pooling)" => {
            ": a pooler between the gateway and the database must keep a transaction on one connection (PgBouncer: `pool_mode = transaction` or `session`)"
        }
        "1242" => {
            ": the session is not as the gateway has set it, or a subquery of a view gives several rows; a pooler between the gateway and the database must leave each of the gateway's connections a session of its own"
        }
        "sqlite 14" => {
            ": the file cannot be opened; beside one in WAL mode the gateway must be able to write, or its owner sets `PRAGMA journal_mode = DELETE`"
        }
        _ => "",
    }
}

/// The client and the driver disagreed in a way that is not for the text: it may quote a value.
#[derive(Debug, thiserror::Error)]
#[error("the driver could not {0}")]
pub(super) struct DriverFault(pub(super) &'static str);

/// All connections stayed at work.
#[derive(Debug, thiserror::Error)]
#[error("no connection of the pool was free within {0:?}")]
pub(super) struct PoolTimeout(pub(super) Duration);

/// A server with which there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    #[error("no connection to {place}")]
    Refused { place: String, source: io::Error },
    #[error("{place} has not answered within {patience:?}")]
    Silent { place: String, patience: Duration },
    #[error("no TLS with {place}{}", tls_hint(source.as_ref()))]
    Tls {
        place: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("the connection broke off")]
    Broken(#[source] io::Error),
    #[error("the connection is gone")]
    Lost,
}

/// By default `openssl x509 -req` makes certificates of version 1, which is what PostgreSQL's manual shows.
fn tls_hint(error: &(dyn StdError + 'static)) -> &'static str {
    if crate::fault::chain(error).contains("UnsupportedCertVersion") {
        ": the server's certificate is of X.509 version 1, which nothing can be verified by; let its CA sign it again as version 3 (`openssl x509 -req … -extfile` with a line `subjectAltName = DNS:<its host>`)"
    } else {
        ""
    }
}

/// The answer of another question than was asked, or of a session that is another's. It is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Foreign {
    #[error(
        "the database answered with other columns than were asked for; if the table is as it was, a pooler between the gateway and the database mixes its clients' answers"
    )]
    Columns,
    #[error(
        "the connection does not keep a transaction and its settings; a pooler between the gateway and the database must keep a transaction on one connection"
    )]
    Transaction,
}

impl Unreachable {
    pub(super) fn source_error(place: &Place, source: io::Error) -> SourceError {
        let place = place.to_string();
        SourceError::Unavailable(Box::new(Self::Refused { place, source }))
    }

    pub(super) fn silent(place: &Place, patience: Duration) -> SourceError {
        let place = place.to_string();
        SourceError::Unavailable(Box::new(Self::Silent { place, patience }))
    }

    pub(super) fn tls(place: &Place, source: Box<dyn StdError + Send + Sync>) -> SourceError {
        let place = place.to_string();
        SourceError::Unavailable(Box::new(Self::Tls { place, source }))
    }

    pub(super) fn broken(error: io::Error) -> SourceError {
        SourceError::Unavailable(Box::new(Self::Broken(error)))
    }

    pub(super) fn lost() -> SourceError {
        SourceError::Unavailable(Box::new(Self::Lost))
    }
}

/// Judges the code of a refused statement that was allowed to take `timeout`.
pub(super) fn refused(code: String, timeout: Duration) -> SourceError {
    match code.as_str() {
        // PostgreSQL: query_canceled, lock_not_available, idle_in_transaction_session_timeout; MySQL:
        // ER_QUERY_TIMEOUT, ER_LOCK_WAIT_TIMEOUT; MariaDB: ER_STATEMENT_TIMEOUT.
        "57014" | "55P03" | "25P03" | "3024" | "1205" | "1969" | "70100" => {
            SourceError::Timeout(timeout)
        }
        // Connections refused or ended by the server; MySQL: shutdown, killed or idle too long; a session that is not
        // the gateway's own.
        "08000" | "08003" | "08006" | "08P01" | "57P01" | "57P02" | "57P03" | "57P05" | "53300"
        | "28P01" | "28000" | "3D000" | "1040" | "1045" | "1049" | "1053" | "1077" | "1079"
        | "1242" | "1243" | "1927" | "4031" => SourceError::Unavailable(Box::new(Refusal { code })),
        _ => SourceError::Failed(Box::new(Refusal { code })),
    }
}

/// Whether a server refuses who comes, or knows nothing of where they want to go.
pub(super) fn is_denial(error: &SourceError) -> bool {
    let SourceError::Unavailable(cause) = error else {
        return false;
    };
    let code = cause.downcast_ref().map(|Refusal { code }| code.as_str());
    matches!(code, Some("28P01" | "28000" | "3D000" | "1045" | "1049"))
}

/// Whether a value has a character that the database cannot hold: untranslatable_character, character_not_in_repertoire.
pub(super) fn is_unholdable(error: &SourceError) -> bool {
    let SourceError::Failed(cause) = error else {
        return false;
    };
    let code = cause.downcast_ref().map(|Refusal { code }| code.as_str());
    matches!(code, Some("22P05" | "22021"))
}

/// Judges an error of a statement that was allowed to take `timeout`.
pub(super) fn judge(error: Error, timeout: Duration) -> SourceError {
    match error {
        Error::Database(e) => refused(code_of(e.as_ref()), timeout),
        Error::Io(e) => Unreachable::broken(e),
        e @ Error::Tls(_) => SourceError::Unavailable(Box::new(e)),
        Error::Protocol(_) => {
            SourceError::Unavailable(Box::new(DriverFault("follow the protocol")))
        }
        Error::Encode(_) => SourceError::Failed(Box::new(DriverFault("bind a value"))),
        _ => SourceError::Failed(Box::new(DriverFault("run the statement"))),
    }
}

/// The same for SQLite, whose errors are numbers.
pub(super) fn judge_sqlite(error: &rusqlite::Error, timeout: Duration) -> SourceError {
    let Some(error) = error.sqlite_error() else {
        return SourceError::Failed(Box::new(DriverFault("run the statement")));
    };
    let code = format!("sqlite {}", error.extended_code & 0xff);
    match error.code {
        ErrorCode::OperationInterrupted => SourceError::Timeout(timeout),
        ErrorCode::DatabaseBusy | ErrorCode::CannotOpen => {
            SourceError::Unavailable(Box::new(Refusal { code }))
        }
        _ => SourceError::Failed(Box::new(Refusal { code })),
    }
}

/// MySQL's own numbers say more than its SQLSTATEs, which are HY000 for most.
fn code_of(error: &dyn sqlx::error::DatabaseError) -> String {
    if let Some(e) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return e.number().to_string();
    }
    error.code().unwrap_or_default().into_owned()
}
