//! Finds entries: newest first, each streamed exchange together with how it ended.
//!
//! The index answers for the entries that it covers; what came since is read. Without an index everything is read.

mod find;

use super::hit::Hit;
pub(crate) use find::each;
pub use find::find;

/// Which part of the entries that fit is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries from here on are left out: for the next page, `SearchResult::next` of the last one.
    pub before: Option<u64>,
    /// The most entries.
    pub limit: usize,
}

/// What a search gives.
#[derive(Debug)]
pub struct SearchResult {
    /// The newest first.
    pub hits: Vec<Hit>,
    pub reach: Coverage,
    /// Where the next page goes on: there may be more.
    pub next: Option<u64>,
}

/// How much of the journal a search has considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// All entries before this one: when the search began, the journal's size.
    pub complete_to: u64,
    /// Those before this one by the index; 0 without one.
    pub indexed_to: u64,
}

impl Page {
    pub fn newest(limit: usize) -> Self {
        Self {
            before: None,
            limit,
        }
    }
}

#[cfg(test)]
mod tests;
