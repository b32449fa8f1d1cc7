//! Keyed hashes of the people and records that an entry is about: searched for with the key, not guessed without it.
//!
//! Each month has a random key of its own, so that tags of two departments or two months cannot be joined, and so that a
//! month's tags say nothing any more once its key is destroyed.

mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use aws_lc_rs::hmac;
use time::Date;
use time::Month;
use time::UtcOffset;

use crate::clock::Moment;
use crate::digest::length_prefixed;
use crate::name::RecordType;
use crate::pb;
use store::Store;

/// The tag of one identifier under one month's key.
pub type Tag = [u8; 16];

/// A department's monthly keys, in a folder: `2026-11.key`, and `2026-11.destroyed` where a key has been destroyed.
#[derive(Clone)]
pub struct SubjectKeys(Arc<Shared>);

struct Shared {
    store: Store,
    /// What has been read or made, by month.
    known: RwLock<BTreeMap<u32, Arc<MonthKey>>>,
}

/// Tags of subjects that one entry lists; a transfer of more is one in bulk.
pub const MAX_SUBJECTS: usize = 100;

/// What has become of a month's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Held,
    /// With the month's last record, whose retention had ended.
    Destroyed,
    Missing,
}

/// One month's key.
pub struct MonthKey {
    epoch: u32,
    subjects: hmac::Key,
    records: hmac::Key,
    filters: hmac::Key,
}

/// Why a month's key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SubjectKeyError {
    #[error("cannot {operation} `{}`", path.display())]
    File {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is no month's key: one has 32 bytes; restore it from its backup", path.display())]
    NotAKey { path: PathBuf },
    #[error("the key of {month} has been destroyed and is not made again; is the clock right?")]
    Destroyed { month: String },
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl SubjectKeys {
    /// Opens the folder for its gateway, which makes a month's key when it first needs one. What an earlier run had left
    /// half done is done.
    pub fn open(folder: &Path) -> Result<Self, SubjectKeyError> {
        let keys = Self::at(folder);
        keys.0.store.prepare()?;
        Ok(keys)
    }

    /// The keys in a folder, for who only reads them.
    pub fn at(folder: &Path) -> Self {
        Self(Arc::new(Shared {
            store: Store::new(folder),
            known: RwLock::default(),
        }))
    }

    /// The key of that time's month. At its first use in a month it is made, and durable before this returns.
    pub fn month(&self, at: Moment) -> Result<Arc<MonthKey>, SubjectKeyError> {
        let epoch = epoch(at);
        if let Some(key) = self.known(epoch) {
            return Ok(key);
        }
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the lock before may have made it.
        if let Some(key) = known.get(&epoch) {
            return Ok(key.clone());
        }
        let secret = match self.0.store.read(epoch)? {
            Some(secret) => secret,
            None => self.0.store.make(epoch)?,
        };
        let key = Arc::new(MonthKey::new(epoch, &secret));
        known.insert(epoch, key.clone());
        Ok(key)
    }

    /// The months that have a key, ascending.
    pub fn epochs(&self) -> Result<Vec<u32>, SubjectKeyError> {
        self.0.store.epochs()
    }

    /// What has become of a month's key.
    pub fn state(&self, epoch: u32) -> Result<KeyState, SubjectKeyError> {
        match self.0.store.read(epoch) {
            // What was on record by the one that was lost, the present one does not find.
            Ok(Some(_)) if self.0.store.is_lost(epoch) => Ok(KeyState::Missing),
            Ok(Some(_)) => Ok(KeyState::Held),
            Ok(None) => Ok(KeyState::Missing),
            Err(SubjectKeyError::Destroyed { .. }) => Ok(KeyState::Destroyed),
            Err(error) => Err(error),
        }
    }

    /// Destroys a month's key for good: what its tags are of can be told no more. To be called when the month's last record
    /// is erased.
    pub fn destroy(&self, epoch: u32) -> Result<(), SubjectKeyError> {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(&epoch);
        self.0.store.destroy(epoch)
    }

    /// Whether a month's key is here, or gone with somebody's knowledge.
    pub(crate) fn accounts_for(&self, epoch: u32) -> bool {
        self.0.store.accounts_for(epoch)
    }

    /// Goes on without the key of a month, such as `2026-11`, that was lost.
    pub fn give_up(&self, month: &str) -> Result<(), SubjectKeyError> {
        match store::parse(month) {
            Some(epoch) => self.0.store.give_up(epoch),
            None => Ok(()),
        }
    }

    /// The tags that a person or body had from the one time to before the other.
    pub fn subject_between(
        &self,
        scheme: &str,
        id: &str,
        since: Option<Moment>,
        until: Option<Moment>,
    ) -> Result<Vec<pb::SubjectTag>, SubjectKeyError> {
        let keys = self.between(since, until)?;
        Ok(keys.iter().map(|key| key.subject(scheme, id)).collect())
    }

    /// The tags that a record's key had from the one time to before the other.
    pub fn record_key_between(
        &self,
        record: &RecordType,
        key: &str,
        since: Option<Moment>,
        until: Option<Moment>,
    ) -> Result<Vec<Tag>, SubjectKeyError> {
        let keys = self.between(since, until)?;
        Ok(keys
            .iter()
            .map(|month| month.record_key(record, key))
            .collect())
    }

    /// Keys of the months that entries of that time may have.
    fn between(
        &self,
        since: Option<Moment>,
        until: Option<Moment>,
    ) -> Result<Vec<Arc<MonthKey>>, SubjectKeyError> {
        let asked = months(since, until);
        let mut keys = Vec::new();
        for epoch in self.epochs()? {
            if !asked.contains(&epoch) {
                continue;
            }
            if let Some(key) = self.known(epoch) {
                keys.push(key);
            } else if let Some(secret) = self.0.store.read(epoch)? {
                keys.push(Arc::new(MonthKey::new(epoch, &secret)));
            }
        }
        Ok(keys)
    }

    fn known(&self, epoch: u32) -> Option<Arc<MonthKey>> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&epoch).cloned()
    }
}

impl MonthKey {
    fn new(epoch: u32, secret: &[u8; 32]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &str| {
            let derived = hmac::sign(&secret, purpose.as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
        };
        Self {
            epoch,
            subjects: derived("landbridge subject\0"),
            records: derived("landbridge record key\0"),
            filters: derived("landbridge filter\0"),
        }
    }

    /// The tag of a person or body that a record is about. `scheme` says what kind of identifier it is: the name of the
    /// field that holds it.
    pub fn subject(&self, scheme: &str, id: &str) -> pb::SubjectTag {
        pb::SubjectTag {
            epoch: self.epoch,
            tag: tag(&self.subjects, scheme, id).to_vec().into(),
        }
    }

    /// The tag of the key by which a record is asked for, so that tries at one record can be counted.
    pub fn record_key(&self, record: &RecordType, key: &str) -> Tag {
        tag(&self.records, record.as_str(), key)
    }

    /// The tag of a count's filter, so that different ones can be counted.
    pub fn filter(&self, record: &RecordType, filter: &str) -> Tag {
        tag(&self.filters, record.as_str(), filter)
    }
}

/// `HMAC(HMAC(month's key, purpose), LP(scheme) || LP(id))[:16]`, with HMAC-SHA-256.
fn tag(key: &hmac::Key, scheme: &str, id: &str) -> Tag {
    let mut context = hmac::Context::with_key(key);
    for part in [scheme, id] {
        length_prefixed(part.as_bytes(), |bytes| context.update(bytes));
    }
    // An HMAC-SHA-256 has 32 bytes.
    context
        .sign()
        .as_ref()
        .first_chunk()
        .copied()
        .unwrap_or_default()
}

impl fmt::Debug for SubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKeys(..)")
    }
}

impl fmt::Debug for MonthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MonthKey(..)")
    }
}

/// The months that entries of that time may have: an exchange that began in one may be on record in the next.
fn months(since: Option<Moment>, until: Option<Moment>) -> RangeInclusive<u32> {
    let first = since.map_or(0, |since| epoch(since).saturating_sub(1));
    first..=until.map_or(u32::MAX, epoch)
}

/// Months since January 1970, UTC; 0 for what was before.
pub fn epoch(at: Moment) -> u32 {
    let date = at.date(UtcOffset::UTC);
    let months = (date.year() - 1970) * 12 + i32::from(u8::from(date.month())) - 1;
    u32::try_from(months).unwrap_or(0)
}

/// When a month begins, and when the next one does.
pub fn month_of(epoch: u32) -> (Moment, Moment) {
    let begins = |epoch: u32| {
        let year = i32::try_from(1970 + epoch / 12).unwrap_or(i32::MAX);
        let month = u8::try_from(epoch % 12 + 1)
            .ok()
            .and_then(|month| Month::try_from(month).ok());
        let day = month.and_then(|month| Date::from_calendar_date(year, month, 1).ok());
        let seconds = day.map_or(i64::MAX, |day| day.midnight().assume_utc().unix_timestamp());
        Moment::from_micros(seconds.saturating_mul(1_000_000))
    };
    (begins(epoch), begins(epoch.saturating_add(1)))
}

/// A month as people write it: `2026-11`.
pub fn month_name(epoch: u32) -> String {
    format!("{:04}-{:02}", 1970 + epoch / 12, epoch % 12 + 1)
}

#[cfg(test)]
mod tests;
