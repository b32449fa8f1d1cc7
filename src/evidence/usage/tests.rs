use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::journal::Entry;
use crate::journal::StreamEnd;
use crate::journal::subject::SubjectKeys;
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
use crate::registry::Registry;

const WHO: &str = "990101199001011234";

fn asked(outcome: Outcome, reason: &str, n: u64, record: pb::ExchangeRecord) -> Entry {
    let record = pb::ExchangeRecord {
        reason: reason.to_owned(),
        ..record
    };
    Entry {
        outcome,
        record: record_of(record),
        ..exchange(n)
    }
}

/// Entry 0: a get that was answered, at the provider. 1: somebody else's. 2: a stream, which ends with 6. 3: refused, by the
/// person's own key. 4: not released for want of a receipt. 5: values confirmed, by the key.
async fn journal(keys: &SubjectKeys) -> TempDir {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Never, clock).unwrap();
    let month = keys.month(NOON).unwrap();
    let of = |id: &str| vec![month.subject("credit_code", id)];
    let keyed = month.record_key(&"market.v1.Business".parse().unwrap(), WHO);
    let by_key = |n| pb::ExchangeRecord {
        key_tag: keyed.to_vec().into(),
        ..exchange_record(n)
    };
    let answered = pb::ExchangeRecord {
        subjects: of(WHO),
        fields: vec!["name".to_owned(), "phone".to_owned()],
        masked: vec!["phone".to_owned()],
        case_reference: "A-1".to_owned(),
        ..by_key(0)
    };
    let other = pb::ExchangeRecord {
        subjects: of("somebody else"),
        ..exchange_record(1)
    };
    let unreleased = pb::ExchangeRecord {
        subjects: of(WHO),
        ..exchange_record(4)
    };
    let verified = pb::ExchangeRecord {
        mode: "verify".to_owned(),
        ..by_key(5)
    };
    for entry in [
        asked(Outcome::Answered, "answered", 0, answered),
        asked(Outcome::Answered, "answered", 1, other),
    ] {
        journal.append(entry).await.unwrap();
    }
    let stream = journal
        .begin(Entry {
            role: Role::Consumer,
            ..exchange(2)
        })
        .await
        .unwrap();
    for entry in [
        asked(Outcome::Denied, "FIELD_NOT_GRANTED", 3, by_key(3)),
        asked(Outcome::ReceiptRefused, "RECEIPT_REFUSED", 4, unreleased),
        asked(Outcome::Answered, "answered", 5, verified),
    ] {
        journal.append(entry).await.unwrap();
    }
    let end = StreamEnd {
        outcome: Outcome::CutShort,
        exchange_digest: [1; 32],
        peer: None,
        record: pb::StreamEndRecord {
            records: 3,
            reason: "CLIENT_GONE".to_owned(),
            subjects: of(WHO),
            ..pb::StreamEndRecord::default()
        },
    };
    stream.close(end).await.unwrap();
    journal.close();
    dir
}

fn found(
    dir: &TempDir,
    subject: &Person,
    attempts: bool,
    offset: u64,
    limit: usize,
) -> (u64, Vec<(u64, bool)>) {
    let pick = Pick {
        attempts,
        offset,
        limit,
    };
    let found = usages(&Reader::open(dir.path()), None, subject, pick).unwrap();
    let rows = found
        .usages
        .iter()
        .map(|usage| (usage.index, usage.received));
    (found.total, rows.collect())
}

fn keys() -> (TempDir, SubjectKeys) {
    let folder = temporary();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    (folder, keys)
}

fn registry() -> Registry {
    Registry::compile(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/registry"))
        .unwrap()
}

fn person(keys: &SubjectKeys, registry: Option<&Registry>) -> Person {
    let mut subject = Person::default();
    subject.add(keys, registry, "credit_code", WHO).unwrap();
    subject
}

#[tokio::test]
async fn what_was_received_is_listed_the_newest_first_and_attempts_when_they_are_asked_for() {
    let (_folder, keys) = keys();
    let dir = journal(&keys).await;
    let subject = person(&keys, Some(&registry()));
    let received = vec![(5, true), (2, true), (0, true)];
    assert_eq!(found(&dir, &subject, false, 0, 10), (3, received));
    let all = vec![(5, true), (4, false), (3, false), (2, true), (0, true)];
    assert_eq!(found(&dir, &subject, true, 0, 10), (5, all));
    assert_eq!(found(&dir, &subject, false, 1, 1), (3, vec![(2, true)]));
    assert_eq!(found(&dir, &subject, false, 9, 1), (3, vec![]));
}

#[tokio::test]
async fn without_a_registry_only_named_subjects_are_found() {
    let (_folder, keys) = keys();
    let dir = journal(&keys).await;
    let subject = person(&keys, None);
    let all = vec![(4, false), (2, true), (0, true)];
    assert_eq!(found(&dir, &subject, true, 0, 10), (3, all));
}

#[tokio::test]
async fn nobodys_tags_find_nothing() {
    let (_folder, keys) = keys();
    let dir = journal(&keys).await;
    assert!(Person::default().is_unknown());
    assert_eq!(found(&dir, &Person::default(), true, 0, 10), (0, vec![]));
    keys.destroy(682).unwrap();
    assert!(person(&keys, Some(&registry())).is_unknown());
}

#[tokio::test]
async fn a_usage_tells_who_received_what_and_why() {
    let (_folder, keys) = keys();
    let dir = journal(&keys).await;
    let pick = Pick {
        attempts: true,
        offset: 0,
        limit: 10,
    };
    let subject = person(&keys, Some(&registry()));
    let found = usages(&Reader::open(dir.path()), None, &subject, pick).unwrap();
    assert_eq!(found.reach.complete_to, 7);
    let [_, _, refused, stream, answered] = found.usages.as_slice() else {
        panic!("{} usages", found.usages.len());
    };
    assert_eq!((answered.role, answered.time), (Role::Provider, NOON));
    assert_eq!(
        [
            answered.consumer.as_str(),
            &answered.system,
            &answered.officer
        ],
        ["tax", "assessment", "officer 0"]
    );
    assert_eq!(
        [
            answered.purpose.as_str(),
            &answered.case_reference,
            &answered.agreement
        ],
        ["arrears", "A-1", "CIV-TAX-2026-01"]
    );
    assert_eq!(
        answered.fields,
        [("name".to_owned(), false), ("phone".to_owned(), true)]
    );
    assert_eq!(answered.exchange, Some(exchange_id(0)));
    assert_eq!(
        (stream.role, stream.outcome, stream.reason.as_str()),
        (Role::Consumer, Outcome::CutShort, "CLIENT_GONE")
    );
    assert_eq!(
        (refused.outcome, refused.reason.as_str()),
        (Outcome::Denied, "FIELD_NOT_GRANTED")
    );
    assert!(refused.fields.is_empty());
}
