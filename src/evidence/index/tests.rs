use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::sample::Index as Chosen;
use tempfile::TempDir;

use super::follower::Follower;
use super::*;
use crate::clock::Clock;
use crate::evidence::criteria::Criteria;
use crate::evidence::hit::Hit;
use crate::evidence::person::Person;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::evidence::usage::Pick;
use crate::evidence::usage::usages;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::OpenEntry;
use crate::journal::PeerLeaf;
use crate::journal::StreamEnd;
use crate::journal::policies::Changes;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_id;
use crate::journal::testing::exchange_record;
use crate::journal::testing::open_at;
use crate::journal::testing::record_of;
use crate::journal::testing::temporary;
use crate::pb;
use crate::registry::query::Mode;

const DEPARTMENTS: [&str; 3] = ["tax", "civil", "market"];
const SYSTEMS: [&str; 2] = ["assessment", "licensing"];
const OFFICERS: [&str; 3] = ["", "Li Wei", "Wang Fang"];
const CASES: [&str; 3] = ["", "A-1", "A-2"];
const PURPOSES: [&str; 2] = ["arrears", "licence"];
const RECORDS: [&str; 2] = ["civil.v1.Resident", "civil.v1.Household"];
const MODES: [&str; 4] = ["get", "query", "verify", "count"];
const AGREEMENTS: [&str; 3] = ["", "CIV-TAX-1", "CIV-MKT-1"];
const REASONS: [&str; 3] = ["answered", "NOT_FOUND", "FIELD_NOT_GRANTED"];
const FIELDS: [&str; 4] = ["name", "address", "address.district", "address.road.name"];

/// What the steps of a made-up journal are drawn from.
type Draw = [u8; 20];

fn one<'a>(byte: u8, of: &[&'a str]) -> &'a str {
    of[usize::from(byte) % of.len()]
}

fn tag(byte: u8) -> pb::SubjectTag {
    pb::SubjectTag {
        epoch: 680 + u32::from(byte % 2),
        tag: vec![byte % 5; 16].into(),
    }
}

fn record(draw: &Draw) -> pb::ExchangeRecord {
    let fields = FIELDS
        .iter()
        .enumerate()
        .filter(|(n, _)| draw[9] >> n & 1 == 1);
    pb::ExchangeRecord {
        consumer: one(draw[0], &DEPARTMENTS).to_owned(),
        provider: one(draw[1], &DEPARTMENTS).to_owned(),
        system: one(draw[2], &SYSTEMS).to_owned(),
        officer: one(draw[3], &OFFICERS).to_owned(),
        case_reference: one(draw[4], &CASES).to_owned(),
        purpose: one(draw[5], &PURPOSES).to_owned(),
        record_type: one(draw[6], &RECORDS).to_owned(),
        mode: one(draw[7], &MODES).to_owned(),
        agreement: one(draw[8], &AGREEMENTS).to_owned(),
        fields: fields.map(|(_, field)| (*field).to_owned()).collect(),
        subjects: (0..draw[10] % 3)
            .map(|n| tag(draw[11].wrapping_add(n)))
            .collect(),
        key_tag: vec![draw[12] % 4; usize::from(draw[12] % 2) * 16].into(),
        policy_revision: vec![draw[13] % 3; 32].into(),
        records: u64::from(draw[14]),
        bytes: u64::from(draw[15]) * 100,
        latency_us: u64::from(draw[16]) * 1_000,
        reason: one(draw[17], &REASONS).to_owned(),
        ..pb::ExchangeRecord::default()
    }
}

fn answered(n: u64, draw: &Draw) -> Entry {
    let outcomes = [Outcome::Answered, Outcome::Denied, Outcome::NoAnswer];
    let peer = PeerLeaf {
        origin: "gov.example/tax/1".to_owned(),
        index: n,
        leaf_hash: [3; 32],
    };
    Entry {
        role: [Role::Consumer, Role::Provider][usize::from(draw[18] % 2)],
        outcome: outcomes[usize::from(draw[17]) % 3],
        peer: draw[19].is_multiple_of(2).then_some(peer),
        record: record_of(record(draw)),
        // Some ids come twice.
        ..exchange(n - u64::from(draw[19] % 2))
    }
}

fn ended(draw: &Draw) -> StreamEnd {
    let outcomes = [Outcome::Answered, Outcome::ProviderError, Outcome::CutShort];
    StreamEnd {
        outcome: outcomes[usize::from(draw[17]) % 3],
        exchange_digest: [draw[1]; 32],
        peer: None,
        record: pb::StreamEndRecord {
            records: u64::from(draw[14] % 3),
            bytes: u64::from(draw[15]) * 100,
            latency_us: u64::from(draw[16]) * 1_000,
            reason: one(draw[17], &["answered", "SOURCE_FAILED", "CLIENT_GONE"]).to_owned(),
            subjects: (0..draw[10] % 3)
                .map(|n| tag(draw[11].wrapping_add(n)))
                .collect(),
            ..pb::StreamEndRecord::default()
        },
    }
}

fn other(draw: &Draw) -> Entry {
    let department = one(draw[1], &DEPARTMENTS);
    match draw[2] % 5 {
        0 => Entry::connections(
            format!("spiffe://gov.example/department/{department}/system/x"),
            "peers",
            one(draw[3], &["REVOKED", "FIELD_NOT_GRANTED"]),
            1,
        ),
        1 => {
            let revision = [draw[13] % 3; 32];
            match draw[4].is_multiple_of(2) {
                true => Entry::policy_applied(&revision, Changes::default(), None),
                false => Entry::policy_refused(&revision, String::new()),
            }
        }
        2 => Entry::lifecycle("started", "1"),
        3 => Entry::reconciliation(pb::ReconciliationRecord {
            peer: department.to_owned(),
            ..pb::ReconciliationRecord::default()
        }),
        _ => Entry::heartbeat(),
    }
}

/// Writes a journal: one step, one second, one entry or the end of a stream. Small segments, so that it has several.
fn journal(steps: &[Draw]) -> TempDir {
    let dir = temporary();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let time = Arc::new(AtomicI64::new(NOON.micros()));
        let clock = Clock::Fixed(time.clone());
        let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
        let mut open: Vec<OpenEntry> = Vec::new();
        for (n, draw) in steps.iter().enumerate() {
            time.fetch_add(1_000_000, Ordering::Relaxed);
            match draw[0] % 8 {
                0 => open.push(journal.begin(answered(n as u64 + 1, draw)).await.unwrap()),
                1 if !open.is_empty() => {
                    let stream = open.swap_remove(usize::from(draw[3]) % open.len());
                    stream.close(ended(draw)).await.unwrap();
                }
                2 => drop(journal.append(other(draw)).await.unwrap()),
                _ => drop(journal.append(answered(n as u64 + 1, draw)).await.unwrap()),
            }
        }
        journal.close();
        drop(open);
    });
    dir
}

/// Indexes entries up to that one, and closes the index as a kill would.
fn index_to(dir: &Path, durable: u64) {
    let mut follower = Follower::open(dir).unwrap();
    while follower.advance(durable).unwrap() {}
}

fn index(dir: &Path) -> Index {
    Index::open(dir).unwrap().unwrap()
}

/// Each criterion is left open by three draws in four.
fn criteria(draw: &[u8; 24]) -> Criteria {
    let drawn = |n: usize| draw[n].is_multiple_of(4).then_some(draw[n] / 4);
    let text = |n: usize, of: &[&str]| drawn(n).map(|byte| one(byte, of).to_owned());
    fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: Option<String>) -> Option<T> {
        text.map(|text| text.parse().unwrap())
    }
    let modes = [Mode::Get, Mode::Query, Mode::Verify, Mode::Count];
    let at = |second: u8| Moment::from_micros(NOON.micros() + i64::from(second) * 1_000_000);
    Criteria {
        kind: drawn(0).map(|n| Kind::ALL[usize::from(n) % Kind::ALL.len()]),
        role: drawn(1).map(|n| Role::ALL[usize::from(n) % 3]),
        peer: parsed(text(2, &DEPARTMENTS)),
        consumer: parsed(text(3, &DEPARTMENTS)),
        provider: parsed(text(4, &["civil", "market", "nobody"])),
        system: parsed(text(5, &SYSTEMS)),
        officer: text(6, &["Li Wei", "Wang Fang", "nobody"]),
        case_reference: text(7, &["A-1", "A-2", "A-3"]),
        purpose: parsed(text(8, &PURPOSES)),
        record_type: parsed(text(9, &RECORDS)),
        mode: drawn(10).map(|n| modes[usize::from(n) % 4]),
        agreement: parsed(text(11, &["CIV-TAX-1", "CIV-MKT-1"])),
        policy_revision: text(12, &["00", "0101", "02020202", "03"]),
        field: parsed(text(
            13,
            &["name", "address", "address.road", "address.road.name.x"],
        )),
        outcome: drawn(14).map(|n| Outcome::ALL[usize::from(n) % Outcome::ALL.len()]),
        reason: text(
            15,
            &[
                "answered",
                "FIELD_NOT_GRANTED",
                "SOURCE_FAILED",
                "ABANDONED",
            ],
        ),
        since: drawn(16).map(at),
        until: drawn(17).map(at),
        exchange: drawn(18).map(|n| exchange_id(u64::from(n) % 40)),
        subjects: drawn(19)
            .map(|n| vec![tag(n), tag(n + 1)])
            .unwrap_or_default(),
        keys: drawn(20).map(|n| vec![[n % 4; 16]]).unwrap_or_default(),
        min_records: drawn(21).map_or(0, u64::from),
        min_bytes: drawn(22).map_or(0, |n| u64::from(n) * 50),
        min_latency_us: drawn(23).map_or(0, |n| u64::from(n) * 500),
    }
}

/// Where a hit and its end stand.
fn places(hits: &[Hit]) -> Vec<(u64, Option<u64>)> {
    let end = |hit: &Hit| hit.end.as_ref().map(|end| end.index);
    hits.iter().map(|hit| (hit.index, end(hit))).collect()
}

/// All pages of a few hits each.
fn paged(dir: &Path, index: Option<&Index>, criteria: &Criteria) -> Vec<(u64, Option<u64>)> {
    let reader = Reader::open(dir);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = find(&reader, index, criteria, Page { before, limit: 3 }).unwrap();
        found.extend(places(&page.hits));
        let Some(next) = page.next else { return found };
        before = Some(next);
    }
}

fn all(dir: &Path, index: Option<&Index>, criteria: &Criteria) -> Vec<(u64, Option<u64>)> {
    let found = find(&Reader::open(dir), index, criteria, Page::newest(10_000)).unwrap();
    places(&found.hits)
}

fn ledger(dir: &Path, index: Option<&Index>, offset: u64) -> (u64, Vec<(u64, bool)>) {
    let mut subject = Person::between(None, None);
    subject.tags = vec![tag(1), tag(2)];
    subject.keys = vec![[3; 16]];
    let pick = Pick {
        attempts: true,
        offset,
        limit: 4,
    };
    let found = usages(&Reader::open(dir), index, &subject, pick).unwrap();
    let rows = found.usages.iter();
    let rows = rows.map(|usage| (usage.index, usage.received)).collect();
    (found.total, rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_and_the_reading_of_the_journal_find_the_same(
        steps in proptest::collection::vec(any::<Draw>(), 1..60),
        asked in proptest::collection::vec(any::<[u8; 24]>(), 12),
        cuts in any::<[Chosen; 2]>(),
    ) {
        let dir = journal(&steps);
        let size = find(&Reader::open(dir.path()), None, &Criteria::default(), Page::newest(1)).unwrap().reach.complete_to;
        let mut cuts = cuts.map(|cut| cut.index(size as usize + 1) as u64);
        cuts.sort_unstable();
        // Indexed in three goes, each by a process of its own.
        for cut in cuts.into_iter().chain([size]) {
            index_to(dir.path(), cut);
            let index = index(dir.path());
            prop_assert!(index.complete_to() <= cut);
            prop_assert_eq!(paged(dir.path(), Some(&index), &Criteria::default()), paged(dir.path(), None, &Criteria::default()));
            for draw in &asked {
                let criteria = criteria(draw);
                let expected = all(dir.path(), None, &criteria);
                prop_assert_eq!(&all(dir.path(), Some(&index), &criteria), &expected);
                prop_assert_eq!(&paged(dir.path(), Some(&index), &criteria), &expected);
            }
            for offset in [0, 2] {
                prop_assert_eq!(ledger(dir.path(), Some(&index), offset), ledger(dir.path(), None, offset));
            }
        }
        prop_assert_eq!(index(dir.path()).complete_to(), size);
    }

    #[test]
    fn each_exchange_with_a_department_is_accounted_once_by_its_last_entry(
        steps in proptest::collection::vec(any::<Draw>(), 1..60),
    ) {
        let dir = journal(&steps);
        index_to(dir.path(), u64::MAX);
        let index = index(dir.path());
        let found = find(&Reader::open(dir.path()), None, &Criteria::default(), Page::newest(10_000)).unwrap();
        for (role, name) in [(Role::Consumer, "civil"), (Role::Provider, "tax")] {
            let mut expected: Vec<_> = found.hits.iter().rev().filter_map(|hit| {
                let record = hit.exchange()?;
                let peer = match hit.leaf.role {
                    Role::Provider => &record.consumer,
                    _ => &record.provider,
                };
                let open = hit.leaf.kind == Kind::Intent && hit.end.is_none();
                let last = hit.end.as_ref().map_or(&hit.leaf, |end| &end.leaf);
                (hit.leaf.role == role && peer == name && !open).then(|| AccountedExchange {
                    exchange: hit.leaf.exchange.unwrap(),
                    digest: last.exchange_digest,
                    index: hit.end.as_ref().map_or(hit.index, |end| end.index),
                    outcome: last.outcome,
                    heard: hit.has_answer(),
                })
            }).collect();
            expected.sort_by_key(|accounted| accounted.exchange);
            expected.dedup_by_key(|accounted| accounted.exchange);
            // All test ids are of one moment.
            let made: i64 = 1 << 40;
            let accounted = |from, until| index.exchanges_with(
                &name.parse().unwrap(),
                role,
                Moment::from_micros(from * 1_000),
                Moment::from_micros(until * 1_000),
            ).unwrap();
            prop_assert_eq!(accounted(made, made + 1), expected);
            prop_assert_eq!(accounted(made - 1_000, made), vec![]);
            prop_assert_eq!(accounted(made + 1, made + 1_000), vec![]);
        }
    }
}

async fn append(journal: &Journal, entries: impl Iterator<Item = Entry>) {
    let receipts = join_all(entries.map(|entry| journal.append(entry))).await;
    assert!(receipts.iter().all(Result::is_ok));
}

/// Every 97th is about somebody, every 1,000th was denied.
fn of_many(n: u64) -> Entry {
    let denied = n.is_multiple_of(1_000);
    let record = pb::ExchangeRecord {
        subjects: n.is_multiple_of(97).then(|| tag(1)).into_iter().collect(),
        reason: if denied {
            "FIELD_NOT_GRANTED"
        } else {
            "answered"
        }
        .to_owned(),
        records: n,
        ..exchange_record(n)
    };
    let outcome = if denied {
        Outcome::Denied
    } else {
        Outcome::Answered
    };
    Entry {
        outcome,
        record: record_of(record),
        ..exchange(n)
    }
}

#[tokio::test]
async fn a_journal_of_many_blocks_is_searched_through_all_of_them() {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    for thousand in 0..13 {
        append(&journal, (0..1_000).map(|n| of_many(thousand * 1_000 + n))).await;
    }
    journal.close();
    index_to(dir.path(), u64::MAX);
    let index = index(dir.path());
    assert_eq!(index.complete_to(), 13_000);
    let cases = [
        (
            135,
            Criteria {
                subjects: vec![tag(1), tag(3)],
                ..Criteria::default()
            },
        ),
        (
            13,
            Criteria {
                outcome: Some(Outcome::Denied),
                peer: Some("tax".parse().unwrap()),
                ..Criteria::default()
            },
        ),
        (
            1,
            Criteria {
                outcome: Some(Outcome::Denied),
                subjects: vec![tag(1)],
                ..Criteria::default()
            },
        ),
        (
            10,
            Criteria {
                min_records: 12_990,
                ..Criteria::default()
            },
        ),
        (
            1,
            Criteria {
                officer: Some("officer 4100".to_owned()),
                ..Criteria::default()
            },
        ),
        (
            1,
            Criteria {
                exchange: Some(exchange_id(8_192)),
                ..Criteria::default()
            },
        ),
    ];
    for (count, criteria) in &cases {
        let found = all(dir.path(), Some(&index), criteria);
        assert_eq!(found.len(), *count);
        assert_eq!(found, all(dir.path(), None, criteria));
    }
}

#[tokio::test]
async fn a_stream_that_ended_after_the_index_is_found_by_its_end() {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    let stream = journal.begin(exchange(1)).await.unwrap();
    journal.append(exchange(2)).await.unwrap();
    index_to(dir.path(), u64::MAX);
    let index_then = index(dir.path());
    let end = ended(&[1; 20]);
    let failed = Criteria {
        outcome: Some(end.outcome),
        ..Criteria::default()
    };
    let found = |index: &Index| all(dir.path(), Some(index), &failed);
    assert_eq!(found(&index_then), []);
    stream.close(end).await.unwrap();
    assert_eq!(
        found(&index_then),
        [(0, Some(2))],
        "read from after the index"
    );
    index_to(dir.path(), u64::MAX);
    assert_eq!(index(dir.path()).complete_to(), 3);
    assert_eq!(found(&index(dir.path())), [(0, Some(2))], "by the index");
    assert_eq!(found(&index_then), [(0, Some(2))], "by what it was before");
    journal.close();
}

#[test]
fn an_index_that_is_lost_damaged_or_of_another_kind_is_made_anew() {
    let steps: Vec<Draw> = (0..50)
        .map(|n| std::array::from_fn(|m| (n * 7 + m * 3) as u8))
        .collect();
    let dir = journal(&steps);
    index_to(dir.path(), u64::MAX);
    let expected = all(dir.path(), None, &Criteria::default());
    let file = schema::file(dir.path());
    let execute = |sql: &str| Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    let cases: [(&str, &dyn Fn()); 6] = [
        ("lost", &|| {
            fs::remove_dir_all(schema::folder(dir.path())).unwrap()
        }),
        ("garbage", &|| {
            fs::write(&file, b"no database, but long enough to be read as one").unwrap()
        }),
        ("empty", &|| fs::write(&file, b"").unwrap()),
        ("another version", &|| execute("PRAGMA user_version = 999")),
        ("torn", &|| execute("UPDATE state SET boot = 'another'")),
        ("of another journal", &|| {
            execute("UPDATE state SET root = zeroblob(32)")
        }),
    ];
    for (name, spoil) in cases {
        spoil();
        assert!(
            !matches!(Index::open(dir.path()), Ok(Some(_))),
            "{name}: it is not used"
        );
        index_to(dir.path(), u64::MAX);
        let index = index(dir.path());
        assert_eq!(
            all(dir.path(), Some(&index), &Criteria::default()),
            expected,
            "{name}"
        );
        assert!(index.complete_to() >= 50, "{name}");
    }
}

#[test]
fn pages_that_are_damaged_are_found_out_and_the_journal_is_read() {
    let steps: Vec<Draw> = (0..50).map(|n| [n; 20]).collect();
    let dir = journal(&steps);
    index_to(dir.path(), u64::MAX);
    let file = schema::file(dir.path());
    Connection::open(&file)
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let mut bytes = fs::read(&file).unwrap();
    // All but the page that says what there is, and the state.
    bytes[2 * 4_096..].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let index = index(dir.path());
    let expected = all(dir.path(), None, &Criteria::default());
    assert_eq!(
        all(dir.path(), Some(&index), &Criteria::default()),
        expected
    );
}

#[test]
fn a_search_of_a_folder_without_a_journal_says_so() {
    let dir = temporary();
    assert!(Index::open(dir.path()).unwrap().is_none());
    let reader = Reader::open(dir.path());
    assert!(find(&reader, None, &Criteria::default(), Page::newest(1)).is_err());
}

#[tokio::test]
async fn what_is_not_durable_is_not_indexed() {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    for n in 1..4 {
        journal.append(exchange(n)).await.unwrap();
    }
    index_to(dir.path(), 2);
    assert_eq!(index(dir.path()).complete_to(), 2);
    journal.close();
}

#[tokio::test]
async fn readers_see_whole_batches_while_the_follower_writes() {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    let durable = journal.clone();
    let follower = IndexFollower::start(dir.path(), move || durable.checkpoint().size()).unwrap();
    let mut seen = 0;
    for round in 0..20 {
        append(&journal, (0..100).map(|n| of_many(round * 100 + n))).await;
        let index = Index::open(dir.path()).unwrap();
        let reader = Reader::open(dir.path());
        let found = find(
            &reader,
            index.as_ref(),
            &Criteria::default(),
            Page::newest(150),
        )
        .unwrap();
        let newest = (round + 1) * 100;
        assert_eq!(found.reach.complete_to, newest);
        assert!(found.reach.indexed_to >= seen, "the index goes forward");
        seen = found.reach.indexed_to;
        let expected: Vec<_> = (newest.saturating_sub(150)..newest).rev().collect();
        assert_eq!(
            found.hits.iter().map(|hit| hit.index).collect::<Vec<_>>(),
            expected
        );
    }
    journal.close();
    follower.close();
    assert_eq!(
        index(dir.path()).complete_to(),
        2_000,
        "the last entries are in when it is closed"
    );
}

#[tokio::test]
async fn what_erased_records_mention_is_forgotten() {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    append(&journal, (0..200).map(of_many)).await;
    let erasure = pb::ErasureRecord {
        ranges: vec![
            pb::EntryRange { first: 0, end: 98 },
            // Nothing that is not there yet.
            pb::EntryRange {
                first: 150,
                end: u64::MAX,
            },
            pb::EntryRange { first: 9, end: 3 },
        ],
        ..pb::ErasureRecord::default()
    };
    journal.append(Entry::erasure(erasure)).await.unwrap();
    journal.append(of_many(97)).await.unwrap();
    journal.close();
    index_to(dir.path(), u64::MAX);
    let mentioned: Vec<i64> = Connection::open(schema::file(dir.path()))
        .unwrap()
        .prepare("SELECT DISTINCT entry FROM mention ORDER BY entry")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let expected: Vec<i64> = (98..150).chain([201]).collect();
    assert_eq!(mentioned, expected);
}
