//! The reading desk: whoever reads shows a token, and what is read goes on record before it leaves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use time::UtcOffset;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;

use super::error::ReadingError;
use super::reader::KnownReader;
use super::reader::ReadGrant;
use super::reader::Readers;
use super::visibility::Visibility;
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::journal::Entry;
use crate::name::ReaderName;
use crate::pb;
use crate::tlog::merkle::Hash;

/// Questions that are looked up at one time; others wait.
const LOOKUPS: usize = 8;
/// The most of a mandate that the journal keeps, in characters.
const MAX_MANDATE: usize = 256;
const MINUTE_MICROS: i64 = 60_000_000;

/// What every service for readers stands on. One for each gateway.
#[derive(Debug)]
pub struct ReadingDesk {
    pub(crate) exchange: Arc<Exchange>,
    /// The journal's directory.
    pub(crate) journal: PathBuf,
    pub(crate) subjects: Visibility,
    pub(crate) offset: UtcOffset,
    readers: Readers,
    lookups: Arc<Semaphore>,
    /// The minute for which a reader's fetching of tiles is on record.
    fetching: Mutex<BTreeMap<ReaderName, i64>>,
}

/// What kind of reading it was: the journal's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Search,
    Subject,
    /// Of one entry, at the console.
    Show,
    Prove,
    Tiles,
    Export,
    /// Of a page of the console that has no entries.
    View,
    SignIn,
    SignOut,
}

/// One reading, as the journal tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) action: Action,
    /// What was asked for. Instead of a person's identifier it has a tag.
    pub(crate) query: String,
    /// Entries that are about to be given.
    pub(crate) entries: u64,
    /// Of what is taken away as a file.
    pub(crate) sha256: Option<Hash>,
    /// As the reader tells.
    pub(crate) mandate: String,
}

/// Evidence that a reading is on record. Only the desk makes one, and no answer is made without it.
#[derive(Debug)]
pub(crate) struct OnRecord(());

impl Action {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Subject => "subject",
            Self::Show => "show",
            Self::Prove => "prove",
            Self::Tiles => "tiles",
            Self::Export => "export",
            Self::View => "view",
            Self::SignIn => "sign-in",
            Self::SignOut => "sign-out",
        }
    }
}

impl ReadingDesk {
    pub fn new(
        exchange: Arc<Exchange>,
        journal: PathBuf,
        readers: Readers,
        subjects: Visibility,
        offset: UtcOffset,
    ) -> Self {
        Self {
            exchange,
            journal,
            subjects,
            offset,
            readers,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            fetching: Mutex::default(),
        }
    }

    pub(crate) fn know(&self, headers: &HeaderMap) -> Result<KnownReader<'_>, ReadingError> {
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        Ok(self.readers.know(shown)?)
    }

    pub(crate) fn now(&self) -> Moment {
        self.exchange.clock().now()
    }

    /// Looks something up in files, off the async threads.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, ReadingError> + Send + 'static,
    ) -> Result<T, ReadingError> {
        // Taken into the thread: a client that goes away does not make room for another look-up before this one ends.
        let permit = self
            .lookups
            .clone()
            .acquire_owned()
            .await
            .map_err(ReadingError::failed)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            look()
        })
        .await
        .map_err(ReadingError::failed)?
    }

    /// Puts a reading on record. If we die after it, the journal tells of an answer that did not leave: never the reverse.
    pub(crate) async fn record(
        &self,
        granted: &ReadGrant,
        reading: Reading,
    ) -> Result<OnRecord, ReadingError> {
        let (reader, action) = (granted.reader().to_string(), reading.action.as_str());
        let entry = Entry::access(pb::AccessRecord {
            reader: reader.clone(),
            action: action.to_owned(),
            query: reading.query,
            entries: reading.entries,
            sha256: reading
                .sha256
                .map(|hash| hash.to_vec().into())
                .unwrap_or_default(),
            mandate: printable(&reading.mandate),
        });
        self.exchange.journal().append(entry).await?;
        metrics::counter!("landbridge_reads_total", "reader" => reader, "action" => action)
            .increment(1);
        Ok(OnRecord(()))
    }

    /// Puts on record that somebody was not let in, or not to what they asked for; or how many times.
    pub(crate) async fn record_refusal(
        &self,
        who: String,
        what: String,
    ) -> Result<(), ReadingError> {
        let entry = Entry::refused_access(pb::AccessRecord {
            reader: who,
            action: "refused".to_owned(),
            query: what,
            ..pb::AccessRecord::default()
        });
        self.exchange.journal().append(entry).await?;
        Ok(())
    }

    /// Puts on record that a reader fetches tiles: once for each minute, since a copy of the tree takes thousands of them.
    pub(crate) async fn record_fetch(
        &self,
        granted: &ReadGrant,
        path: &str,
    ) -> Result<OnRecord, ReadingError> {
        let minute = self.now().micros().div_euclid(MINUTE_MICROS);
        // Held while the entry is written: a second tile must not leave before the entry that covers it is on disk.
        let mut fetching = self.fetching.lock().await;
        if fetching.get(granted.reader()) == Some(&minute) {
            return Ok(OnRecord(()));
        }
        let reading = Reading {
            action: Action::Tiles,
            query: format!("from {path} on, within this minute"),
            entries: 0,
            sha256: None,
            mandate: String::new(),
        };
        let on_record = self.record(granted, reading).await?;
        fetching.insert(granted.reader().clone(), minute);
        Ok(on_record)
    }
}

fn printable(text: &str) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(MAX_MANDATE).collect()
}
