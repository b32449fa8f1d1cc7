//! Secrets that are gone are not made anew in silence, and an index that is gone is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use landbridge::evidence::index::Index;
use landbridge::pb::journal_record::Kind;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

/// After an exchange that names a person, with both gateways stopped.
async fn one_exchange() -> World {
    let world = World::new().await;
    let (mut civil, mut tax) = world.pair().await;
    let asked = Asked::get(&Resident(7).key());
    world.system("tax", "assessment").ask(&asked).await.unwrap();
    tokio::join!(civil.stops(), tax.stops());
    world
}

/// The one file in civil's folder of monthly keys.
fn month_key(world: &World) -> PathBuf {
    let mut keys = fs::read_dir(world.path("var/civil/subjects")).unwrap();
    keys.next().unwrap().unwrap().path()
}

/// What `audit subject` says of the person who was asked for.
fn ledger(world: &World) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["audit", "subject"])
        .arg(format!("national_id={}", Resident(7).national_id()))
        .arg("--config")
        .arg(world.federation.settings("civil"))
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_gateway_does_not_start_without_a_secret_that_its_journal_shows_was_there() {
    let world = one_exchange().await;
    let files = [
        "journal.key",
        "journal-pq.key",
        "secret.key",
        "witness.key",
        "witness.state",
    ];
    let var = world.path("var/civil");
    let mut secrets: Vec<PathBuf> = files.iter().map(|name| var.join(name)).collect();
    secrets.push(month_key(&world));
    for secret in secrets {
        let aside = secret.with_extension("aside");
        fs::rename(&secret, &aside).unwrap();
        let mut civil = world.launch("civil", &[]);
        assert!(
            !civil.ended().await.success(),
            "without {}",
            secret.display()
        );
        let (log, name) = (civil.log_text(), secret.file_name().unwrap());
        assert!(log.contains(name.to_str().unwrap()), "{log}");
        assert!(
            log.contains("from its backup") || log.contains("from their backup"),
            "{log}"
        );
        assert!(!secret.exists(), "{} was made anew", secret.display());
        fs::rename(&aside, &secret).unwrap();
    }
    let _civil = world.start("civil").await;
}

#[tokio::test]
async fn a_loss_that_is_accepted_is_on_record_and_nobody_is_told_that_nothing_is() {
    let world = one_exchange().await;
    assert!(ledger(&world).contains("1 in all"), "{}", ledger(&world));
    let key = month_key(&world);
    let month = key.file_stem().unwrap().to_str().unwrap().to_owned();
    fs::remove_file(&key).unwrap();

    let mut civil = world.launch_saying("civil", &[], &["--accept-lost-secrets"]);
    civil.told("ready").await;
    let lost = world
        .journal("civil")
        .awaits(|entry| match &entry.kind {
            Kind::Lifecycle(record) if !record.lost.is_empty() => Some(record.lost.clone()),
            _ => None,
        })
        .await;
    assert!(lost.len() == 1 && lost[0].contains(&month), "{lost:?}");
    let told = ledger(&world);
    assert!(
        told.contains(&format!("cannot be said for {month}")),
        "{told}"
    );
    assert!(!told.contains("nothing is on record"), "{told}");
    civil.stops().await;
    // Once accepted, it is not missed again, and is not forgotten.
    let _civil = world.start("civil").await;
    assert!(ledger(&world).contains(&format!("cannot be said for {month}")));
}

#[tokio::test]
async fn an_index_that_is_deleted_under_a_gateway_is_made_anew_for_its_owner_alone() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let journal = world.journal("civil").dir().to_owned();
    let indexed = async |deleted: bool| {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !matches!(Index::open(&journal), Ok(Some(index)) if index.complete_to() > 0) {
            ticks.tick().await;
        }
        let mut names = Vec::new();
        for file in fs::read_dir(journal.join("index")).unwrap() {
            let file = file.unwrap();
            // SQLite's own files come and go.
            let Ok(metadata) = file.metadata() else {
                continue;
            };
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{deleted}");
            names.push(file.file_name());
        }
        assert!(names.iter().any(|name| name == "index.sqlite"), "{names:?}");
    };
    tokio::time::timeout(PATIENCE, indexed(false))
        .await
        .unwrap();
    fs::remove_dir_all(journal.join("index")).unwrap();
    tokio::time::timeout(PATIENCE, indexed(true)).await.unwrap();
}
