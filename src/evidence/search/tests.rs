use crate::evidence::criteria::Criteria;
use crate::journal::Outcome;
use crate::pb;
use crate::pb::journal_record;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::journal::Entry;
use crate::journal::Kind;
use crate::journal::Role;
use crate::journal::StreamEnd;
use crate::journal::reader::Reader;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_id;
use crate::journal::testing::exchange_record;
use crate::journal::testing::open_at;
use crate::journal::testing::record_of;
use crate::journal::testing::temporary;

fn at(second: i64) -> Moment {
    Moment::from_micros(NOON.micros() + second * 1_000_000)
}

fn tag(byte: u8) -> pb::SubjectTag {
    pb::SubjectTag {
        epoch: 682,
        tag: vec![byte; 16].into(),
    }
}

fn denied(n: u64) -> Entry {
    let record = pb::ExchangeRecord {
        consumer: "market".to_owned(),
        system: "licensing".to_owned(),
        purpose: "licence".to_owned(),
        record_type: "civil.v1.Household".to_owned(),
        agreement: "CIV-MKT-1".to_owned(),
        reason: "FIELD_NOT_GRANTED".to_owned(),
        ..exchange_record(n)
    };
    Entry {
        outcome: Outcome::Denied,
        record: record_of(record),
        ..exchange(n)
    }
}

fn about(n: u64, subject: u8) -> Entry {
    let record = pb::ExchangeRecord {
        subjects: vec![tag(subject)],
        ..exchange_record(n)
    };
    Entry {
        record: record_of(record),
        ..exchange(n)
    }
}

fn plain(kind: Kind, record: journal_record::Kind) -> Entry {
    Entry {
        kind,
        role: Role::None,
        outcome: Outcome::None,
        exchange: None,
        exchange_digest: [0; 32],
        peer: None,
        record: pb::JournalRecord { kind: Some(record) },
    }
}

/// Entry n is of n seconds past noon: 0 started, 1 answered, 2 a stream's opening, 3 denied, 4 turned away, 5 the
/// stream's end, 6 about a subject, 7 a stream that is still open.
async fn journal() -> TempDir {
    let dir = temporary();
    let time = Arc::new(AtomicI64::new(0));
    let clock = Clock::Fixed(time.clone());
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Always, clock).unwrap();
    let tick = |second| time.store(at(second).micros(), Ordering::Relaxed);
    let started = pb::LifecycleRecord {
        event: "started".to_owned(),
        version: "1".to_owned(),
        ..pb::LifecycleRecord::default()
    };
    let connection = pb::ConnectionRecord {
        peer: "spiffe://gov.example/department/market/system/licensing".to_owned(),
        door: "peers".to_owned(),
        reason: "REVOKED".to_owned(),
        times: 0,
    };
    tick(0);
    journal
        .append(plain(
            Kind::Lifecycle,
            journal_record::Kind::Lifecycle(started),
        ))
        .await
        .unwrap();
    tick(1);
    journal.append(exchange(1)).await.unwrap();
    tick(2);
    let stream = journal
        .begin(Entry {
            outcome: Outcome::None,
            ..exchange(2)
        })
        .await
        .unwrap();
    tick(3);
    journal.append(denied(3)).await.unwrap();
    tick(4);
    journal
        .append(plain(
            Kind::Connection,
            journal_record::Kind::Connection(connection),
        ))
        .await
        .unwrap();
    tick(5);
    let end = pb::StreamEndRecord {
        reason: "SOURCE_FAILED".to_owned(),
        records: 9,
        subjects: vec![tag(2)],
        ..pb::StreamEndRecord::default()
    };
    let end = StreamEnd {
        outcome: Outcome::ProviderError,
        exchange_digest: [1; 32],
        peer: None,
        record: end,
    };
    stream.close(end).await.unwrap();
    tick(6);
    journal.append(about(6, 6)).await.unwrap();
    tick(7);
    let open = journal
        .begin(Entry {
            outcome: Outcome::None,
            ..exchange(7)
        })
        .await
        .unwrap();
    journal.close();
    drop(open);
    dir
}

fn newest(dir: &TempDir, criteria: &Criteria, limit: usize) -> Vec<Hit> {
    let reader = Reader::open(dir.path());
    let found = find(&reader, None, criteria, Page::newest(limit)).unwrap();
    found.hits
}

fn found(dir: &TempDir, criteria: &Criteria) -> Vec<u64> {
    let hits = newest(dir, criteria, 100);
    hits.iter().map(|hit| hit.index).collect()
}

#[tokio::test]
async fn each_criterion_finds_what_fits_newest_first() {
    let dir = journal().await;
    let any = Criteria::default();
    let cases = [
        ("everything", any.clone(), vec![7, 6, 4, 3, 2, 1, 0]),
        (
            "peer",
            Criteria {
                peer: Some("tax".parse().unwrap()),
                ..any.clone()
            },
            vec![7, 6, 2, 1],
        ),
        (
            "peer that was turned away",
            Criteria {
                peer: Some("market".parse().unwrap()),
                ..any.clone()
            },
            vec![4, 3],
        ),
        (
            "system",
            Criteria {
                system: Some("licensing".parse().unwrap()),
                ..any.clone()
            },
            vec![3],
        ),
        (
            "record type",
            Criteria {
                record_type: Some("civil.v1.Household".parse().unwrap()),
                ..any.clone()
            },
            vec![3],
        ),
        (
            "purpose",
            Criteria {
                purpose: Some("licence".parse().unwrap()),
                ..any.clone()
            },
            vec![3],
        ),
        (
            "agreement",
            Criteria {
                agreement: Some("CIV-MKT-1".parse().unwrap()),
                ..any.clone()
            },
            vec![3],
        ),
        (
            "outcome",
            Criteria {
                outcome: Some(Outcome::Answered),
                ..any.clone()
            },
            vec![6, 1],
        ),
        (
            "outcome of a stream",
            Criteria {
                outcome: Some(Outcome::ProviderError),
                ..any.clone()
            },
            vec![2],
        ),
        (
            "reason",
            Criteria {
                reason: Some("REVOKED".to_owned()),
                ..any.clone()
            },
            vec![4],
        ),
        (
            "reason of a stream",
            Criteria {
                reason: Some("SOURCE_FAILED".to_owned()),
                ..any.clone()
            },
            vec![2],
        ),
        (
            "kind",
            Criteria {
                kind: Some(Kind::Intent),
                ..any.clone()
            },
            vec![7, 2],
        ),
        (
            "exchange",
            Criteria {
                exchange: Some(exchange_id(2)),
                ..any.clone()
            },
            vec![2],
        ),
        (
            "subject",
            Criteria {
                subjects: vec![tag(6), tag(99)],
                ..any.clone()
            },
            vec![6],
        ),
        (
            "subject of a stream",
            Criteria {
                subjects: vec![tag(2)],
                ..any.clone()
            },
            vec![2],
        ),
        (
            "since",
            Criteria {
                since: Some(at(4)),
                ..any.clone()
            },
            vec![7, 6, 4],
        ),
        (
            "until",
            Criteria {
                until: Some(at(3)),
                ..any.clone()
            },
            vec![2, 1, 0],
        ),
        (
            "both times",
            Criteria {
                since: Some(at(1)),
                until: Some(at(3)),
                ..any.clone()
            },
            vec![2, 1],
        ),
        (
            "nothing",
            Criteria {
                purpose: Some("other".parse().unwrap()),
                ..any
            },
            vec![],
        ),
    ];
    for (name, criteria, expected) in cases {
        assert_eq!(found(&dir, &criteria), expected, "{name}");
    }
}

#[tokio::test]
async fn a_stream_is_found_with_its_end() {
    let dir = journal().await;
    let intents = Criteria {
        kind: Some(Kind::Intent),
        ..Criteria::default()
    };
    let hits = newest(&dir, &intents, 100);
    assert!(hits[0].end.is_none(), "still open");
    let end = hits[1].end.as_ref().unwrap();
    assert_eq!(
        (end.index, end.record.records, end.record.opened_at),
        (5, 9, 2)
    );
    // The end is joined though it is later than what is looked for.
    let criteria = Criteria {
        until: Some(at(3)),
        outcome: Some(Outcome::ProviderError),
        ..Criteria::default()
    };
    assert_eq!(found(&dir, &criteria), [2]);
}

#[tokio::test]
async fn a_search_stops_at_its_limit() {
    let dir = journal().await;
    let hits = newest(&dir, &Criteria::default(), 2);
    assert_eq!(hits.iter().map(|hit| hit.index).collect::<Vec<_>>(), [7, 6]);
    assert!(newest(&dir, &Criteria::default(), 0).is_empty());
}
