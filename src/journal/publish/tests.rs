use std::fs;
use std::path::Path;

use super::*;
use crate::clock::Moment;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::pace::Pace;
use crate::journal::reader::Reader;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::ORIGIN;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::keys;
use crate::journal::testing::open;
use crate::journal::testing::settings;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;
use crate::journal::verify::Fault;
use crate::journal::verify::Report;
use crate::journal::verify::Scope;
use crate::journal::verify::verify;
use crate::journal::verify::verify_within;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::note;
use crate::tlog::note::KeyKind;
use crate::tlog::quorum::WitnessPolicy;

async fn journal(dir: &Path, entries: u64) -> Journal {
    let (journal, _) = open(&Flaky::default(), dir, Publish::Never).unwrap();
    for n in 0..entries {
        journal.append(exchange(n)).await.unwrap();
    }
    // Only a close publishes.
    journal.close();
    journal
}

fn witness() -> CosignerKey {
    CosignerKey::from_seed([2; 32], "tax.example/witness")
}

fn policy() -> WitnessPolicy {
    let text = format!("witness tax {}\nquorum tax\n", witness().verifier());
    WitnessPolicy::parse("policy", &text).unwrap()
}

fn verify_witnessed(dir: &Path) -> Report {
    let policy = policy();
    let scope = Scope {
        witnesses: Some(&policy),
        ..Scope::default()
    };
    verify_within(dir, &[vkey()], scope, &mut Pace::full())
}

fn cosigned(checkpoint: &SignedCheckpoint, at: Moment) -> SignedCheckpoint {
    let line = witness().cosign(checkpoint, at);
    checkpoint.with_lines([line.as_str()]).unwrap()
}

#[tokio::test]
async fn what_is_published_bears_both_of_the_journals_signatures() {
    let dir = temporary();
    let journal = journal(dir.path(), 3).await;
    let note = Reader::open(dir.path()).published().unwrap().unwrap();
    assert_eq!(journal.published().note(), note);
    let both = keys().verifiers(ORIGIN).unwrap();
    let signers: Vec<_> = note::open(&note, &both)
        .unwrap()
        .signers
        .into_iter()
        .map(|signer| (signer.key.kind(), signer.time))
        .collect();
    assert_eq!(
        signers,
        [(KeyKind::Ed25519, None), (KeyKind::MlDsa44, Some(NOON))]
    );
    // Those who know only one of the keys verify as well.
    assert_eq!(SignedCheckpoint::open(&note, &both[..1]).unwrap().size(), 3);
    assert_eq!(note::open(&note, &both[1..]).unwrap().signers.len(), 1);
    // A commit's own checkpoint stays small.
    assert_eq!(journal.checkpoint().note().lines().count(), 5);
}

#[tokio::test]
async fn a_changed_post_quantum_signature_is_found() {
    let dir = temporary();
    journal(dir.path(), 1).await;
    let path = dir.path().join("state/signed");
    let note = fs::read_to_string(&path).unwrap();
    let at = note.rfind("\u{2014} ").unwrap() + 2_000;
    let mut bytes = note.into_bytes();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    fs::write(&path, &bytes).unwrap();
    let both = keys().verifiers(ORIGIN).unwrap();
    assert!(verify(dir.path(), &both[..1]).fault.is_none());
    assert!(matches!(
        verify(dir.path(), &both).fault,
        Some(Fault::Checkpoint(_))
    ));
}

#[tokio::test]
async fn an_origin_that_is_too_long_to_be_signed_is_refused_at_the_start() {
    let dir = temporary();
    let long = crate::journal::JournalSettings {
        origin: "o".repeat(256),
        ..settings(dir.path(), 4_096)
    };
    assert!(matches!(
        Journal::open(long, keys(), Clock::fixed(NOON)),
        Err(JournalError::Origin(_))
    ));
}

#[tokio::test]
async fn a_witnessed_checkpoint_is_kept_until_a_later_one_comes() {
    let dir = temporary();
    let reader = Reader::open(dir.path());
    let early = journal(dir.path(), 2).await.published();
    assert_eq!(reader.witnessed().unwrap(), None);
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    journal.append(exchange(9)).await.unwrap();
    journal.close();
    let late = cosigned(&journal.published(), NOON);
    journal.publish_witnessed(&late).unwrap();
    assert_eq!(reader.witnessed().unwrap().as_deref(), Some(late.note()));
    journal.publish_witnessed(&cosigned(&early, NOON)).unwrap();
    assert_eq!(reader.witnessed().unwrap().as_deref(), Some(late.note()));
    // Later cosignatures of the same size take its place.
    let again = cosigned(&journal.published(), Moment::from_micros(1_000_000));
    journal.publish_witnessed(&again).unwrap();
    assert_eq!(reader.witnessed().unwrap().as_deref(), Some(again.note()));
}

#[tokio::test]
async fn a_verification_says_who_has_witnessed() {
    let dir = temporary();
    let journal = journal(dir.path(), 2).await;
    let unwitnessed = verify_witnessed(dir.path());
    assert!(matches!(unwitnessed.fault, Some(Fault::Unwitnessed(_))));
    journal
        .publish_witnessed(&cosigned(&journal.published(), NOON))
        .unwrap();
    let report = verify_witnessed(dir.path());
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert_eq!(report.witnessed.unwrap().size(), 2);
    let witnesses = report.witnesses.unwrap();
    assert_eq!(witnesses.time, Some(NOON));
    assert_eq!(witnesses.cosigners[0].0.name, "tax");
}

#[tokio::test]
async fn a_journal_that_is_not_what_was_witnessed_is_found() {
    let (dir, other) = (temporary(), temporary());
    journal(dir.path(), 2).await;
    // The same key, another history.
    let (forked, _) = open(&Flaky::default(), other.path(), Publish::Never).unwrap();
    for n in [7, 8, 9] {
        forked.append(exchange(n)).await.unwrap();
    }
    forked.close();
    let state = dir.path().join("state/witnessed");
    fs::write(&state, forked.published().note()).unwrap();
    assert!(matches!(
        verify(dir.path(), &[vkey()]).fault,
        Some(Fault::CutBack {
            published: 3,
            found: 2
        })
    ));
    let (whole, longer) = (temporary(), temporary());
    journal(whole.path(), 2).await;
    let (forked, _) = open(&Flaky::default(), longer.path(), Publish::Never).unwrap();
    for n in [7, 8] {
        forked.append(exchange(n)).await.unwrap();
    }
    forked.close();
    fs::write(
        whole.path().join("state/witnessed"),
        forked.published().note(),
    )
    .unwrap();
    assert!(matches!(
        verify(whole.path(), &[vkey()]).fault,
        Some(Fault::OtherRoot { size: 2 })
    ));
    fs::write(whole.path().join("state/witnessed"), "not a note").unwrap();
    assert!(matches!(
        verify(whole.path(), &[vkey()]).fault,
        Some(Fault::Witnessed(_))
    ));
}
