//! Forgeries that are signed with the journal's own key.

use std::path::Path;

use landbridge::name::ExchangeId;
use uuid::Uuid;

use super::CUT_BACK;
use super::OTHER_ROOT;
use super::forge;
use super::forge::Forged;
use super::place;
use super::rewrite;
use super::scene::Scene;

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
        found_by: &[Kept(CUT_BACK), Witness(409), Reconcile("pending", 4)],
    },
    Attack {
        name: "an older copy goes on",
        at: "civil",
        forge: |scene, entries| {
            // As far as it can without being as long as what was cosigned.
            let (early, kept) = (scene.early.size(), scene.kept("civil").size());
            entries.truncate(early as usize);
            go_on(scene, entries, (kept - early - 1) as usize);
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
        forge: |scene, entries| {
            go_on(scene, entries, 1);
            let mut invented = entries.pop().unwrap();
            // What the asker has published goes beyond the last exchange of both.
            let at = place(entries, scene.last);
            invented.leaf.time = entries[at].leaf.time;
            entries.insert(at + 1, invented);
        },
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
        found_by: &[
            Verify("its record does not say what its exchange digest says"),
            Reconcile("altered", 3),
        ],
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

/// Adds answers that nobody ever got, a second apart.
fn go_on(scene: &Scene, entries: &mut Vec<Forged>, count: usize) {
    let like = entries
        .iter()
        .find(|entry| entry.leaf.exchange == Some(scene.first));
    let like = like.or_else(|| entries.iter().find(|entry| entry.leaf.exchange.is_some()));
    let like = like.unwrap().clone();
    for _ in 0..count {
        let mut invented = like.clone();
        invented.leaf.time = entries.last().unwrap().leaf.time;
        invented.later(1_000_000);
        invented.leaf.exchange = Some(ExchangeId::new(Uuid::now_v7()));
        invented.restate();
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
