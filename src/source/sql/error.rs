//! What a database's errors mean to the gateway, without the values that databases like to quote in them.

use std::time::Duration;

use rusqlite::ErrorCode;
use sqlx::Error;

use crate::source::SourceError;

/// A database's refusal by its code alone: the message may quote a value.
#[derive(Debug, thiserror::Error)]
#[error("the database answers with error {code}{}", hint(code))]
struct Refusal {
    code: String,
}

fn hint(code: &str) -> &'static str {
    match code {
        "42P01" | "42S02" => ": there is no such table",
        "42703" | "42S22" => ": there is no such column",
        "42501" | "42000" => ": the gateway's role may not do this",
        "28P01" | "28000" => ": the password or the role is refused",
        "3D000" => ": there is no such database",
        "53300" | "08004" => ": it has too many connections",
        "57P01" | "57P03" => ": it is starting or stopping",
        "25006" => ": the session is read-only",
        _ => "",
    }
}

/// The client and the driver disagreed in a way that is not for the text: it may quote a value.
#[derive(Debug, thiserror::Error)]
#[error("the driver could not {0}")]
pub(super) struct Driver(pub(super) &'static str);

/// Judges an error of a statement that was allowed to take `timeout`.
pub(super) fn judge(error: Error, timeout: Duration) -> SourceError {
    match error {
        Error::Database(e) => {
            let code = code_of(e.as_ref());
            match code.as_str() {
                // PostgreSQL: query_canceled, lock_not_available, idle_in_transaction_session_timeout; MySQL:
                // ER_QUERY_TIMEOUT, ER_LOCK_WAIT_TIMEOUT; MariaDB: ER_STATEMENT_TIMEOUT.
                "57014" | "55P03" | "25P03" | "3024" | "1205" | "1969" | "70100" => {
                    SourceError::Timeout(timeout)
                }
                "57P01" | "57P02" | "57P03" | "53300" | "28P01" | "28000" | "3D000" | "1040"
                | "1045" | "1049" => SourceError::Unavailable(Box::new(Refusal { code })),
                _ => SourceError::Failed(Box::new(Refusal { code })),
            }
        }
        Error::Io(e) => SourceError::Unavailable(Box::new(e)),
        e @ (Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed) => {
            SourceError::Unavailable(Box::new(e))
        }
        Error::Protocol(_) => SourceError::Unavailable(Box::new(Driver("follow the protocol"))),
        Error::Encode(_) => SourceError::Failed(Box::new(Driver("bind a value"))),
        _ => SourceError::Failed(Box::new(Driver("run the statement"))),
    }
}

/// The same for SQLite, whose errors are numbers.
pub(super) fn judge_sqlite(error: &rusqlite::Error, timeout: Duration) -> SourceError {
    let Some(error) = error.sqlite_error() else {
        return SourceError::Failed(Box::new(Driver("run the statement")));
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
