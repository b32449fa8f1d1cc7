//! Connections out of a pool.

use sqlx::Database;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

/// A connection out of the pool, opened if need be. What opens one is a future of many kilobytes: it stands apart, so
/// that who finds a connection idle does not carry it, nor anyone who waits for them.
pub(super) async fn acquire<DB: Database>(
    pool: &Pool<DB>,
) -> Result<PoolConnection<DB>, sqlx::Error> {
    match pool.try_acquire() {
        Some(idle) => Ok(idle),
        None => Box::pin(pool.acquire()).await,
    }
}

/// A connection out of the pool. Back in the pool it would first read to its end whatever is under way, so one that is
/// dropped at work is closed instead.
pub(super) struct Lease<DB: Database> {
    pub(super) connection: PoolConnection<DB>,
    pub(super) at_work: bool,
}

impl<DB: Database> Lease<DB> {
    pub(super) fn new(connection: PoolConnection<DB>) -> Self {
        Self {
            connection,
            at_work: false,
        }
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if self.at_work {
            self.connection.close_on_drop();
        }
    }
}
