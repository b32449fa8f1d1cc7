use std::time::Duration;

use proptest::prelude::*;

use super::mirror::Mirror;
use super::mirror::MirrorError;
use super::window::Window;
use super::*;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKey;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::Kind;
use crate::journal::PeerLeaf;
use crate::journal::Role;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_id;
use crate::journal::testing::keys;
use crate::journal::testing::settings;
use crate::journal::testing::temporary;
use crate::pb;
use crate::tlog::note::VerifierKey;

fn id(n: u8) -> ExchangeId {
    exchange_id(u64::from(n))
}

fn shared(n: u8, digest: u8) -> Item {
    Item::provider(id(n), [digest; 32])
}

fn unheard(n: u8, outcome: Outcome) -> Item {
    Item::consumer(id(n), [0; 32], outcome, false)
}

#[test]
fn each_difference_has_its_class() {
    let rows: [(Option<Item>, Option<Item>, Option<Class>); 8] = [
        (Some(shared(1, 1)), Some(shared(1, 1)), None),
        (Some(shared(1, 1)), Some(shared(1, 2)), Some(Class::Altered)),
        (Some(shared(1, 1)), None, Some(Class::Missing)),
        (None, Some(shared(1, 1)), Some(Class::AnswerLost)),
        (
            Some(unheard(1, Outcome::NoAnswer)),
            Some(shared(1, 1)),
            Some(Class::AnswerLost),
        ),
        (
            Some(unheard(1, Outcome::NoAnswer)),
            None,
            Some(Class::NoAnswer),
        ),
        (
            Some(unheard(1, Outcome::Denied)),
            None,
            Some(Class::DeniedLocally),
        ),
        (
            Some(unheard(1, Outcome::ReceiptRefused)),
            None,
            Some(Class::Missing),
        ),
    ];
    for (consumer, provider, class) in rows {
        let found = differences(consumer.as_slice(), provider.as_slice());
        assert_eq!(
            found.first().map(|d| d.class),
            class,
            "{consumer:?} {provider:?}"
        );
    }
}

#[test]
fn a_cut_stream_whose_end_was_not_heard_is_no_alarm() {
    let cut = Item::consumer(id(1), [1; 32], Outcome::CutShort, false);
    let found = differences(&[cut], &[shared(1, 2)]);
    assert_eq!(found[0].class, Class::AnswerLost);
}

/// A provider counts all that it has. What the consumer has heard of is counted there too, whatever became of it.
#[test]
fn however_an_exchange_ended_both_sides_count_it_alike() {
    for &outcome in Outcome::ALL {
        let heard = Item::consumer(id(1), [1; 32], outcome, true);
        assert_eq!(summary(&[heard]), summary(&[shared(1, 1)]), "{outcome}");
        assert!(differences(&[heard], &[shared(1, 1)]).is_empty());

        // Not heard of: nothing is an alarm but evidence that was refused, whether or not the provider has it.
        let unheard = unheard(1, outcome);
        let is_refused = outcome == Outcome::ReceiptRefused;
        assert_eq!(summary(&[unheard]).count, u64::from(is_refused));
        for theirs in [&[shared(1, 1)][..], &[]] {
            let alarms = differences(&[unheard], theirs);
            let alarms = alarms.iter().filter(|d| d.class.is_alarm());
            assert_eq!(alarms.count() > 0, is_refused, "{outcome} {theirs:?}");
        }
        // The summaries differ, and the exchanges do not: both gateways died, say.
        assert!(differences(&[unheard], &[shared(1, 0)]).is_empty());
    }
}

#[test]
fn a_summary_is_of_what_both_sides_should_have() {
    let items = [shared(2, 2), shared(1, 1)];
    let with_denied = [shared(1, 1), unheard(3, Outcome::Denied), shared(2, 2)];
    assert_eq!(summary(&items), summary(&with_denied));
    assert_eq!(summary(&items).count, 2);
    let leaf = |item: &Item| merkle::leaf_hash(&encoded(item));
    let root = merkle::node_hash(&leaf(&items[1]), &leaf(&items[0]));
    assert_eq!(summary(&items).root, root);
    assert_eq!(summary(&[]).root, merkle::empty_root());
}

proptest! {
    #[test]
    fn sides_agree_exactly_when_their_summaries_do(
        consumer in prop::collection::btree_map(0..40u8, 0..3u8, 0..30),
        provider in prop::collection::btree_map(0..40u8, 0..3u8, 0..30),
    ) {
        let items = |side: &BTreeMap<u8, u8>| -> Vec<Item> {
            side.iter().rev().map(|(&n, &digest)| shared(n, digest)).collect()
        };
        let (own, theirs) = (items(&consumer), items(&provider));
        let found = differences(&own, &theirs);
        prop_assert_eq!(found.is_empty(), summary(&own) == summary(&theirs));

        // What differs is found in the parts that differ, and only there.
        let (own_parts, their_parts) = (parts(&own), parts(&theirs));
        let (own_told, told) = (part_summaries(&own), part_summaries(&theirs));
        let of = |parts: &BTreeMap<u8, Vec<Item>>, part| parts.get(&part).cloned().unwrap_or_default();
        let mut in_parts: Vec<_> = (0..=u8::MAX)
            .filter(|&part| own_told[usize::from(part)] != told[usize::from(part)])
            .flat_map(|part| differences(&of(&own_parts, part), &of(&their_parts, part)))
            .collect();
        in_parts.sort_by_key(|difference| difference.exchange);
        prop_assert_eq!(in_parts, found);
    }
}

/// Two departments' journals, by hand.
struct Pair {
    dirs: [tempfile::TempDir; 2],
    journals: [Journal; 2],
    keys: [VerifierKey; 2],
}

const CONSUMER: usize = 0;
const PROVIDER: usize = 1;

impl Pair {
    fn new() -> Self {
        let dirs = [temporary(), temporary()];
        let origins = ["gov.example/tax/1", "gov.example/civil/1"];
        let opened = [CONSUMER, PROVIDER].map(|side| {
            let settings = JournalSettings {
                origin: origins[side].to_owned(),
                ..settings(dirs[side].path(), 1 << 16)
            };
            let keys = JournalKeys {
                journal: JournalKey::from_seed([side as u8 + 1; 32]),
                ..keys()
            };
            let vkey = keys.journal.verifier(origins[side]).unwrap();
            let (journal, _) = Journal::open(settings, keys, Clock::System).unwrap();
            (journal, vkey)
        });
        let [(consumer, first), (provider, second)] = opened;
        Self {
            dirs,
            journals: [consumer, provider],
            keys: [first, second],
        }
    }

    /// An exchange that both have on record.
    async fn exchanged(&self, n: u64) {
        let receipt = self.journals[PROVIDER].append(exchange(n)).await.unwrap();
        let peer = PeerLeaf {
            origin: receipt.origin().to_owned(),
            index: receipt.index(),
            leaf_hash: receipt.leaf_hash(),
        };
        self.asked(exchange(n), Some(peer)).await;
    }

    async fn asked(&self, entry: Entry, peer: Option<PeerLeaf>) {
        let entry = Entry {
            role: Role::Consumer,
            peer,
            ..entry
        };
        self.journals[CONSUMER].append(entry).await.unwrap();
    }

    fn mirrors(&self) -> [Mirror; 2] {
        self.journals.iter().for_each(Journal::close);
        [CONSUMER, PROVIDER].map(|side| Mirror::open(self.dirs[side].path(), &self.keys).unwrap())
    }
}

#[tokio::test]
async fn two_journals_that_say_the_same_agree() {
    let pair = Pair::new();
    for n in 0..700 {
        pair.exchanged(n).await;
    }
    let [consumer, provider] = pair.mirrors();
    let comparison = consumer.against(&provider);
    assert_eq!((comparison.agreed, comparison.differences), (700, vec![]));
    assert_eq!(provider.against(&consumer).agreed, 0);
}

#[tokio::test]
async fn what_one_side_lacks_or_says_otherwise_is_named() {
    let pair = Pair::new();
    pair.exchanged(1).await;
    // The provider has dropped it, or never logged it: the consumer names an entry that is not there.
    let invented = PeerLeaf {
        origin: "gov.example/civil/1".to_owned(),
        index: 0,
        leaf_hash: [7; 32],
    };
    pair.asked(exchange(2), Some(invented.clone())).await;
    // Both have it, but the entry that the consumer's receipt named is another one.
    pair.journals[PROVIDER].append(exchange(3)).await.unwrap();
    pair.asked(exchange(3), Some(invented)).await;
    let denied = Entry {
        outcome: Outcome::Denied,
        ..exchange(4)
    };
    pair.asked(denied, None).await;

    let [consumer, provider] = pair.mirrors();
    let comparison = consumer.against(&provider);
    let classes = comparison.differences.iter().map(|d| (d.exchange, d.class));
    assert_eq!(comparison.agreed, 1);
    assert_eq!(
        classes.collect::<Vec<_>>(),
        [
            (id(2), Class::Missing),
            (id(3), Class::Altered),
            (id(4), Class::DeniedLocally)
        ]
    );
}

#[tokio::test]
async fn a_stream_counts_as_it_ended() {
    let pair = Pair::new();
    let opening = Entry {
        kind: Kind::Intent,
        outcome: Outcome::None,
        exchange_digest: [1; 32],
        ..exchange(1)
    };
    let closing = Entry {
        kind: Kind::StreamEnd,
        ..exchange(1)
    };
    pair.journals[PROVIDER]
        .append(opening.clone())
        .await
        .unwrap();
    pair.asked(opening, None).await;
    let receipt = pair.journals[PROVIDER]
        .append(closing.clone())
        .await
        .unwrap();
    let peer = PeerLeaf {
        origin: receipt.origin().to_owned(),
        index: receipt.index(),
        leaf_hash: receipt.leaf_hash(),
    };
    pair.asked(closing, Some(peer)).await;
    let [consumer, provider] = pair.mirrors();
    let comparison = consumer.against(&provider);
    assert_eq!((comparison.agreed, comparison.differences), (1, vec![]));
}

#[tokio::test]
async fn a_stream_during_which_both_gateways_died_is_no_alarm() {
    let pair = Pair::new();
    let opening = Entry {
        kind: Kind::Intent,
        outcome: Outcome::None,
        ..exchange(1)
    };
    // As a recovery closes it.
    let closing = Entry {
        kind: Kind::StreamEnd,
        outcome: Outcome::CutShort,
        ..exchange(1)
    };
    let receipt = pair.journals[PROVIDER]
        .append(opening.clone())
        .await
        .unwrap();
    let peer = PeerLeaf {
        origin: receipt.origin().to_owned(),
        index: receipt.index(),
        leaf_hash: receipt.leaf_hash(),
    };
    pair.asked(opening, Some(peer)).await;
    pair.journals[PROVIDER]
        .append(closing.clone())
        .await
        .unwrap();
    pair.asked(closing, None).await;
    let [consumer, provider] = pair.mirrors();
    let comparison = consumer.against(&provider);
    assert_eq!((comparison.agreed, comparison.differences), (1, vec![]));
}

#[tokio::test]
async fn what_lies_beyond_the_others_published_end_is_pending() {
    let pair = Pair::new();
    pair.exchanged(1).await;
    let peer = |index, leaf_hash| {
        let origin = "gov.example/civil/1".to_owned();
        Some(PeerLeaf {
            origin,
            index,
            leaf_hash,
        })
    };
    // An answer that the provider has not published yet.
    pair.asked(exchange(2), peer(99, [7; 32])).await;
    let intent = |n| Entry {
        kind: Kind::Intent,
        ..exchange(n)
    };
    let end = |n| Entry {
        kind: Kind::StreamEnd,
        exchange_digest: [9; 32],
        ..exchange(n)
    };
    for n in [3, 4, 5] {
        let opened = pair.journals[PROVIDER].append(intent(n)).await.unwrap();
        pair.asked(intent(n), peer(opened.index(), opened.leaf_hash()))
            .await;
    }
    // Streams of which one side has the end: the asker, the provider, and the asker by a receipt that nobody gave.
    pair.asked(end(3), peer(99, [7; 32])).await;
    pair.journals[PROVIDER].append(end(4)).await.unwrap();
    pair.asked(end(5), peer(1, [7; 32])).await;
    // One whose opening should be published, and is not there.
    pair.asked(intent(6), peer(0, [7; 32])).await;
    pair.asked(end(6), peer(99, [7; 32])).await;
    let [consumer, provider] = pair.mirrors();
    let comparison = consumer.against(&provider);
    let classes = comparison.differences.iter().map(|d| (d.exchange, d.class));
    assert_eq!(
        classes.collect::<Vec<_>>(),
        [
            (id(2), Class::Pending),
            (id(3), Class::Pending),
            (id(4), Class::Pending),
            (id(5), Class::Missing),
            (id(6), Class::Missing),
        ]
    );
    assert!(!Class::Pending.is_alarm());
}

#[tokio::test]
async fn a_journal_that_goes_on_is_followed_and_only_its_beginning_is_judged() {
    let pair = Pair::new();
    pair.exchanged(1).await;
    let publishes = async |side: usize, size| {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while pair.journals[side].published().size() < size {
            ticks.tick().await;
        }
    };
    for side in [CONSUMER, PROVIDER] {
        publishes(side, 1).await;
    }
    let mut mirrors =
        [CONSUMER, PROVIDER].map(|side| Mirror::open(pair.dirs[side].path(), &pair.keys).unwrap());
    assert!(!mirrors[CONSUMER].follow(&pair.keys).unwrap());
    for n in 2..300 {
        pair.exchanged(n).await;
    }
    publishes(CONSUMER, 299).await;
    assert!(mirrors[CONSUMER].follow(&pair.keys).unwrap());
    let [consumer, provider] = &mirrors;
    assert_eq!((consumer.size(), provider.size()), (299, 1));
    let comparison = consumer.against(provider);
    assert_eq!((comparison.agreed, comparison.differences), (1, vec![]));
}

#[tokio::test]
async fn leaves_that_do_not_lead_to_the_signed_root_are_refused() {
    let pair = Pair::new();
    pair.exchanged(1).await;
    pair.journals.iter().for_each(Journal::close);
    let dir = pair.dirs[PROVIDER].path();
    let mut leaves = std::fs::read(dir.join("leaves.dat")).unwrap();
    leaves[40] ^= 1;
    std::fs::write(dir.join("leaves.dat"), leaves).unwrap();
    let refused = Mirror::open(dir, &pair.keys).unwrap_err();
    assert!(
        matches!(refused, MirrorError::OtherRoot { size: 1, .. }),
        "{refused}"
    );
    let stranger = [pair.keys[CONSUMER].clone()];
    let refused = Mirror::open(dir, &stranger).unwrap_err();
    assert!(
        matches!(refused, MirrorError::Checkpoint { .. }),
        "{refused}"
    );
}

#[test]
fn windows_lie_side_by_side_and_hold_the_exchanges_made_in_them() {
    let minute = Duration::from_secs(60);
    let window = Window::containing(Moment::from_micros(125_000_000), minute);
    assert_eq!(window.start(), Moment::from_micros(120_000_000));
    assert_eq!(window.end(), window.next().start());
    let made = |ms: u64| {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        bytes[6] = 0x70;
        ExchangeId::from_slice(&bytes).unwrap()
    };
    let contained = [119_999, 120_000, 179_999, 180_000].map(|ms| window.contains(made(ms)));
    assert_eq!(contained, [false, true, true, false]);
    assert_eq!(Window::read(&window.into()), Some(window));
    for (start_ms, length_ms) in [
        (120_001, 60_000),
        (0, 0),
        (0, 999),
        (0, 3_600_001),
        (u64::MAX, 1_000),
    ] {
        let window = pb::Window {
            start_ms,
            length_ms,
        };
        assert_eq!(Window::read(&window), None, "{start_ms} {length_ms}");
    }
}
