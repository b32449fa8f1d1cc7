//! A journal's leaves, wherever they were taken to: its own folder, or an exported tlog-tiles directory.

mod bundles;

use std::collections::BTreeMap;
use std::path::Path;

use super::Class;
use super::Difference;
use super::Item;
use super::class;
use crate::clock::Moment;
use crate::evidence::hit::has_answer;
use crate::journal::Kind;
use crate::journal::Leaf;
use crate::journal::PeerEntry;
use crate::journal::Role;
use crate::journal::leaf::log_id;
use crate::name::ExchangeId;
use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use bundles::Bundles;
pub use bundles::MirrorError;

/// By how long what a gateway publishes may be after what it has, in microseconds.
const LAG_US: i64 = 60_000_000;

/// The exchanges of one journal, read from leaves that lead to the root of a signed checkpoint.
#[derive(Debug)]
pub struct Mirror {
    bundles: Bundles,
    checkpoint: SignedCheckpoint,
    tree: Frontier,
    /// The time of the last entry.
    until: Moment,
    /// The entries that are judged: those that were published first. Later ones only serve to judge the other's.
    judged: u64,
    /// What it asked for, and what it answered.
    asked: BTreeMap<ExchangeId, Account>,
    answered: BTreeMap<ExchangeId, Account>,
    /// The hashes of the leaves of what it answered, by their indexes: what the askers' leaves name.
    entries: BTreeMap<u64, Hash>,
}

/// What a journal has of one exchange.
#[derive(Debug, Clone, Copy)]
struct Account {
    /// The index of its first entry.
    index: u64,
    first: Leaf,
    /// Of a stream the closing leaf, once it is there; otherwise the first.
    last: Leaf,
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
        let checkpoint = bundles.checkpoint(trusted)?;
        let mut mirror = Self {
            bundles,
            judged: checkpoint.size(),
            checkpoint,
            tree: Frontier::default(),
            until: Moment::from_micros(0),
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            entries: BTreeMap::new(),
        };
        mirror.read()?;
        Ok(mirror)
    }

    /// Reads on, to judge the other journal by, if its gateway has published more since. Tells whether it has.
    pub fn follow(&mut self, trusted: &[VerifierKey]) -> Result<bool, MirrorError> {
        let checkpoint = self.bundles.checkpoint(trusted)?;
        if checkpoint.size() <= self.size() {
            return Ok(false);
        }
        self.checkpoint = checkpoint;
        self.read()?;
        Ok(true)
    }

    /// The journal's name.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The time of the last of them.
    pub fn until(&self) -> Moment {
        self.until
    }

    fn read(&mut self) -> Result<(), MirrorError> {
        let size = self.size();
        while self.tree.size() < size {
            for leaf in self.bundles.leaves(self.tree.size(), size)? {
                let hash = merkle::leaf_hash(&leaf);
                self.take(self.tree.size(), &leaf, hash)?;
                self.tree.push(hash);
            }
        }
        if self.tree.root() == *self.checkpoint.root() {
            return Ok(());
        }
        let origin = self.origin().to_owned();
        Err(MirrorError::OtherRoot { origin, size })
    }

    fn take(&mut self, index: u64, bytes: &[u8], hash: Hash) -> Result<(), MirrorError> {
        let leaf = Leaf::parse(bytes).map_err(|source| MirrorError::Leaf { index, source })?;
        self.until = leaf.time;
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
        let known = side.entry(exchange).or_insert(Account {
            index,
            first: leaf,
            last: leaf,
        });
        if leaf.kind == Kind::StreamEnd {
            known.last = leaf;
        }
        Ok(())
    }

    /// What the two say of the exchanges in which `self` asked and `provider` answered.
    pub fn against(&self, provider: &Self) -> Comparison {
        let mut comparison = Comparison {
            agreed: 0,
            differences: Vec::new(),
        };
        let (own, theirs) = (log_id(self.origin()), log_id(provider.origin()));
        // Of an exchange that got no answer the leaf does not tell whom it was for: it may have been another provider.
        let asked = self.asked.iter().filter(|(_, account)| {
            let named = account.last.peer.or(account.first.peer);
            account.index < self.judged && named.is_none_or(|named| named.log == theirs)
        });
        for (&exchange, asked) in asked {
            let answered = provider.answered.get(&exchange);
            // Where a leaf does not name the asker's journal, it counts, since the asker knows of the exchange.
            let answered = answered.filter(|a| a.last.asker.is_none_or(|asker| asker == own));
            match self.judge(exchange, asked, answered, provider) {
                None => comparison.agreed += 1,
                Some(class) => comparison.differences.push(Difference {
                    exchange,
                    class,
                    consumer: Some(asked.last.exchange_digest),
                    provider: answered.map(|answered| answered.last.exchange_digest),
                }),
            }
        }
        let unasked = provider.answered.iter().filter(|(exchange, account)| {
            account.index < provider.judged
                && account.last.asker == Some(own)
                && !self.asked.contains_key(*exchange)
        });
        comparison
            .differences
            .extend(unasked.map(|(&exchange, answered)| Difference {
                exchange,
                class: match answered.last.time > self.until {
                    true => Class::Pending,
                    false => Class::AnswerLost,
                },
                consumer: None,
                provider: Some(answered.last.exchange_digest),
            }));
        comparison
            .differences
            .sort_by_key(|difference| difference.exchange);
        comparison
    }

    /// What is the matter with an exchange that this journal asked for; None if both say the same.
    fn judge(
        &self,
        exchange: ExchangeId,
        asked: &Account,
        answered: Option<&Account>,
        provider: &Self,
    ) -> Option<Class> {
        let named = [asked.first.peer, asked.last.peer].into_iter().flatten();
        let (beyond, published): (Vec<_>, Vec<_>) =
            named.partition(|peer| peer.index >= provider.size());
        let class = match answered {
            Some(answered) if asked.is_open() != answered.is_open() => {
                Some(self.judge_ends(asked, answered))
            }
            answered => {
                let theirs = answered.map(|a| Item::provider(exchange, a.last.exchange_digest));
                class(Some(&asked.as_consumer(exchange)), theirs.as_ref())
            }
        };
        let unproven = asked.last.peer.is_none() && asked.last.time > provider.until;
        let is_there = |peer: PeerEntry| provider.entries.get(&peer.index) == Some(&peer.leaf_hash);
        // An end that is not published yet excuses no opening that should be.
        let are_there = published.into_iter().all(is_there);
        let may_come = !beyond.is_empty() || unproven;
        match class {
            Some(Class::Missing) if are_there && may_come => Some(Class::Pending),
            None if !are_there => Some(Class::Altered),
            None if !beyond.is_empty() => Some(Class::Pending),
            found => found,
        }
    }

    /// Of a stream that has ended in one of the journals only.
    fn judge_ends(&self, asked: &Account, answered: &Account) -> Class {
        if asked.first.exchange_digest != answered.first.exchange_digest {
            return Class::Altered;
        }
        if asked.is_open() {
            let lag = self.until.micros() - answered.last.time.micros();
            return if lag > LAG_US {
                Class::AnswerLost
            } else {
                Class::Pending
            };
        }
        if asked.has_answer() {
            Class::Missing
        } else {
            Class::Pending
        }
    }
}

impl Account {
    /// A stream that has not ended.
    fn is_open(&self) -> bool {
        self.last.kind == Kind::Intent
    }

    fn has_answer(&self) -> bool {
        has_answer(&self.first, &self.last)
    }

    fn as_consumer(&self, exchange: ExchangeId) -> Item {
        let leaf = &self.last;
        Item::consumer(
            exchange,
            leaf.exchange_digest,
            leaf.outcome,
            self.has_answer(),
        )
    }
}
