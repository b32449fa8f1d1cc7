//! Reconciliation: what two journals say of the exchanges between them, compared.
//!
//! Needs leaves only, so that an oversight body can compare the journals of all departments without seeing a record.

pub mod books;
pub mod mirror;
pub mod overdue;
pub mod window;

mod wire;

use std::collections::BTreeMap;

use crate::journal::Outcome;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;

/// One exchange, as one of its two journals has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub exchange: ExchangeId,
    /// Equal at both gateways when both say the same.
    pub digest: Hash,
    pub standing: ClaimedState,
}

/// What a journal claims of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedState {
    /// The other side has it too: a provider's entry, or a consumer's with the provider's receipt.
    Shared,
    /// The consumer's gateway refused before it asked.
    Denied,
    /// The consumer's gateway asked, or would have, and got no evidence that the provider logged it.
    Unanswered,
}

/// The count of a set of exchanges and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub count: u64,
    /// RFC 6962 tree hash over `exchange id || exchange digest`, 48 bytes each, in ascending order.
    pub root: Hash,
}

/// What is the matter with an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The provider answered, and the consumer has no answer on record: a time-out, or a crash.
    AnswerLost,
    /// The consumer's gateway refused it by itself.
    DeniedLocally,
    /// The consumer has no answer, the provider no entry.
    NoAnswer,
    /// Both have it, and not as the same.
    Altered,
    /// The consumer holds the provider's receipt for it, and the provider's journal does not have it.
    Missing,
    /// One side's entry lies beyond what the other has published: it cannot be told yet.
    Pending,
}

/// An exchange of which two journals do not say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub exchange: ExchangeId,
    pub class: Class,
    pub consumer: Option<Hash>,
    pub provider: Option<Hash>,
}

impl Item {
    /// Of an entry at the consumer. `heard`: it names the provider's entry of the answer, so that both count it, however the
    /// exchange ended here. A stream that was cut has none, and each side's account of it ends where that side saw it end.
    pub fn consumer(exchange: ExchangeId, digest: Hash, outcome: Outcome, heard: bool) -> Self {
        let standing = match outcome {
            _ if heard => ClaimedState::Shared,
            // Refused evidence is a claim about the provider all the same.
            Outcome::ReceiptRefused => ClaimedState::Shared,
            Outcome::Denied => ClaimedState::Denied,
            _ => ClaimedState::Unanswered,
        };
        Self {
            exchange,
            digest,
            standing,
        }
    }

    pub fn provider(exchange: ExchangeId, digest: Hash) -> Self {
        Self {
            exchange,
            digest,
            standing: ClaimedState::Shared,
        }
    }

    /// Into which of 256 parts it falls, where two sides look for what differs: the last byte of the exchange id, which is
    /// random, while its first ones are the time.
    pub fn part(&self) -> u8 {
        let [.., last] = *self.exchange.bytes();
        last
    }
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::AnswerLost,
        Self::DeniedLocally,
        Self::NoAnswer,
        Self::Altered,
        Self::Missing,
        Self::Pending,
    ];

    /// The word that people and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer-lost",
            Self::DeniedLocally => "denied-locally",
            Self::NoAnswer => "no-answer",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Pending => "pending",
        }
    }

    /// Whether it has no innocent cause.
    pub fn is_alarm(self) -> bool {
        match self {
            Self::Altered | Self::Missing => true,
            Self::AnswerLost | Self::DeniedLocally | Self::NoAnswer | Self::Pending => false,
        }
    }
}

/// Of what both sides should have. The items need no order.
pub fn summary(items: &[Item]) -> Summary {
    let shared = items
        .iter()
        .filter(|item| item.standing == ClaimedState::Shared);
    let mut sorted: Vec<[u8; 48]> = shared.map(encoded).collect();
    sorted.sort_unstable();
    let mut tree = Frontier::default();
    for item in &sorted {
        tree.push(merkle::leaf_hash(item));
    }
    Summary {
        count: tree.size(),
        root: tree.root(),
    }
}

fn encoded(item: &Item) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(item.exchange.bytes());
    bytes[16..].copy_from_slice(&item.digest);
    bytes
}

/// The items by their parts.
pub fn parts(items: &[Item]) -> BTreeMap<u8, Vec<Item>> {
    let mut parts: BTreeMap<u8, Vec<Item>> = BTreeMap::new();
    for item in items {
        parts.entry(item.part()).or_default().push(*item);
    }
    parts
}

/// The summary of each of the 256 parts.
pub fn part_summaries(items: &[Item]) -> Vec<Summary> {
    let parts = parts(items);
    let of = |part| summary(parts.get(&part).map_or(&[], Vec::as_slice));
    (0..=u8::MAX).map(of).collect()
}

/// What the two sides of the same exchanges say differently, in the order of the exchange ids.
pub fn differences(consumer: &[Item], provider: &[Item]) -> Vec<Difference> {
    let mut pairs: BTreeMap<_, (Option<Item>, Option<Item>)> = BTreeMap::new();
    for (exchange, item) in by_exchange(consumer) {
        pairs.entry(exchange).or_default().0 = Some(item);
    }
    for (exchange, item) in by_exchange(provider) {
        pairs.entry(exchange).or_default().1 = Some(item);
    }
    let differences = pairs.into_iter().filter_map(|(exchange, (own, theirs))| {
        let class = class(own.as_ref(), theirs.as_ref())?;
        Some(Difference {
            exchange,
            class,
            consumer: own.map(|item| item.digest),
            provider: theirs.map(|item| item.digest),
        })
    });
    differences.collect()
}

/// What the two sides have to explain: a refusal of the consumer's own is nothing of the provider's.
pub fn disagreements(consumer: &[Item], provider: &[Item]) -> Vec<Difference> {
    let mut found = differences(consumer, provider);
    found.retain(|difference| difference.class != Class::DeniedLocally);
    found
}

/// Tells operators what a comparison has found, in one line however much it is: a peer may claim anything.
pub fn log(peer: &DepartmentId, side: Role, found: &[Difference]) {
    metrics::counter!("landbridge_reconciliations_total").increment(1);
    let (mut alarms, mut others) = (0_u64, 0_u64);
    for difference in found {
        let class = difference.class.as_str();
        metrics::counter!("landbridge_reconciliation_differences_total", "class" => class)
            .increment(1);
        *(if difference.class.is_alarm() {
            &mut alarms
        } else {
            &mut others
        }) += 1;
    }
    let first = |alarm| found.iter().find(|d| d.class.is_alarm() == alarm);
    let side = side.as_str();
    if let Some(Difference {
        exchange, class, ..
    }) = first(true)
    {
        let class = class.as_str();
        tracing::error!(%peer, side, alarms, %exchange, class, "a peer's journal does not say what ours says; the first exchange is named");
    } else if let Some(Difference {
        exchange, class, ..
    }) = first(false)
    {
        let class = class.as_str();
        tracing::warn!(%peer, side, exchanges = others, %exchange, class, "exchanges are on record at one side only; the first is named");
    }
}

/// An exchange that stands twice in one journal counts as what it was first: a repeated request is refused.
fn by_exchange(items: &[Item]) -> BTreeMap<ExchangeId, Item> {
    let mut found = BTreeMap::new();
    for item in items {
        found.entry(item.exchange).or_insert(*item);
    }
    found
}

/// None if both say the same.
fn class(consumer: Option<&Item>, provider: Option<&Item>) -> Option<Class> {
    match (consumer, provider) {
        (Some(own), Some(theirs)) if own.digest == theirs.digest => None,
        // It does not claim that the provider answered: to have no entry at all would be the same.
        (Some(own), Some(_)) if own.standing != ClaimedState::Shared => Some(Class::AnswerLost),
        (Some(_), Some(_)) => Some(Class::Altered),
        (Some(own), None) => Some(match own.standing {
            ClaimedState::Shared => Class::Missing,
            ClaimedState::Denied => Class::DeniedLocally,
            ClaimedState::Unanswered => Class::NoAnswer,
        }),
        (None, Some(_)) => Some(Class::AnswerLost),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
