//! A journal's leaves, wherever they were taken to: its own folder, or an exported tlog-tiles directory.

mod bundles;

use std::collections::BTreeMap;
use std::path::Path;

use super::Class;
use super::Difference;
use super::Item;
use super::differences;
use crate::audit::Kind;
use crate::audit::Leaf;
use crate::audit::Outcome;
use crate::audit::Role;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::leaf::log_id;
use crate::audit::merkle;
use crate::audit::merkle::Frontier;
use crate::audit::merkle::Hash;
use crate::audit::note::VerifierKey;
use crate::name::ExchangeId;
use bundles::Bundles;
pub use bundles::MirrorError;

/// The exchanges of one journal, read from leaves that lead to the root of a signed checkpoint.
#[derive(Debug)]
pub struct Mirror {
    checkpoint: SignedCheckpoint,
    /// What it asked for, and what it answered: of a stream its closing leaf, or the opening one if it has no other.
    asked: BTreeMap<ExchangeId, Leaf>,
    answered: BTreeMap<ExchangeId, Leaf>,
    /// The hashes of the leaves of what it answered, by their indexes: what the askers' leaves name.
    entries: BTreeMap<u64, Hash>,
}

/// What two journals say of the exchanges in which one asked and the other answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Exchanges of which both say the same.
    pub agreed: u64,
    /// In the order of the exchange ids.
    pub differences: Vec<Difference>,
}

impl Mirror {
    /// Reads the leaves up to the checkpoint, which one of the keys must have signed.
    pub fn open(dir: &Path, trusted: &[VerifierKey]) -> Result<Self, MirrorError> {
        let bundles = Bundles::of(dir);
        let mut mirror = Self {
            checkpoint: bundles.checkpoint(trusted)?,
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            entries: BTreeMap::new(),
        };
        mirror.read(&bundles)?;
        Ok(mirror)
    }

    /// The journal's name.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    fn read(&mut self, bundles: &Bundles) -> Result<(), MirrorError> {
        let size = self.size();
        let mut tree = Frontier::default();
        while tree.size() < size {
            for leaf in bundles.leaves(tree.size(), size)? {
                let hash = merkle::leaf_hash(&leaf);
                self.take(tree.size(), &leaf, hash)?;
                tree.push(hash);
            }
        }
        if tree.root() == *self.checkpoint.root() {
            return Ok(());
        }
        let origin = self.origin().to_owned();
        Err(MirrorError::OtherRoot { origin, size })
    }

    fn take(&mut self, index: u64, bytes: &[u8], hash: Hash) -> Result<(), MirrorError> {
        let leaf = Leaf::parse(bytes).map_err(|source| MirrorError::Leaf { index, source })?;
        let Some(exchange) = leaf.exchange else {
            return Ok(());
        };
        let side = match leaf.role {
            Role::Consumer => &mut self.asked,
            Role::Provider => {
                self.entries.insert(index, hash);
                &mut self.answered
            }
            Role::None => return Ok(()),
        };
        // An exchange that stands there twice counts as what it was first; only its own end takes its place.
        let known = side.entry(exchange).or_insert(leaf);
        if leaf.kind == Kind::StreamEnd {
            *known = leaf;
        }
        Ok(())
    }

    /// What the two say of the exchanges in which `self` asked and `provider` answered.
    pub fn against(&self, provider: &Self) -> Comparison {
        let asked = self.asked_of(provider);
        let mut differences = differences(&asked, &provider.answered_to(self));
        let differing: Vec<_> = differences.iter().map(|d| d.exchange).collect();
        let mut agreed = 0;
        for item in asked {
            if differing.binary_search(&item.exchange).is_ok() {
                continue;
            }
            if self.names_its_entry(item.exchange, provider) {
                agreed += 1;
                continue;
            }
            differences.push(Difference {
                exchange: item.exchange,
                class: Class::Altered,
                consumer: Some(item.digest),
                provider: Some(item.digest),
            });
        }
        differences.sort_by_key(|difference| difference.exchange);
        Comparison {
            agreed,
            differences,
        }
    }

    /// Of an exchange that got no answer the leaf does not tell whom it was for: it may have been another provider.
    fn asked_of(&self, provider: &Self) -> Vec<Item> {
        let log = log_id(provider.origin());
        let asked = self.asked.iter().filter(|(_, leaf)| {
            let named = leaf.peer.map(|peer| peer.log);
            named.is_none_or(|named| named == log)
        });
        asked
            .map(|(&exchange, leaf)| {
                let heard = leaf.peer.is_some() && !is_cut_stream(leaf);
                Item::consumer(exchange, leaf.exchange_digest, leaf.outcome, heard)
            })
            .collect()
    }

    /// Where a leaf does not name the asker's journal, it counts if the asker knows of the exchange.
    fn answered_to(&self, consumer: &Self) -> Vec<Item> {
        let log = log_id(consumer.origin());
        let answered = self.answered.iter().filter(|(exchange, leaf)| {
            let known = || consumer.asked.contains_key(exchange);
            leaf.asker.map_or_else(known, |asker| asker == log)
        });
        answered
            .map(|(&exchange, leaf)| Item::provider(exchange, leaf.exchange_digest))
            .collect()
    }

    /// Whether the entry that its leaf names is the one that the provider has there. A leaf names none where the receipt was
    /// refused, and where a stream was closed by a gateway that had died meanwhile.
    fn names_its_entry(&self, exchange: ExchangeId, provider: &Self) -> bool {
        let named = self.asked.get(&exchange).and_then(|leaf| leaf.peer);
        named.is_none_or(|peer| provider.entries.get(&peer.index) == Some(&peer.leaf_hash))
    }
}

/// A stream that did not come to its end.
fn is_cut_stream(leaf: &Leaf) -> bool {
    leaf.kind == Kind::StreamEnd && leaf.outcome != Outcome::Answered
}
