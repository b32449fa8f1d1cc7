//! What one department changes of its account of an exchange, with the key that signs it.

use std::path::Path;

use landbridge::evidence::reconcile::Class;
use landbridge::evidence::reconcile::mirror::Mirror;
use landbridge::journal::verify::EntryFault;
use landbridge::journal::verify::Fault;
use landbridge::journal::verify::verify;
use landbridge::pb;

use super::forge;
use super::forge::Forged;
use super::place;
use super::scene::Scene;
use crate::foreign::stranger;

type Change = fn(&mut pb::ExchangeRecord);

/// All that both departments know.
const SHARED: &[(&str, Change)] = &[
    ("officer", |r| r.officer.push('x')),
    ("case", |r| r.case_reference.push('x')),
    ("system", |r| r.system.push('x')),
    ("purpose", |r| r.purpose = "arrears".to_owned()),
    ("record type", |r| r.record_type.push('x')),
    ("mode", |r| r.mode = "verify".to_owned()),
    ("fields", |r| _ = r.fields.pop()),
    ("consumer", |r| r.consumer = "market".to_owned()),
    ("provider", |r| r.provider = "market".to_owned()),
    ("agreement", |r| {
        // At the provider it is that of the asker, too.
        r.agreement_digest = vec![7; 32].into();
        r.peer_agreement_digest.clear();
    }),
    ("schema", |r| {
        r.schema_digest = vec![7; 32].into();
        r.peer_schema_digest.clear();
    }),
    ("question", |r| r.question_digest = vec![7; 32].into()),
    ("answer", |r| r.response_digest = vec![7; 32].into()),
    ("number of records", |r| r.records += 1),
    ("nonce", |r| r.nonce = vec![7; 32].into()),
    ("form", |r| r.digest_form = 0),
];

/// What only one of them knows.
const OWN: &[(&str, Change)] = &[
    ("subjects", |r| r.subjects.push(pb::SubjectTag::default())),
    ("masks", |r| r.masked.push("phone".to_owned())),
    ("policy revision", |r| {
        r.policy_revision = vec![7; 32].into()
    }),
    ("agreement's name", |r| r.agreement.push('x')),
    ("bytes", |r| r.bytes += 1),
];

fn entries(scene: &Scene, department: &str, change: Change) -> Vec<Forged> {
    let mut entries = forge::entries(&scene.world, department);
    let at = place(&entries, scene.first);
    entries[at].tell(change);
    entries
}

/// Whether verify finds the change, and how reconciliation classes it.
fn judged(scene: &Scene, department: &str, dir: &Path) -> (bool, Vec<Class>) {
    let keys = ["tax", "civil"].map(|name| scene.world.journal(name).vkey());
    let found = match verify(dir, &keys).fault {
        None => false,
        Some(Fault::Entry {
            what: EntryFault::Digest,
            ..
        }) => true,
        Some(other) => panic!("{other}"),
    };
    let mirror = |of: &str| match of == department {
        true => Mirror::open(dir, &keys).unwrap(),
        false => Mirror::open(&scene.dir(of), &keys).unwrap(),
    };
    let compared = mirror("tax").against(&mirror("civil"));
    let classes = compared.differences.iter().map(|d| d.class);
    let classes = classes.filter(|class| *class != Class::DeniedLocally);
    (found, classes.collect())
}

#[tokio::test]
async fn whatever_both_departments_know_of_an_exchange_is_bound() {
    let scene = Scene::new().await;
    for department in ["tax", "civil"] {
        for (what, change) in SHARED {
            let mut entries = entries(&scene, department, *change);
            let at = place(&entries, scene.first);
            entries[at].bind();
            let name = format!("{department} {what} kept");
            let dir = scene.forged(&name, department, &entries);
            let (found, _) = judged(&scene, department, &dir);
            assert!(found, "{name}: the record and the digest do not fit");
            if *what == "officer" {
                let vkey = scene.vkey(department);
                let (accepted, told) = stranger(&["journal", dir.to_str().unwrap(), &vkey]);
                assert!(
                    !accepted && told.contains("its exchange digest says"),
                    "{told}"
                );
            }

            entries[at].restate();
            let name = format!("{department} {what} restated");
            let dir = scene.forged(&name, department, &entries);
            let (found, classes) = judged(&scene, department, &dir);
            assert!(!found, "{name}");
            assert_eq!(classes, [Class::Altered], "{name}");
        }
    }
}

/// `docs/evidence.md` says so, and who finds it.
#[tokio::test]
async fn what_only_one_department_knows_is_found_by_kept_checkpoints_only() {
    let scene = Scene::new().await;
    for (what, change) in OWN {
        let mut entries = entries(&scene, "tax", *change);
        let at = place(&entries, scene.first);
        entries[at].bind();
        let dir = scene.forged(&format!("own {what}"), "tax", &entries);
        let (found, classes) = judged(&scene, "tax", &dir);
        assert!(!found && classes.is_empty(), "{what}: {classes:?}");
        let said = scene.verify_with_kept("tax", &dir);
        assert_eq!(said.code, 3, "{what}: {said:?}");
    }
}
