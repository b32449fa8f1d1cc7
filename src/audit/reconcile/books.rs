//! What this gateway has on record of its exchanges with a peer.

use std::path::Path;
use std::path::PathBuf;

use super::Item;
use super::window::Window;
use crate::audit::Journal;
use crate::audit::Role;
use crate::audit::index::Accounted;
use crate::audit::index::Index;
use crate::audit::index::IndexError;
use crate::name::DepartmentId;

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
}

fn item(accounted: &Accounted, side: Role) -> Item {
    let &Accounted {
        exchange,
        digest,
        outcome,
        has_peer_leaf,
        ..
    } = accounted;
    match side {
        Role::Provider => Item::provider(exchange, digest),
        Role::Consumer | Role::None => Item::consumer(exchange, digest, outcome, has_peer_leaf),
    }
}
