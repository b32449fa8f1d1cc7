//! The two databases that records come from, filled once for all rounds.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::Executor;
use sqlx::PgConnection;
use sqlx::SqliteConnection;

use crate::harness::bed::Pair;
use crate::harness::residents;
use crate::two_hops::postgres::Server;

/// A filled database.
#[derive(Debug)]
pub(crate) struct Database {
    name: &'static str,
    url: String,
    /// Ends with this.
    _server: Option<Server>,
}

impl Database {
    pub(crate) async fn sqlite(folder: &Path, residents: u32) -> anyhow::Result<Self> {
        let url = format!("sqlite:{}", folder.join("population.sqlite").display());
        let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await?;
        run(&mut connection, residents::for_sqlite(residents)).await?;
        connection.close().await?;
        Ok(Self {
            name: "SQLite",
            url,
            _server: None,
        })
    }

    pub(crate) async fn postgres(residents: u32) -> anyhow::Result<Self> {
        let server = Server::start()?;
        let mut connection = PgConnection::connect(server.url()).await?;
        // One by one: VACUUM cannot run within the transaction of several statements.
        for statement in residents::for_postgres(residents).split_inclusive(';') {
            run(&mut connection, statement.to_owned()).await?;
        }
        connection.close().await?;
        Ok(Self {
            name: "PostgreSQL",
            url: server.url().to_owned(),
            _server: Some(server),
        })
    }
}

impl Database {
    /// Gateways over it.
    pub(crate) fn pair<'a>(&self, gateway: &'a Path, note: &str) -> Pair<'a> {
        Pair {
            name: format!("{}{note}", self.name),
            gateway,
            source: residents::source(&self.url),
            settings: &[],
        }
    }
}

async fn run<C>(connection: &mut C, sql: String) -> Result<(), sqlx::Error>
where
    for<'c> &'c mut C: Executor<'c>,
{
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await?;
    Ok(())
}
