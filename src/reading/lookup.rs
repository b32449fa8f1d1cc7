//! Looks entries up in the journal, by its index as far as that goes.

use std::path::Path;

use super::desk::ReadingDesk;
use super::error::ReadingError;
use crate::evidence::criteria::Criteria;
use crate::evidence::index::Index;
use crate::evidence::person::Gaps;
use crate::evidence::person::Person;
use crate::evidence::search;
use crate::evidence::search::Page;
use crate::evidence::search::SearchResult;
use crate::evidence::usage;
use crate::evidence::usage::Pick;
use crate::evidence::usage::Usages;
use crate::fault::chain;
use crate::journal::reader::Reader;

/// The newest entries that fit, each stream with how it ended.
pub(crate) fn entries(
    journal: &Path,
    criteria: &Criteria,
    page: Page,
) -> Result<SearchResult, ReadingError> {
    let index = index(journal);
    search::find(&Reader::open(journal), index.as_ref(), criteria, page)
        .map_err(ReadingError::failed)
}

/// The newest usages of a person's data.
pub(crate) fn usages(journal: &Path, person: &Person, pick: Pick) -> Result<Usages, ReadingError> {
    let index = index(journal);
    usage::usages(&Reader::open(journal), index.as_ref(), person, pick)
        .map_err(ReadingError::failed)
}

/// What an answer about the person does not tell.
pub(crate) fn gaps(desk: &ReadingDesk, person: &Person) -> Result<Gaps, ReadingError> {
    let (reader, index) = (Reader::open(&desk.journal), index(&desk.journal));
    let (keys, snapshot) = (desk.exchange.subject_keys(), desk.exchange.snapshot());
    let registry = Some(&*snapshot.registry);
    person
        .gaps(&reader, index.as_ref(), keys, registry, desk.now())
        .map_err(ReadingError::failed)
}

/// The months of which an answer about the person tells nothing.
pub(crate) fn months(desk: &ReadingDesk, person: &Person) -> Result<Gaps, ReadingError> {
    let (reader, index) = (Reader::open(&desk.journal), index(&desk.journal));
    let keys = desk.exchange.subject_keys();
    person
        .months(&reader, index.as_ref(), keys, desk.now())
        .map_err(ReadingError::failed)
}

/// The index, or none where it cannot be used: then everything is read, which is slow but as complete.
pub(crate) fn index(journal: &Path) -> Option<Index> {
    Index::open(journal).unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "the search index is done without");
        None
    })
}
