use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::Kind as Sort;
use crate::journal::Outcome;
use crate::journal::StreamEnd;
use crate::name::ExchangeId;

/// 2026-11-23, 12:00 UTC.
const NOON: Moment = Moment::from_micros(1_795_435_200_000_000);

fn looked_up(kind: Sort, n: u128, reason: &str, misses: u32) -> Entry {
    let record = pb::ExchangeRecord {
        agreement: "CIV-TAX-2026-01".to_owned(),
        record_type: "civil.v1.Resident".to_owned(),
        reason: reason.to_owned(),
        lookup_misses: misses,
        ..Default::default()
    };
    Entry {
        kind,
        role: Role::Provider,
        outcome: Outcome::Answered,
        exchange: Some(ExchangeId::new(Uuid::from_u128(n))),
        exchange_digest: [7; 32],
        peer: None,
        record: pb::JournalRecord {
            kind: Some(Kind::Exchange(record)),
        },
    }
}

fn end(misses: u32) -> StreamEnd {
    StreamEnd {
        outcome: Outcome::Answered,
        exchange_digest: [7; 32],
        peer: None,
        record: pb::StreamEndRecord {
            reason: "answered".to_owned(),
            lookup_misses: misses,
            ..Default::default()
        },
    }
}

/// What is missed of the day by the journal, whether or not the streams that are open in it are closed.
fn missed(journal: &Path) -> u32 {
    let ledger = ledger(journal, NOON, UtcOffset::UTC).unwrap();
    let agreement = "CIV-TAX-2026-01".parse().unwrap();
    let record = "civil.v1.Resident".parse().unwrap();
    ledger.spent(&agreement, 0, &record, NOON).lookup_misses
}

#[tokio::test]
async fn a_stream_that_was_open_when_the_gateway_died_has_missed_what_it_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    let open = || {
        let keys = JournalKeys::load_or_create(
            &folder.path().join("journal.key"),
            &folder.path().join("journal-pq.key"),
        );
        let settings = JournalSettings {
            dir: dir.clone(),
            origin: "gov.example/civil/1".to_owned(),
            linger: Duration::ZERO,
            segment_bytes: 1 << 20,
            max_unpublished_age: Duration::from_secs(60),
        };
        Journal::open(settings, keys.unwrap().0, Clock::fixed(NOON)).unwrap()
    };
    let (journal, _) = open();
    let answered = looked_up(Sort::Exchange, 1, "NOT_FOUND", 2);
    journal.append(answered).await.unwrap();
    for (n, misses) in [(2, 0), (3, 1)] {
        let opening = looked_up(Sort::Intent, n, "opened", 1);
        let opened = journal.begin(opening).await.unwrap();
        opened.close(end(misses)).await.unwrap();
    }
    let opening = looked_up(Sort::Intent, 4, "opened", 1);
    let opened = journal.begin(opening).await.unwrap();
    assert_eq!(missed(&dir), 4);
    // Its forerunner's death, as far as the journal can tell: nothing is written of the stream any more.
    std::mem::forget(opened);
    journal.close();
    assert_eq!(missed(&dir), 4);

    let (journal, recovery) = open();
    assert_eq!(recovery.interrupted.len(), 1);
    journal.close();
    assert_eq!(missed(&dir), 4, "its closing entry says the same");
}
