//! What a witness has cosigned last of each log, and which logs have contradicted it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Instant;

use crate::digest::hex;
use crate::digest::sha256;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle;
use crate::tlog::note;
use crate::tlog::signed_checkpoint::CheckpointError;

/// What stands in the file, by the lower-case hexadecimal SHA-256 of the log's origin. Written by the witness's thread only,
/// and only when it is durable.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Cosigned {
    last: RwLock<HashMap<String, Arc<LastCosigned>>>,
    /// The origins of logs that have shown another history than the one that was cosigned, until a restart.
    contradicted: Mutex<HashSet<String>>,
}

/// The checkpoint of a log that was cosigned last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastCosigned {
    pub(super) size: u64,
    pub(super) root: merkle::Hash,
    /// With the log's signature and this witness's cosignature.
    pub(super) note: String,
    /// When it was cosigned, or read from the file.
    pub(super) since: Instant,
}

/// A log has shown that it is not the one that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rollback {
    #[error(
        "entry {index} of `{origin}` is new, though this gateway had cosigned {cosigned} entries of it before: the journal \
         was cut back, or restored from an older copy"
    )]
    Shorter {
        origin: String,
        index: u64,
        cosigned: u64,
    },
    #[error("`{origin}` has shown another history than the one that this gateway has cosigned")]
    Contradicted { origin: String },
}

impl Cosigned {
    /// From the notes in the witness's own file.
    pub(super) fn from_notes(notes: Vec<String>) -> Result<Self, CheckpointError> {
        let mut last = HashMap::new();
        for note in notes {
            let (log, read) = LastCosigned::read(note)?;
            last.insert(log, Arc::new(read));
        }
        Ok(Self {
            last: RwLock::new(last),
            ..Self::default()
        })
    }

    pub(super) fn of(&self, log: &str) -> Option<Arc<LastCosigned>> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.get(log).cloned()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.values().map(|last| last.note.clone()).collect()
    }

    pub(super) fn put(&self, durable: impl IntoIterator<Item = (String, Arc<LastCosigned>)>) {
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.extend(durable);
    }

    /// The log itself has shown that it does not continue what was cosigned.
    pub(super) fn contradict(&self, origin: &str) {
        let mut contradicted = self.contradictions();
        if contradicted.insert(origin.to_owned()) {
            tracing::error!(
                origin,
                "a journal contradicts what this gateway has cosigned of it: nothing is released that rests on it"
            );
        }
    }

    /// An entry that was written after `asked` stands after all that was cosigned before.
    pub(in crate::evidence) fn check_entry(
        &self,
        origin: &str,
        index: u64,
        asked: Instant,
    ) -> Result<(), Rollback> {
        let origin = origin.to_owned();
        if self.contradictions().contains(&origin) {
            return Err(Rollback::Contradicted { origin });
        }
        match self.of(&log_hash(&origin)) {
            Some(last) if last.since < asked && index < last.size => {
                self.contradict(&origin);
                Err(Rollback::Shorter {
                    origin,
                    index,
                    cosigned: last.size,
                })
            }
            _ => Ok(()),
        }
    }

    fn contradictions(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // The set is whole at every moment.
        self.contradicted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastCosigned {
    /// From the witness's own file, which a checksum vouches for.
    fn read(note: String) -> Result<(String, Self), CheckpointError> {
        let (text, _) = note::split(&note)?;
        let Checkpoint { origin, size, root } = Checkpoint::parse(text)?;
        let last = Self {
            size,
            root,
            note,
            since: Instant::now(),
        };
        Ok((log_hash(&origin), last))
    }
}

/// How a witness's monitoring paths name a log: the lower-case hexadecimal SHA-256 of its origin.
pub fn log_hash(origin: &str) -> String {
    hex(&sha256(&[origin.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_new_entry_stands_behind_all_that_was_cosigned_before_it_was_asked_for() {
        let cosigned = Cosigned::default();
        let since = Instant::now();
        let last = LastCosigned {
            size: 10,
            root: [1; 32],
            note: String::new(),
            since,
        };
        cosigned.put([(log_hash("log"), Arc::new(last))]);
        let (before, after) = (since, since + Duration::from_millis(1));
        // Cosigned while the answer was under way: it may be among the ten.
        assert_eq!(cosigned.check_entry("log", 9, before), Ok(()));
        assert_eq!(cosigned.check_entry("log", 10, after), Ok(()));
        assert_eq!(cosigned.check_entry("other", 0, after), Ok(()));
        assert!(matches!(
            cosigned.check_entry("log", 9, after),
            Err(Rollback::Shorter { cosigned: 10, .. })
        ));
        // Once is enough, however much the other history grows.
        assert!(matches!(
            cosigned.check_entry("log", 11, after),
            Err(Rollback::Contradicted { .. })
        ));
    }
}
