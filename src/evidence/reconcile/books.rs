//! What this gateway has on record of its exchanges with a peer.

use std::path::Path;
use std::path::PathBuf;

use super::Item;
use super::window::Window;
use crate::clock::Moment;
use crate::evidence::criteria::Criteria;
use crate::evidence::hit::Hit;
use crate::evidence::index::AccountedExchange;
use crate::evidence::index::Index;
use crate::evidence::index::IndexError;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::journal::Journal;
use crate::journal::Kind;
use crate::journal::Role;
use crate::journal::reader::Reader;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;

/// The entries that are looked through at a time: with a peer that asks as much as it is asked, two are enough.
const PAGE: usize = 16;

/// A journal with its index.
#[derive(Debug, Clone)]
pub struct Books {
    journal: Journal,
    dir: PathBuf,
}

impl Books {
    /// `dir`: the journal's folder.
    pub fn new(journal: Journal, dir: &Path) -> Self {
        Self {
            journal,
            dir: dir.to_owned(),
        }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The entries that the journal has now. What a peer has heard of is among them.
    pub fn size(&self) -> u64 {
        self.journal.checkpoint().size()
    }

    /// The window's exchanges with that department in which this gateway was on that side. `None` while the index does not
    /// yet have the first `size` entries. Reads a database: not for an async task.
    pub fn items(
        &self,
        size: u64,
        peer: &DepartmentId,
        side: Role,
        window: Window,
    ) -> Result<Option<Vec<Item>>, IndexError> {
        let Some(index) = Index::open(&self.dir)?.filter(|index| index.complete_to() >= size)
        else {
            return Ok(None);
        };
        let exchanges = index.exchanges_with(peer, side, window.start(), window.end())?;
        Ok(Some(exchanges.iter().map(|e| item(e, side)).collect()))
    }

    /// Whether this gateway has asked the department for anything since that moment. Reads a database: not for an async task.
    pub fn has_asked(&self, peer: &DepartmentId, since: Moment) -> Result<bool, IndexError> {
        let Some(index) = Index::open(&self.dir)? else {
            return Ok(true);
        };
        index.has_asked(peer, since)
    }

    /// Up to when this gateway, as the consumer, has comparisons with the department on record; without one since that moment:
    /// that moment, or when the journal begins. Reads a database: not for an async task.
    pub fn compared_until(&self, peer: &DepartmentId, since: Moment) -> Result<Moment, IndexError> {
        let (reader, index) = (Reader::open(&self.dir), Index::open(&self.dir)?);
        let criteria = Criteria {
            kind: Some(Kind::Reconciliation),
            peer: Some(peer.clone()),
            since: Some(since),
            ..Criteria::default()
        };
        let mut page = Page::newest(PAGE);
        loop {
            let found = find(&reader, index.as_ref(), &criteria, page)?;
            // The newest entry may be of an older window, which had been set aside.
            let windows = found.hits.iter().filter_map(as_consumer);
            match (windows.max(), found.next) {
                (Some(window), _) => return Ok(window.end()),
                (None, Some(before)) => page.before = Some(before),
                (None, None) => break,
            }
        }
        let first = reader.entry(0)?;
        Ok(first.map_or(since, |first| since.max(first.leaf.time)))
    }
}

fn as_consumer(hit: &Hit) -> Option<Window> {
    let Some(Record::Reconciliation(record)) = hit.record_kind() else {
        return None;
    };
    if !record.uncompared.is_empty() {
        return None;
    }
    let window = pb::Window {
        start_ms: record.window_start_ms,
        length_ms: record.window_ms,
    };
    Window::read(&window).filter(|_| record.side == Role::Consumer.as_str())
}

fn item(accounted: &AccountedExchange, side: Role) -> Item {
    let &AccountedExchange {
        exchange,
        digest,
        outcome,
        heard,
        ..
    } = accounted;
    match side {
        Role::Provider => Item::provider(exchange, digest),
        Role::Consumer | Role::None => Item::consumer(exchange, digest, outcome, heard),
    }
}
