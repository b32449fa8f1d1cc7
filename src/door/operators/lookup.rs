//! Looks entries up in the journal, by its index as far as that goes.

use std::path::Path;

use super::desk::ReadingDesk;
use super::reading_error::ReadingError;
use crate::audit::index::Index;
use crate::audit::person::Gaps;
use crate::audit::person::Person;
use crate::audit::reader::Reader;
use crate::audit::search;
use crate::audit::search::Criteria;
use crate::audit::search::Page;
use crate::audit::search::SearchResult;
use crate::audit::usage;
use crate::audit::usage::Pick;
use crate::audit::usage::Usages;
use crate::fault::chain;

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
