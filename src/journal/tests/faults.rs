//! Every file operation fails once.

use std::io;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use futures::future::join_all;

use super::append_all;
use super::assert_whole;
use super::stream_end;
use crate::journal::reader::Reader;
use crate::journal::testing::Fault;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_record;
use crate::journal::testing::keys;
use crate::journal::testing::open;
use crate::journal::testing::record_of;
use crate::journal::testing::settings;
use crate::journal::testing::temporary;
use crate::journal::*;

/// Appends, streams and rolls over several segments. Gives the receipts of what is durable, and whether all went well.
async fn scenario(disk: &Flaky, dir: &Path) -> (Vec<Receipt>, bool) {
    let Ok((journal, _)) = open(disk, dir, Publish::Always) else {
        return (Vec::new(), false);
    };
    let mut receipts = Vec::new();
    let mut failures = 0;
    let stream = journal.begin(exchange(100)).await;
    for n in 0..12 {
        let mut record = exchange_record(n);
        record.detail = "x".repeat(800);
        let entry = Entry {
            record: record_of(record),
            ..exchange(n)
        };
        match journal.append(entry).await {
            Ok(receipt) => receipts.push(receipt),
            Err(_) => failures += 1,
        }
    }
    if let Ok(mut stream) = stream {
        receipts.extend(stream.take_receipt());
        match stream.close(stream_end(100, 3)).await {
            Ok(receipt) => receipts.push(receipt),
            Err(_) => failures += 1,
        }
    }
    journal.close();
    (receipts, failures == 0)
}

#[tokio::test]
async fn whichever_operation_fails_nothing_acknowledged_is_lost() {
    let dry = Flaky::default();
    let dir = temporary();
    let (receipts, well) = scenario(&dry, dir.path()).await;
    assert!(well && receipts.len() == 14);
    let (mut undisturbed, mut failed) = (0, 0);
    for n in 0..dry.operations() {
        for after in [false, true] {
            let dir = temporary();
            let disk = Flaky::failing(Fault::Nth { n, after });
            let (receipts, well) = scenario(&disk, dir.path()).await;
            if well {
                undisturbed += 1
            } else {
                failed += 1
            }

            let healthy = Flaky::default();
            let (journal, recovery) = open(&healthy, dir.path(), Publish::Always)
                .unwrap_or_else(|error| panic!("after operation {n} failed: {error:?}"));
            for receipt in &receipts {
                let found = Reader::open(dir.path()).entry(receipt.index()).unwrap();
                let found = found
                    .unwrap_or_else(|| panic!("operation {n}: entry {} is lost", receipt.index()));
                assert_eq!(found.leaf_bytes(), receipt.leaf(), "operation {n}");
            }
            assert!(recovery.entries >= receipts.len() as u64);
            journal.append(exchange(200)).await.unwrap();
            journal.close();
            assert_whole(
                dir.path(),
                recovery.entries + recovery.interrupted.len() as u64 + 1,
            );
        }
    }
    assert!(
        failed > 50,
        "{failed} runs were disturbed, {undisturbed} were not"
    );
}

#[tokio::test]
async fn a_failed_flush_is_final_until_a_restart() {
    for operation in ["write", "flush"] {
        let dir = temporary();
        let disk = Flaky::default();
        let (journal, _) = open(&disk, dir.path(), Publish::Never).unwrap();
        journal.append(exchange(0)).await.unwrap();
        disk.fail(Some(Fault::All {
            operation,
            path: "00.seg",
            kind: io::ErrorKind::Other,
        }));
        let refused = join_all((1..4).map(|n| journal.append(exchange(n)))).await;
        assert!(
            refused
                .iter()
                .all(|answer| matches!(answer, Err(AppendError::Failed(_))))
        );
        // The disk is well again, but nobody knows what it kept.
        disk.fail(None);
        assert!(matches!(
            journal.append(exchange(4)).await,
            Err(AppendError::Failed(_))
        ));
        assert!(matches!(journal.state(), JournalState::Failed(_)));
        assert_eq!(journal.checkpoint().size(), 1);
        journal.close();

        let (journal, _) = open(&disk, dir.path(), Publish::Never).unwrap();
        journal.append(exchange(5)).await.unwrap();
        assert!(matches!(journal.state(), JournalState::Writable));
        journal.close();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_entries_lets_streams_end_and_recovers() {
    let dir = temporary();
    let disk = Flaky::default();
    // 16 KiB, so that what is kept free for streams is less than all.
    let (journal, _) = Journal::open_on(
        Arc::new(disk.clone()),
        Duration::from_millis(1),
        settings(dir.path(), 16 << 10),
        keys(),
        Clock::fixed(NOON),
    )
    .unwrap();
    let full = Fault::All {
        operation: "write",
        path: "spare",
        kind: io::ErrorKind::StorageFull,
    };
    disk.fail(Some(full));
    let stream = journal.begin(exchange(1)).await.unwrap();
    let mut appended = 0;
    let refused = loop {
        match journal.append(exchange(appended)).await {
            Ok(_) => appended += 1,
            Err(unwritten) => break unwritten,
        }
    };
    assert!(
        matches!(&refused, AppendError::Full(error) if error.source.kind() == io::ErrorKind::StorageFull)
    );
    assert!(matches!(journal.state(), JournalState::Full(_)));
    stream.close(stream_end(1, 9)).await.unwrap();

    disk.fail(None);
    let patience = Instant::now();
    while !matches!(journal.state(), JournalState::Writable) {
        assert!(
            patience.elapsed() < Duration::from_secs(20),
            "there is room again"
        );
        tokio::task::yield_now().await;
    }
    append_all(&journal, 0, 100).await;
    journal.close();
    assert_whole(dir.path(), appended + 102);
}
