//! What a journal's witnesses think of it, and a journal that takes nothing until they have been asked.

use std::sync::Arc;

use super::Journal;
use super::JournalError;
use super::opening::Opening;
use super::reader::StoredEntry;
use crate::clock::Moment;

/// Whether a journal may be relied upon, as its witnesses have it. `why` names the witnesses that keep it from being good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalTrust {
    /// A quorum knows of no later state, and cosigns in time; or nobody asks for witnesses.
    Good,
    /// No quorum has yet said that this is the journal's newest state. It may be a copy made earlier: an entry more would
    /// fork it, so none is taken.
    Unconfirmed { why: String },
    /// The oldest entry that no quorum has cosigned is older than it may be. Entries are taken.
    Unwitnessed { since: Moment, why: String },
}

/// An open journal that takes no entry yet.
#[derive(Debug)]
pub struct HeldJournal {
    pub(super) journal: Journal,
    /// Opening entries of streams that the last run left open.
    pub(super) unclosed: Vec<StoredEntry>,
}

impl HeldJournal {
    /// Refuses all entries until it is released.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Lets entries in. Those that close interrupted streams come first.
    pub fn release(self) -> Result<Journal, JournalError> {
        for stored in &self.unclosed {
            // They are queued before anybody else's; should they fail, the next recovery finds them again.
            let ended = Opening::interrupted(&self.journal, stored)?.end_interrupted(stored.index);
            if let Err(error) = ended {
                tracing::error!(opened_at = stored.index, %error, "a stream's end is not in the journal");
            }
        }
        self.journal
            .shared
            .standing
            .store(Arc::new(JournalTrust::Good));
        Ok(self.journal)
    }
}

#[cfg(test)]
mod tests;
