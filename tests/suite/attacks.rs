//! Attacks on journals, made on copies of a federation's, and what finds each of them.
//!
//! `docs/evidence.md` has the list, with those attacks that other tests make.

mod accounts;
mod files;
mod forge;
mod scene;
mod signed;
mod tail;

use std::fs;
use std::path::Path;

use landbridge::journal::reader::Reader;
use landbridge::name::ExchangeId;
use landbridge::tlog::note::NoteError;
use landbridge::tlog::quorum::QuorumError;
use landbridge::tlog::quorum::WitnessPolicy;
use landbridge::tlog::signed_checkpoint::SignedCheckpoint;
use rusqlite::Connection;

use crate::foreign::sumdb;
use forge::Forged;
use scene::Scene;
use scene::landbridge;
use scene::text;

const OTHER_ROOT: &str = "do not have the root that was signed";
const CUT_BACK: &str = "the journal has";

fn place(entries: &[Forged], exchange: ExchangeId) -> usize {
    let is_its = |entry: &Forged| entry.leaf.exchange == Some(exchange);
    entries.iter().position(is_its).unwrap()
}

fn rewrite(entries: &mut [Forged], exchange: ExchangeId) {
    let at = place(entries, exchange);
    entries[at].tell(|record| record.purpose = "arrears".to_owned());
    entries[at].restate();
    entries[at].bind();
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn two_checkpoints_of_one_size_are_proof_and_a_witness_cosigns_only_one() {
    let scene = Scene::new().await;
    let kept = scene.kept("civil");
    let mut entries = forge::entries(&scene.world, "civil");
    entries.truncate(kept.size() as usize);
    rewrite(&mut entries, scene.first);
    let dir = scene.forged("a split view", "civil", &entries);

    let note = Reader::open(&dir).published().unwrap().unwrap();
    let vkey = scene.world.journal("civil").vkey();
    let shown = SignedCheckpoint::open(&note, &[vkey]).unwrap();
    // Nobody needs to believe whoever shows the two: the same key has signed both.
    assert_eq!((shown.origin(), shown.size()), (kept.origin(), kept.size()));
    assert_ne!(shown.root(), kept.root());
    assert_eq!(scene.witness("civil", &dir).await, 422);
    let policy = policy(&scene);
    assert!(policy.satisfied(kept).is_ok());
    assert!(matches!(
        policy.satisfied(&shown),
        Err(QuorumError::NoQuorum { .. })
    ));
}

fn policy(scene: &Scene) -> WitnessPolicy {
    let file = scene.world.path("config/witnesses/civil.policy");
    WitnessPolicy::parse("policy", &fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn an_old_cosignature_says_how_old_it_is_and_fits_no_other_checkpoint() {
    let scene = Scene::new().await;
    let (early, kept, policy) = (&scene.early, scene.kept("civil"), policy(&scene));
    let times = [early, kept].map(|checkpoint| policy.satisfied(checkpoint).unwrap().time.unwrap());
    assert!(times[0] <= times[1]);
    let entries = forge::entries(&scene.world, "civil");
    assert!(times[0].seconds() <= entries[place(&entries, scene.last)].leaf.time.seconds());

    let note = Reader::open(&scene.dir("civil"))
        .published()
        .unwrap()
        .unwrap();
    let vkey = scene.world.journal("civil").vkey();
    let newest = SignedCheckpoint::open(&note, &[vkey]).unwrap();
    let cosigned = |line: &&str| line.contains("/witness ");
    let replayed = newest
        .with_lines(early.note().lines().filter(cosigned))
        .unwrap();
    let refused = policy.satisfied(&replayed).unwrap_err();
    assert!(
        matches!(&refused, QuorumError::Note(NoteError::BadSignature(by)) if by.ends_with("/witness")),
        "{refused}"
    );
}

#[tokio::test]
async fn an_index_that_hides_an_entry_is_found_out_by_the_journal_itself() {
    let scene = Scene::new().await;
    let settings = scene.world.federation.settings("civil");
    let search = || {
        let words = [
            "audit",
            "search",
            "--case",
            "C-7",
            "--json",
            "--config",
            text(&settings),
        ];
        landbridge(&words).told.lines().count()
    };
    assert_eq!(search(), 3);
    let entries = forge::entries(&scene.world, "civil");
    let hidden = place(&entries, scene.first);
    let index = scene.dir("civil").join("index/index.sqlite");
    let connection = Connection::open(&index).unwrap();
    let gone = connection
        .execute("DELETE FROM mention WHERE entry = ?", [hidden as i64])
        .unwrap();
    assert!(gone > 0);
    drop(connection);
    assert_eq!(search(), 2, "an index can hide");

    // Exports of the whole journal do not ask it: as many lines as the tree has leaves.
    let out = scene.world.path("whole.jsonl");
    let words = [
        "audit",
        "export",
        "--format",
        "jsonl",
        "--out",
        text(&out),
        "--config",
        text(&settings),
    ];
    let said = landbridge(&words);
    assert_eq!(said.code, 0, "{said:?}");
    let exported = fs::read_to_string(&out).unwrap();
    assert_eq!(exported.lines().count(), entries.len());
    let first = scene.first.to_string();
    assert!(exported.lines().nth(hidden).unwrap().contains(&first));
    // One that has forgotten everything is not believed when it says that there is nothing.
    let connection = Connection::open(&index).unwrap();
    for forgotten in [
        "UPDATE facet SET bits = zeroblob(512)",
        "DELETE FROM mention",
    ] {
        connection.execute(forgotten, []).unwrap();
    }
    drop(connection);
    assert_eq!(search(), 3, "a search does without it");
    // And without it everything is found.
    fs::remove_dir_all(scene.dir("civil").join("index")).unwrap();
    assert_eq!(search(), 3);
}

#[tokio::test]
async fn other_peoples_verifier_refuses_the_same_forgeries() {
    let scene = Scene::new().await;
    let (vkey, kept) = (scene.vkey("civil"), scene.world.path("kept"));
    fs::write(&kept, scene.kept("civil").note()).unwrap();
    let export = |journal: &Path, name: &str| {
        let out = scene.world.path(name);
        let words = [
            "audit",
            "export",
            "--format",
            "tiles",
            "--out",
            text(&out),
            "--journal",
            text(journal),
            "--vkey",
            &vkey,
        ];
        let said = landbridge(&words);
        assert_eq!(said.code, 0, "{said:?}");
        out
    };
    let judged = |folder: &Path| {
        let output = sumdb(folder, &vkey).arg(&kept).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let genuine = export(&scene.dir("civil"), "genuine");
    assert_eq!(judged(&genuine), (true, String::new()));

    let mut entries = forge::entries(&scene.world, "civil");
    rewrite(&mut entries, scene.first);
    let rewritten = scene.forged("rewritten", "civil", &entries);
    let (accepted, told) = judged(&export(&rewritten, "rewritten"));
    assert!(!accepted && told.contains("not the beginning"), "{told}");

    entries.truncate(scene.early.size() as usize);
    let cut = scene.forged("cut", "civil", &entries);
    let (accepted, told) = judged(&export(&cut, "cut"));
    assert!(!accepted && told.contains("fewer entries"), "{told}");

    let bundle = fs::read_dir(genuine.join("tile/entries"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let bundle = match bundle.path() {
        folder if folder.is_dir() => fs::read_dir(folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path(),
        file => file,
    };
    flip(&bundle, 100);
    let (accepted, told) = judged(&genuine);
    assert!(
        !accepted && told.contains("do not have the root that was signed"),
        "{told}"
    );
}
