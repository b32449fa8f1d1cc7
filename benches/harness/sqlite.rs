//! The database of the gateways that have one, filled once for all rounds.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::Executor;
use sqlx::SqliteConnection;

use crate::harness::residents;

/// Gives the settings of a source that has them.
pub(crate) async fn fill(folder: &Path, residents: u32) -> anyhow::Result<String> {
    eprintln!("making {residents} residents");
    let url = format!("sqlite:{}", folder.join("population.sqlite").display());
    let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await?;
    let statements = AssertSqlSafe(residents::for_sqlite(residents));
    connection.execute(sqlx::raw_sql(statements)).await?;
    connection.close().await?;
    Ok(residents::source(&url))
}
