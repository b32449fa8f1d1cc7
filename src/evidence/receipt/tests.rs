use futures::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::identity::directory::Directory;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKey;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_id;
use crate::journal::testing::keys;
use crate::journal::testing::open;
use crate::journal::testing::settings;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;

fn journals(keys: &[String]) -> Journals {
    let text = format!(
        "[[department]]\nid = \"civil\"\nname = \"Civil Affairs\"\nendpoints = [\"localhost:1\"]\njournal = {keys:?}\n"
    );
    let directory = Directory::parse("directory.toml", &text).unwrap();
    Journals::read(
        "directory.toml",
        &directory,
        &"gov.example".parse().unwrap(),
    )
    .unwrap()
}

fn known() -> Journals {
    journals(&[vkey().to_string()])
}

/// Checks a receipt for the exchange of that number, whose digest its entry has.
fn check(
    receipt: Option<&pb::Receipt>,
    journals: &Journals,
    number: u64,
) -> Result<VerifiedReceipt, BadReceipt> {
    let expected = Expected {
        provider: &"civil".parse().unwrap(),
        exchange: exchange_id(number),
        begun: Instant::now(),
        kinds: &[Kind::Exchange],
        outcomes: &[Outcome::Answered],
        digest: &|_, _| exchange(number).exchange_digest,
    };
    VerifiedReceipt::check(receipt, journals, &expected)
}

/// What is wrong with a receipt for the exchange 5.
fn wrong(receipt: &pb::Receipt) -> String {
    let error = check(Some(receipt), &known(), 5).unwrap_err();
    crate::fault::chain(&error)
}

/// A journal with ten exchanges, committed together or nearly so, and their receipts.
async fn ten() -> (TempDir, Journal, Vec<pb::Receipt>) {
    let dir = temporary();
    let (journal, _) =
        Journal::open(settings(dir.path(), 1 << 16), keys(), Clock::fixed(NOON)).unwrap();
    let appended = join_all((0..10).map(|n| journal.append(exchange(n)))).await;
    let receipts = appended
        .iter()
        .map(|receipt| receipt.as_ref().unwrap().into())
        .collect();
    (dir, journal, receipts)
}

#[tokio::test]
async fn every_receipt_of_every_commit_proves_its_own_exchange_and_no_other() {
    let (_dir, journal, mut receipts) = ten().await;
    for n in 10..40 {
        receipts.push((&journal.append(exchange(n)).await.unwrap()).into());
    }
    let journals = known();
    for (n, receipt) in receipts.iter().enumerate() {
        let proven = check(Some(receipt), &journals, n as u64).unwrap();
        assert_eq!(proven.entry().index, n as u64);
        assert_eq!(proven.entry().origin, "gov.example/civil/1");
        assert_eq!(proven.entry().leaf_hash, merkle::leaf_hash(&receipt.leaf));
        assert_eq!(
            (proven.kind(), proven.outcome()),
            (Kind::Exchange, Outcome::Answered)
        );
        let other = check(Some(receipt), &journals, n as u64 + 1);
        assert!(matches!(other, Err(BadReceipt::OtherExchange)));
    }
    journal.close();
}

#[tokio::test]
async fn a_receipt_that_is_changed_anywhere_proves_nothing() {
    let (_dir, journal, receipts) = ten().await;
    // Of a commit of its own, so that its path is not empty.
    let receipt: pb::Receipt = (&journal.append(exchange(5)).await.unwrap()).into();
    let changed = |change: fn(&mut pb::Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        wrong(&receipt)
    };
    check(Some(&receipt), &known(), 5).unwrap();

    let no_path = "does not lead from its leaf";
    let flip = |bytes: &bytes::Bytes, at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes::Bytes::from(bytes)
    };
    for at in 0..receipt.leaf.len() {
        let mut other = receipt.clone();
        other.leaf = flip(&receipt.leaf, at);
        assert!(wrong(&other).contains(no_path), "byte {at} of the leaf");
    }
    for hash in 0..receipt.path.len() {
        let mut other = receipt.clone();
        other.path[hash] = flip(&receipt.path[hash], 31);
        assert!(wrong(&other).contains(no_path), "hash {hash} of the path");
    }
    for (what, told) in [
        (
            "no leaf",
            changed(|receipt| receipt.leaf = bytes::Bytes::new()),
        ),
        ("a path cut", changed(|receipt| _ = receipt.path.pop())),
        ("no path", changed(|receipt| receipt.path.clear())),
        (
            "a long path",
            changed(|receipt| receipt.path = vec![vec![0; 32].into(); 65]),
        ),
        (
            "hashes of other lengths",
            changed(|receipt| receipt.path = vec![vec![0; 31].into(); 4]),
        ),
        ("another index", changed(|receipt| receipt.index -= 1)),
        ("no index", changed(|receipt| receipt.index = u64::MAX)),
    ] {
        assert!(told.contains(no_path), "{what}: {told}");
    }
    let told = changed(|receipt| receipt.origin = "gov.example/civil/2".to_owned());
    assert!(told.contains("is of `gov.example/civil/2`"), "{told}");
    let told = changed(|receipt| receipt.checkpoint.clear());
    assert!(told.contains("not a signed note"), "{told}");
    let told =
        changed(|receipt| receipt.checkpoint = receipt.checkpoint.replace("\n11\n", "\n12\n"));
    assert!(told.contains("does not verify"), "{told}");

    // The same exchange number, but an earlier checkpoint: the leaf is not in that tree.
    let mut older = receipt.clone();
    older.checkpoint.clone_from(&receipts[5].checkpoint);
    assert!(wrong(&older).contains(no_path));
    assert!(matches!(check(None, &known(), 5), Err(BadReceipt::Missing)));
    journal.close();
}

#[tokio::test]
async fn only_a_journal_of_the_asked_department_can_prove() {
    let (_dir, journal, receipts) = ten().await;
    let other_key = JournalKey::from_seed([8; 32])
        .verifier("gov.example/civil/1")
        .unwrap();
    for journals in [journals(&[]), journals(&[other_key.to_string()])] {
        let error = check(Some(&receipts[5]), &journals, 5).unwrap_err();
        assert!(matches!(error, BadReceipt::Checkpoint(_)), "{error}");
    }
    journal.close();
}

#[tokio::test]
async fn a_leaf_must_say_what_the_answer_says() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    for (entry, says) in [
        (
            Entry {
                kind: Kind::Intent,
                ..exchange(5)
            },
            "is of intent as provider, answered",
        ),
        (
            Entry {
                role: Role::Consumer,
                ..exchange(5)
            },
            "is of exchange as consumer, answered",
        ),
        (
            Entry {
                outcome: Outcome::Denied,
                ..exchange(5)
            },
            "is of exchange as provider, denied",
        ),
        (
            Entry {
                exchange_digest: [6; 32],
                ..exchange(5)
            },
            "exchange digest is not that",
        ),
        (
            Entry {
                exchange: None,
                ..exchange(5)
            },
            "another exchange",
        ),
    ] {
        let receipt = journal.append(entry).await.unwrap();
        let told = wrong(&(&receipt).into());
        assert!(told.contains(says), "{told}");
    }
    journal.close();
}

#[tokio::test]
async fn checkpoints_of_many_commits_are_verified_and_few_are_remembered() {
    let (_dir, journal, _) = ten().await;
    let journals = known();
    let civil = "civil".parse().unwrap();
    for n in 0..20 {
        let receipt: pb::Receipt = (&journal.append(exchange(n)).await.unwrap()).into();
        let first = journals.checkpoint(&civil, &receipt.checkpoint).unwrap();
        let again = journals.checkpoint(&civil, &receipt.checkpoint).unwrap();
        assert!(
            std::sync::Arc::ptr_eq(&first, &again),
            "it is verified once"
        );
    }
    assert_eq!(journals.remembered(&civil), 8);
    journal.close();
}
