//! Two journals that must say the same of what clients got.

use std::collections::BTreeMap;

use landbridge::evidence::reconcile::mirror::Mirror;
use landbridge::journal::Kind;
use landbridge::journal::Leaf;
use landbridge::journal::Outcome;
use landbridge::journal::reader::Reader;
use landbridge::name::ExchangeId;

use super::World;
use super::crowd::Got;

/// The leaves of one journal's exchanges, read as they become more.
pub(crate) struct Book {
    department: &'static str,
    read: u64,
    leaves: BTreeMap<ExchangeId, Vec<(u64, Leaf)>>,
}

impl Book {
    pub(crate) fn of(department: &'static str) -> Self {
        Self {
            department,
            read: 0,
            leaves: BTreeMap::new(),
        }
    }

    /// Keeps what came since it was read last.
    pub(crate) fn read_on(&mut self, world: &World) {
        self.leaves.clear();
        let journal = world.journal(self.department);
        for stored in Reader::open(journal.dir()).forward(self.read).unwrap() {
            let stored = stored.unwrap();
            self.read = stored.index + 1;
            if let Some(exchange) = stored.leaf.exchange {
                let leaves = self.leaves.entry(exchange).or_default();
                leaves.push((stored.index, stored.leaf));
            }
        }
    }

    fn of_kind(&self, exchange: ExchangeId, kind: Kind) -> (u64, Leaf) {
        let leaves = self.leaves.get(&exchange).map_or(&[][..], Vec::as_slice);
        let mut of_kind = leaves.iter().filter(|(_, leaf)| leaf.kind == kind);
        let found = of_kind.next();
        let department = self.department;
        *found.unwrap_or_else(|| panic!("{department} has no {kind} of {exchange}: {leaves:?}"))
    }
}

/// What was got is in both journals as the same.
pub(crate) fn assert_logged(tax: &Book, civil: &Book, exchange: ExchangeId, got: Got) {
    let kinds: &[Kind] = match got {
        Got::Answer => &[Kind::Exchange],
        Got::Header => &[Kind::Intent],
        Got::Stream => &[Kind::Intent, Kind::StreamEnd],
    };
    for &kind in kinds {
        let (_, ours) = tax.of_kind(exchange, kind);
        let (index, theirs) = civil.of_kind(exchange, kind);
        assert_eq!(
            ours.exchange_digest, theirs.exchange_digest,
            "{exchange} {kind}"
        );
        assert_eq!(
            ours.peer.map(|peer| peer.index),
            Some(index),
            "{exchange} {kind}"
        );
        if kind != Kind::Intent {
            let outcomes = (ours.outcome, theirs.outcome);
            assert_eq!(
                outcomes,
                (Outcome::Answered, Outcome::Answered),
                "{exchange} {kind}"
            );
        }
    }
}

/// Both verify, no stream is open, and nothing is alarming; gives on how many exchanges they agree.
pub(crate) fn assert_agreed(world: &World) -> u64 {
    let [tax, civil] = ["tax", "civil"].map(|department| {
        let journal = world.journal(department);
        let report = journal.verified();
        assert_eq!(report.open_streams, <[u64; 0]>::default(), "{department}");
        Mirror::open(journal.dir(), &[journal.vkey()]).unwrap()
    });
    let compared = tax.against(&civil);
    let alarming: Vec<_> = compared
        .differences
        .iter()
        .filter(|difference| difference.class.is_alarm())
        .collect();
    assert!(alarming.is_empty(), "{alarming:?}");
    compared.agreed
}
