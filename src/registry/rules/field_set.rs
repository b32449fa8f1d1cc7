//! The part of a record that was read: what was not read cannot be judged.

use std::collections::BTreeMap;

use crate::registry::field::Field;

/// A set of fields, each with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSet {
    All,
    /// By field number; what is not there is not covered.
    Some(BTreeMap<u32, Self>),
}

impl FieldSet {
    pub fn by<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Self {
        let mut covered = Self::Some(BTreeMap::new());
        for field in fields {
            covered.add(field.numbers());
        }
        covered
    }

    fn add(&mut self, numbers: &[u32]) {
        let Self::Some(within) = self else {
            return;
        };
        let Some((first, rest)) = numbers.split_first() else {
            *self = Self::All;
            return;
        };
        let none = || Self::Some(BTreeMap::new());
        within.entry(*first).or_insert_with(none).add(rest);
    }

    /// What is covered of a field; `None` where nothing of it is.
    pub(super) fn of(&self, number: u32) -> Option<&Self> {
        match self {
            Self::All => Some(self),
            Self::Some(within) => within.get(&number),
        }
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}
