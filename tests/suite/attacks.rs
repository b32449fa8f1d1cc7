//! Attacks on journals, made on copies of a federation's, and what finds each of them.
//!
//! `docs/evidence.md` has the list, with those attacks that other tests make.

mod forge;
mod scene;

use std::fs;
use std::path::Path;

use landbridge::audit::checkpoint::SignedCheckpoint;
use landbridge::audit::note::NoteError;
use landbridge::audit::pace::Pace;
use landbridge::audit::quorum::Unwitnessed;
use landbridge::audit::quorum::WitnessPolicy;
use landbridge::audit::reader::Reader;
use landbridge::fault::chain;
use landbridge::name::ExchangeId;
use rusqlite::Connection;
use uuid::Uuid;

use crate::foreign::sumdb;
use forge::Forged;
use scene::Scene;
use scene::landbridge;
use scene::text;

const HOUR: i64 = 3_600_000_000;

/// What somebody does who has a department's files and keys: afterwards the journal is signed for anew.
struct Attack {
    name: &'static str,
    at: &'static str,
    forge: fn(&Scene, &mut Vec<Forged>),
    found_by: &'static [Found],
}

/// Who finds it. Whoever is not named does not: that too is asserted of `Verify`.
enum Found {
    /// `audit verify`, which has the public key only, and says this.
    Verify(&'static str),
    /// The same with a checkpoint that was kept from before.
    Kept(&'static str),
    /// A witness, which has cosigned that checkpoint, by refusing the new one.
    Witness(u16),
    /// `audit reconcile` with the other department's journal: the class of a difference, and the exit code.
    Reconcile(&'static str, i32),
}

use Found::Kept;
use Found::Reconcile;
use Found::Verify;
use Found::Witness;

const OTHER_ROOT: &str = "do not have the root that was signed";
const CUT_BACK: &str = "the journal has";

const ATTACKS: &[Attack] = &[
    Attack {
        name: "an old record is altered and its leaf is kept",
        at: "civil",
        forge: |scene, entries| {
            let at = place(entries, scene.first);
            entries[at].tell(|record| record.purpose = "arrears".to_owned());
        },
        found_by: &[Verify("record does not match its commitment")],
    },
    Attack {
        name: "an old entry is rewritten with its leaf",
        at: "civil",
        forge: |scene, entries| rewrite(entries, scene.first),
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("altered", 3)],
    },
    Attack {
        name: "an entry in the middle is deleted",
        at: "civil",
        forge: |scene, entries| {
            entries.remove(place(entries, scene.last) - 1);
            go_on(scene, entries, 2);
        },
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("missing", 3)],
    },
    Attack {
        name: "an entry before a stream is deleted",
        at: "civil",
        forge: |scene, entries| {
            entries.remove(place(entries, scene.first));
            go_on(scene, entries, 2);
        },
        found_by: &[
            Verify("it ends the stream of entry"),
            Witness(422),
            Reconcile("missing", 3),
        ],
    },
    Attack {
        name: "the tail is cut off",
        at: "civil",
        forge: |scene, entries| entries.truncate(place(entries, scene.last)),
        found_by: &[Kept(CUT_BACK), Witness(409), Reconcile("missing", 3)],
    },
    Attack {
        name: "an older copy goes on",
        at: "civil",
        forge: |scene, entries| {
            entries.truncate(scene.early.size() as usize);
            go_on(scene, entries, 1);
        },
        found_by: &[Kept(CUT_BACK), Witness(409), Reconcile("missing", 3)],
    },
    Attack {
        name: "a stolen key goes on with another history",
        at: "civil",
        forge: |scene, entries| {
            let longer = entries.len();
            entries.truncate(scene.early.size() as usize);
            go_on(scene, entries, longer);
        },
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("missing", 3)],
    },
    Attack {
        name: "two entries change places",
        at: "civil",
        forge: |scene, entries| {
            let (a, b) = (place(entries, scene.first), place(entries, scene.last));
            entries.swap(a, b);
        },
        found_by: &[
            Verify("its time is before that of the entry before it"),
            Kept("its time is before that of the entry before it"),
            Witness(422),
            Reconcile("altered", 3),
        ],
    },
    Attack {
        name: "two entries change places and times",
        at: "civil",
        forge: |scene, entries| {
            let (a, b) = (place(entries, scene.first), place(entries, scene.last));
            let times = [entries[a].leaf.time, entries[b].leaf.time];
            entries.swap(a, b);
            (entries[a].leaf.time, entries[b].leaf.time) = (times[0], times[1]);
        },
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("altered", 3)],
    },
    Attack {
        name: "an entry is dated back",
        at: "civil",
        forge: |scene, entries| {
            let at = place(entries, scene.last);
            entries[at].later(-HOUR);
        },
        found_by: &[
            Verify("its time is before that of the entry before it"),
            Witness(422),
            Reconcile("altered", 3),
        ],
    },
    Attack {
        name: "an entry is dated forward",
        at: "civil",
        forge: |scene, entries| {
            let at = place(entries, scene.first);
            entries[at].later(HOUR);
        },
        found_by: &[
            Verify("its time is before that of the entry before it"),
            Witness(422),
            Reconcile("altered", 3),
        ],
    },
    Attack {
        name: "all entries are dated back",
        at: "civil",
        forge: |_, entries| entries.iter_mut().for_each(|entry| entry.later(-HOUR)),
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("altered", 3)],
    },
    Attack {
        name: "the provider drops its entry",
        at: "civil",
        forge: |scene, entries| drop(entries.remove(place(entries, scene.last))),
        found_by: &[Reconcile("missing", 3)],
    },
    Attack {
        name: "the asker drops its entry",
        at: "tax",
        forge: |scene, entries| drop(entries.remove(place(entries, scene.last))),
        found_by: &[Reconcile("answer-lost", 0), Kept(OTHER_ROOT)],
    },
    Attack {
        name: "the provider invents an entry",
        at: "civil",
        forge: |scene, entries| go_on(scene, entries, 1),
        found_by: &[Reconcile("answer-lost", 0)],
    },
    Attack {
        name: "the asker invents an entry with the receipt of another",
        at: "tax",
        forge: |scene, entries| go_on(scene, entries, 1),
        found_by: &[Reconcile("missing", 3)],
    },
    Attack {
        name: "the asker alters what was exchanged",
        at: "tax",
        forge: |scene, entries| {
            let at = place(entries, scene.first);
            entries[at].leaf.exchange_digest[0] ^= 1;
        },
        found_by: &[Kept(OTHER_ROOT), Witness(422), Reconcile("altered", 3)],
    },
    Attack {
        name: "a record is withheld as if it were erased",
        at: "civil",
        forge: |scene, entries| {
            let at = place(entries, scene.first);
            entries[at].blank();
        },
        found_by: &[Verify(
            "its record is withheld: no erasure that was signed for speaks for it",
        )],
    },
];

fn place(entries: &[Forged], exchange: ExchangeId) -> usize {
    let is_its = |entry: &Forged| entry.leaf.exchange == Some(exchange);
    entries.iter().position(is_its).unwrap()
}

fn rewrite(entries: &mut [Forged], exchange: ExchangeId) {
    let at = place(entries, exchange);
    entries[at].tell(|record| record.purpose = "arrears".to_owned());
    entries[at].bind();
}

/// Adds answers that nobody ever got, a second apart.
fn go_on(scene: &Scene, entries: &mut Vec<Forged>, count: usize) {
    let like = entries
        .iter()
        .find(|entry| entry.leaf.exchange == Some(scene.first));
    let like = like.or_else(|| entries.iter().find(|entry| entry.leaf.exchange.is_some()));
    let like = like.unwrap().clone();
    for n in 0..count {
        let mut invented = like.clone();
        invented.leaf.time = entries.last().unwrap().leaf.time;
        invented.later(1_000_000);
        invented.leaf.exchange = Some(ExchangeId::new(Uuid::now_v7()));
        invented.leaf.exchange_digest = [n as u8 + 1; 32];
        entries.push(invented);
    }
}

#[tokio::test]
async fn every_forgery_that_the_key_can_sign_is_found() {
    let scene = Scene::new().await;
    for department in ["tax", "civil"] {
        let entries = forge::entries(&scene.world, department);
        let dir = scene.forged(department, department, &entries);
        for said in [
            scene.verify(department, &dir),
            scene.verify_with_kept(department, &dir),
        ] {
            assert_eq!(said.code, 0, "{said:?}");
        }
        let (code, classes) = scene.reconcile(department, &dir);
        assert_eq!(code, 0);
        let innocent = |class: &String| class == "denied-locally";
        assert!(classes.iter().all(innocent), "{classes:?}");
    }
    for attack in ATTACKS {
        let mut entries = forge::entries(&scene.world, attack.at);
        (attack.forge)(&scene, &mut entries);
        let dir = scene.forged(attack.name, attack.at, &entries);
        assert_found(&scene, attack, &dir).await;
    }
    // What refused them all goes on with what is genuine.
    assert_eq!(scene.witness("civil", &scene.dir("civil")).await, 200);
}

async fn assert_found(scene: &Scene, attack: &Attack, dir: &Path) {
    let (name, at) = (attack.name, attack.at);
    let verified = scene.verify(at, dir);
    let alone = |found: &&Found| matches!(found, Verify(_));
    let expected = if attack.found_by.iter().any(|found| alone(&found)) {
        3
    } else {
        0
    };
    assert_eq!(verified.code, expected, "{name}: {verified:?}");
    for found in attack.found_by {
        match found {
            Verify(why) => assert!(verified.told.contains(why), "{name}: {verified:?}"),
            Kept(why) => {
                let said = scene.verify_with_kept(at, dir);
                assert!(
                    said.code == 3 && said.told.contains(why),
                    "{name}: {said:?}"
                );
            }
            Witness(status) => assert_eq!(scene.witness(at, dir).await, *status, "{name}"),
            Reconcile(class, code) => {
                let (exit, classes) = scene.reconcile(at, dir);
                assert_eq!(exit, *code, "{name}: {classes:?}");
                assert!(
                    classes.iter().any(|found| found == class),
                    "{name}: {classes:?}"
                );
            }
        }
    }
}

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
            forge::lay(dir, &entries);
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
            forge::lay(dir, &entries);
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

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

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
        Err(Unwitnessed::NoQuorum { .. })
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
        matches!(&refused, Unwitnessed::Note(NoteError::BadSignature(by)) if by.ends_with("/witness")),
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
