//! Changes to a journal's files by somebody who has not its key, or by a broken disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use landbridge::fault::chain;
use landbridge::journal::Entry;
use landbridge::journal::pace::Pace;
use tokio::time::timeout;

use super::CUT_BACK;
use super::OTHER_ROOT;
use super::flip;
use super::forge;
use super::forge::Mark;
use super::place;
use super::rewrite;
use super::scene::Scene;
use crate::harness::PATIENCE;

/// Changes to a journal's files by somebody without its key: what `audit verify` says, and what its gateway's start says.
type Change = (
    &'static str,
    fn(&Scene, &Path),
    &'static str,
    Option<&'static str>,
);

const CHANGES: &[Change] = &[
    (
        "a bit of a record flips",
        |scene, dir| flip_in_record(scene, dir),
        "record does not match its commitment",
        None,
    ),
    (
        "an entry is rewritten",
        |scene, dir| {
            let mut entries = forge::entries(&scene.world, "civil");
            rewrite(&mut entries, scene.first);
            forge::lay(dir, &entries, &Mark::Rubbish);
        },
        "the tree's files differ from the entries",
        Some("rewritten"),
    ),
    (
        "an entry is rewritten and the tree with it",
        |scene, dir| {
            let mut entries = forge::entries(&scene.world, "civil");
            rewrite(&mut entries, scene.first);
            let forged = scene.forged("a tree", "civil", &entries);
            fs::copy(dir.join("state/signed"), forged.join("state/signed")).unwrap();
            fs::remove_dir_all(dir).unwrap();
            fs::rename(forged, dir).unwrap();
        },
        OTHER_ROOT,
        Some("rewritten"),
    ),
    (
        "the tail is cut off",
        |scene, dir| {
            let mut entries = forge::entries(&scene.world, "civil");
            entries.truncate(place(&entries, scene.last));
            forge::lay(dir, &entries, &Mark::Rubbish);
        },
        CUT_BACK,
        Some("cut back"),
    ),
    (
        "a hash of the tree is changed",
        |_, dir| flip(&dir.join("hash/0.dat"), 70),
        "the tree's files differ from the entries",
        None,
    ),
    (
        "the checkpoint tells of fewer entries",
        |_, dir| {
            let note = fs::read_to_string(dir.join("state/signed")).unwrap();
            let size = note.lines().nth(1).unwrap();
            let fewer = note.replacen(&format!("\n{size}\n"), "\n3\n", 1);
            fs::write(dir.join("state/signed"), fewer).unwrap();
        },
        "does not verify",
        Some("does not verify"),
    ),
];

/// In the case reference of the first exchange.
fn flip_in_record(scene: &Scene, dir: &Path) {
    let segment = forge::segment(dir);
    let bytes = fs::read(&segment).unwrap();
    let id = scene.first.bytes();
    let leaf = bytes.windows(16).position(|window| window == id).unwrap();
    let case = bytes[leaf..].windows(3).position(|window| window == b"C-7");
    flip(&segment, leaf + case.unwrap());
}

#[tokio::test]
async fn every_change_to_the_files_is_found_by_whoever_has_the_public_key() {
    let scene = Scene::new().await;
    for (name, change, verified, started) in CHANGES {
        let dir = scene.copied(name, "civil");
        change(&scene, &dir);
        let said = scene.verify("civil", &dir);
        assert!(
            said.code == 3 && said.told.contains(verified),
            "{name}: {said:?}"
        );
        if let Some(why) = started {
            let error = forge::open(&scene.world, "civil", &dir).err().unwrap();
            let told = chain(&error);
            assert!(told.contains(why), "{name}: {told}");
        }
    }
    // A gateway that runs reads its sealed segments again and again.
    let dir = scene.copied("a bit flips while it runs", "civil");
    let journal = forge::open(&scene.world, "civil", &dir).unwrap();
    journal.scrub(&mut Pace::full()).unwrap();
    flip_in_record(&scene, &dir);
    let failure = journal.scrub(&mut Pace::full()).unwrap_err();
    let told = chain(&*failure);
    assert!(
        told.contains("record does not match its commitment"),
        "{told}"
    );
    assert!(journal.still_holds().is_err(), "it takes no more entries");
    journal.close();
}

/// Long before a checkpoint of it is published, which is a second later.
#[tokio::test]
async fn a_bit_that_flips_before_it_is_signed_for_ends_the_journal() {
    let scene = Scene::new().await;
    let dir = scene.copied("a bit flips unseen", "civil");
    let journal = forge::open(&scene.world, "civil", &dir).unwrap();
    let signed = journal.published();
    journal.append(Entry::heartbeat()).await.unwrap();
    let segment = forge::segment(&dir);
    let bytes = fs::read(&segment).unwrap();
    let newest = bytes.windows(4).rposition(|window| window == b"LBJ1");
    flip(&segment, newest.unwrap() + 40);

    let failed = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while journal.still_holds().is_ok() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, failed).await.unwrap();
    let told = chain(&journal.still_holds().unwrap_err());
    assert!(told.contains("its checksum does not match"), "{told}");
    assert_eq!(journal.published().note(), signed.note());
    journal.close();
}
