//! Whether an index agrees with its journal: a "none" of one that does not is worth nothing.

use rusqlite::Connection;

use super::Index;
use super::IndexError;
use super::bits::Bits;
use super::requirement::facet_key;
use crate::evidence::facet::Facet;
use crate::journal::Kind;
use crate::journal::Role;

impl Index {
    /// Whether as many entries have a kind, and a role, as the journal has entries. The ends of streams are no entries of
    /// their own here, and there are no more of them than beginnings.
    pub(in crate::evidence) fn agrees(&self) -> Result<bool, IndexError> {
        let of_kind = |kind: Kind| count(&self.connection, Facet::Kind, kind.as_str());
        let kinds = Kind::ALL.iter().map(|kind| of_kind(*kind));
        let kinds: u64 = kinds.sum::<rusqlite::Result<u64>>()?;
        let roles = Role::ALL.iter();
        let roles: u64 = roles
            .map(|role| count(&self.connection, Facet::Role, role.as_str()))
            .sum::<rusqlite::Result<u64>>()?;
        let ended = self.complete_to().checked_sub(kinds);
        let begun = of_kind(Kind::Intent)?;
        Ok(kinds == roles && ended.is_some_and(|ended| ended <= begun))
    }
}

/// How many entries have that value.
fn count(connection: &Connection, facet: Facet, value: &str) -> rusqlite::Result<u64> {
    let mut words = connection.prepare_cached("SELECT id FROM word WHERE text = ?")?;
    let mut blocks = connection.prepare_cached("SELECT bits FROM facet WHERE key = ?")?;
    let mut entries = 0;
    for word in words.query_map([value], |row| row.get(0))? {
        let key = facet_key(facet, word?);
        let found = blocks.query_map([key], |row| Ok(Bits::decode(row.get_ref(0)?.as_blob()?)))?;
        for bits in found {
            entries += bits?.count();
        }
    }
    Ok(entries)
}
