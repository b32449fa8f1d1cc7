//! Which entries a verb is about: one by its index, or those of an exchange.

use super::Place;
use super::unreadable;
use crate::cli::exit::Failure;
use crate::evidence::criteria::Criteria;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::journal::reader::StoredEntry;
use crate::name::ExchangeId;

#[derive(Clone, Copy)]
pub(super) enum EntryArg {
    Entry(u64),
    Exchange(ExchangeId),
}

/// The entries of one exchange: an opening and its end, or one.
const MAX_ENTRIES: usize = 16;

pub(super) fn which(text: &str) -> Result<EntryArg, String> {
    let index = text
        .strip_prefix('#')
        .unwrap_or(text)
        .parse()
        .map(EntryArg::Entry);
    let exchange = || text.parse().map(EntryArg::Exchange);
    index.or_else(|_| exchange()).map_err(|_| "expected an exchange's id, such as answers and `audit search` show it, or an entry's index".to_owned())
}

impl EntryArg {
    /// At least one, the oldest first.
    pub(super) fn entries(self, place: &Place) -> Result<Vec<StoredEntry>, Failure> {
        let reader = place.reader();
        let mut indexes = Vec::new();
        match self {
            Self::Entry(index) => indexes.push(index),
            Self::Exchange(exchange) => {
                let criteria = Criteria {
                    exchange: Some(exchange),
                    ..Criteria::default()
                };
                let index = place.index();
                let page = Page::newest(MAX_ENTRIES);
                let found = find(&reader, index.as_ref(), &criteria, page).map_err(unreadable)?;
                for hit in found.hits {
                    indexes.push(hit.index);
                    indexes.extend(hit.end.map(|end| end.index));
                }
                indexes.sort_unstable();
            }
        }
        let mut entries = Vec::new();
        for index in indexes {
            entries.extend(reader.entry(index).map_err(unreadable)?);
        }
        if entries.is_empty() {
            return Err(anyhow::anyhow!("the journal has no such entry").into());
        }
        Ok(entries)
    }
}
