//! Reads a journal commit by commit, so that what follows it knows where it stands.

use super::ReadError;
use super::Reader;
use super::StoredEntry;
use super::settled;
use crate::journal::scan::CommitAt;
use crate::journal::scan::Walker;
use crate::tlog::merkle::Hash;

/// A commit that has been followed: where it stands, and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: CommitAt,
    /// The tree's root after it. No other journal, nor another course of this one, has the same.
    pub(crate) root: Hash,
}

/// One commit with its entries.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) mark: Mark,
    pub(crate) entries: Vec<StoredEntry>,
}

/// Commits, the oldest first.
#[derive(Debug)]
pub(crate) struct Commits(Walker);

impl Reader {
    /// The commits after that one, or all. `None` if the journal has no such commit: it is another journal, or this one
    /// took another course.
    pub(crate) fn commits(&self, after: Option<&Mark>) -> Result<Option<Commits>, ReadError> {
        let Some(mark) = after else {
            return Ok(Some(Commits(Walker::start(self.layout.clone()))));
        };
        let mut walker = match Walker::before(self.layout.clone(), mark.at) {
            Err(ReadError::Missing { .. }) => return Ok(None),
            other => other?,
        };
        match walker.read_header() {
            Ok(Some(header)) if header.first == mark.at.first && header.root == mark.root => {
                walker.pass(&header);
                Ok(Some(Commits(walker)))
            }
            Ok(_) | Err(ReadError::Damaged { .. } | ReadError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Commits {
    /// `None` at the end; it can be asked again for what was written since.
    pub(crate) fn next(&mut self) -> Result<Option<Commit>, ReadError> {
        let Some(frame) = settled(&mut self.0)? else {
            return Ok(None);
        };
        let (segment, end) = self.0.position();
        let mark = Mark {
            at: CommitAt {
                segment,
                offset: end.saturating_sub(frame.header.length as u64),
                first: frame.header.first,
            },
            root: frame.header.root,
        };
        let entries = frame
            .into_entries()
            .map(StoredEntry::new)
            .collect::<Result<_, _>>()?;
        Ok(Some(Commit { mark, entries }))
    }
}
