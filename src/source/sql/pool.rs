//! Connections to a database that wait for work, and what is done about those that have died while they waited.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio::time::timeout;

use super::address::Address;
use super::address::BadAddress;
use super::error::PoolTimeout;
use super::error::Unreachable;
use super::error::is_denial;
use super::settings::DatabaseUrl;
use super::settings::SqlSettings;
use super::settings::UrlFile;
use crate::fault::chain;
use crate::source::SourceError;

/// How long a used connection may take until it shows that its server is still there.
pub(super) const LIVENESS: Duration = Duration::from_secs(2);
/// A connection that has waited longer than this is closed rather than used.
const STALE: Duration = Duration::from_secs(600);
/// How often the file of an address is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// What a pool must know of a kind of database.
pub(super) trait Backend: fmt::Debug + Send + Sync + 'static {
    type Connection: Send + 'static;

    fn open(
        &self,
        address: &Address,
    ) -> impl Future<Output = Result<Self::Connection, SourceError>> + Send;

    /// Whether a connection that has waited for this long may be used again.
    fn is_usable(
        &self,
        connection: &mut Self::Connection,
        idle: Duration,
    ) -> impl Future<Output = bool> + Send;

    /// Ends what is under way, without waiting. `false` where only closing the connection ends it.
    fn leave(&self, connection: &mut Self::Connection) -> bool;
}

/// The connections to one database. None is opened before it is needed.
#[derive(Debug)]
pub(super) struct Pool<B: Backend>(Arc<Shared<B>>);

struct Shared<B: Backend> {
    backend: B,
    /// For the connections at work.
    places: Arc<Semaphore>,
    patience: Duration,
    waiting: Mutex<Waiting<B::Connection>>,
    file: Option<UrlFile>,
}

struct Waiting<C> {
    /// The last one to come is the first to go, so that few are kept warm.
    connections: Vec<(C, Instant)>,
    address: Arc<Address>,
    /// Counts addresses: a connection to another one than the present is not kept.
    era: u64,
    /// When the file of the address was last looked at.
    looked: Instant,
}

/// A connection at work. Comes back to its pool when it is dropped.
pub(super) struct Lease<B: Backend> {
    /// `None` only while it is dropped.
    connection: Option<B::Connection>,
    pool: Pool<B>,
    era: u64,
    _place: OwnedSemaphorePermit,
}

impl<B: Backend> Pool<B> {
    pub(super) fn new(backend: B, address: Address, settings: &SqlSettings) -> Self {
        Self(Arc::new(Shared {
            backend,
            places: Arc::new(Semaphore::new(settings.pool as usize)),
            patience: settings.acquire_timeout,
            waiting: Mutex::new(Waiting {
                connections: Vec::new(),
                address: Arc::new(address),
                era: 0,
                looked: Instant::now(),
            }),
            file: settings.url_file.clone().map(UrlFile),
        }))
    }

    pub(super) fn backend(&self) -> &B {
        &self.0.backend
    }

    /// Does the work on a connection. One that has waited may be dead, and so may all others then: where the work fails
    /// for want of a connection it is done once more on a new one, unless something of it has been seen already.
    pub(super) async fn with<T, F>(
        &self,
        work: impl Fn(Lease<B>) -> F,
        may_repeat: impl Fn() -> bool,
    ) -> Result<T, SourceError>
    where
        F: Future<Output = Result<T, SourceError>>,
    {
        let place = self.place().await?;
        let lease = match self.waiting_one().await {
            Some((connection, era)) => self.lease(connection, era, place),
            None => {
                let lease = Box::pin(self.open(place)).await?;
                return work(lease).await;
            }
        };
        match work(lease).await {
            Err(SourceError::Unavailable(_)) if may_repeat() => {
                drop(self.waiting().take());
                let place = self.place().await?;
                work(Box::pin(self.open(place)).await?).await
            }
            outcome => outcome,
        }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, SourceError> {
        let place = timeout(self.0.patience, self.0.places.clone().acquire_owned());
        match place.await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(SourceError::Unavailable(Box::new(PoolTimeout(
                self.0.patience,
            )))),
        }
    }

    async fn waiting_one(&self) -> Option<(B::Connection, u64)> {
        self.follow_file().await;
        loop {
            let began = Instant::now();
            let (mut connection, idle, era) = self.waiting().next()?;
            if idle < STALE && self.0.backend.is_usable(&mut connection, idle).await {
                return Some((connection, era));
            }
            // All that were there have waited for longer: to try each would cost a wait each.
            self.waiting().drop_older(began);
        }
    }

    /// What opens a connection is a future of many kilobytes: callers box it, so that who finds a connection waiting
    /// does not carry it.
    async fn open(&self, place: OwnedSemaphorePermit) -> Result<Lease<B>, SourceError> {
        let (address, era) = self.waiting().address();
        match self.open_at(&address).await {
            Ok(connection) => Ok(self.lease(connection, era, place)),
            Err(error) if is_denial(&error) && self.read_file().await => {
                let (address, era) = self.waiting().address();
                let connection = self.open_at(&address).await?;
                Ok(self.lease(connection, era, place))
            }
            Err(error) => Err(error),
        }
    }

    async fn open_at(&self, address: &Address) -> Result<B::Connection, SourceError> {
        let patience = self.0.patience;
        match timeout(patience, self.0.backend.open(address)).await {
            Ok(opened) => opened,
            Err(_) => Err(Unreachable::silent(&address.place, patience)),
        }
    }

    async fn follow_file(&self) {
        if self.0.file.is_some() && self.waiting().should_check() {
            self.read_file().await;
        }
    }

    /// Takes up the address that its file has now. Returns whether it is another one.
    async fn read_file(&self) -> bool {
        let Some(file) = self.0.file.clone() else {
            return false;
        };
        let url = match file.read().await {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(file = %file.0.display(), %error, "the file of a database's address cannot be read");
                return false;
            }
        };
        self.waiting().follow(&url).unwrap_or_else(|error| {
            let error = chain(&error);
            tracing::warn!(file = %file.0.display(), %error, "the file of a database's address has none");
            false
        })
    }

    fn lease(&self, connection: B::Connection, era: u64, place: OwnedSemaphorePermit) -> Lease<B> {
        Lease {
            connection: Some(connection),
            pool: self.clone(),
            era,
            _place: place,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<B::Connection>> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Waiting<C> {
    fn next(&mut self) -> Option<(C, Duration, u64)> {
        let (connection, since) = self.connections.pop()?;
        Some((connection, since.elapsed(), self.era))
    }

    fn take(&mut self) -> Vec<(C, Instant)> {
        std::mem::take(&mut self.connections)
    }

    /// Lets go of the connections that came before that time.
    fn drop_older(&mut self, time: Instant) {
        self.connections.retain(|(_, since)| *since >= time);
    }

    fn address(&self) -> (Arc<Address>, u64) {
        (Arc::clone(&self.address), self.era)
    }

    fn should_check(&mut self) -> bool {
        let is_time = self.looked.elapsed() >= CHECK_EVERY;
        if is_time {
            self.looked = Instant::now();
        }
        is_time
    }

    fn follow(&mut self, url: &DatabaseUrl) -> Result<bool, BadAddress> {
        let address = Address::parse(url.as_str())?;
        if *self.address == address {
            return Ok(false);
        }
        if self.address.dialect != address.dialect {
            return Err(BadAddress::OtherDatabase);
        }
        self.address = Arc::new(address);
        self.era += 1;
        self.connections.clear();
        Ok(true)
    }
}

impl<B: Backend> Lease<B> {
    pub(super) fn connection(&mut self) -> Result<&mut B::Connection, SourceError> {
        self.connection.as_mut().ok_or_else(Unreachable::lost)
    }
}

impl<B: Backend> Drop for Lease<B> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let may_stay = self.pool.0.backend.leave(&mut connection);
        let mut waiting = self.pool.waiting();
        if may_stay && waiting.era == self.era {
            waiting.connections.push((connection, Instant::now()));
        }
    }
}

impl<B: Backend> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend> fmt::Debug for Shared<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.backend.fmt(f)
    }
}
