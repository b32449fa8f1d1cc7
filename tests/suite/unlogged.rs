//! When the journal cannot be written, nothing is served.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use landbridge::reading::reader::Right;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::disk::Disk;
use crate::harness::disk::FailingDisk;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;

/// A disk of a few MiB, mounted until it is dropped. Only root may.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(at)
            .output()
            .unwrap();
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

/// What little room is left may take some readings' entries.
async fn nothing_is_read_unlogged(gateway: &Gateway, token: &str) {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Road-UserId", "1"),
    ];
    let unread = loop {
        let page = gateway.fetch("/v2/findUsage?userCode=1", &headers).await;
        if page.status != 200 {
            break page;
        }
    };
    assert_eq!(
        (unread.status, unread.json()["reason"].as_str()),
        (503, Some("JOURNAL_UNAVAILABLE"))
    );
    let heartbeat = gateway.fetch("/v2/heartbeat", &headers).await;
    assert_eq!(heartbeat.json()["status"], "FAIL");
}

#[tokio::test]
async fn a_full_disk_means_refusal_until_there_is_room_again() {
    let world = World::new().await;
    let var = world.path("var/tax/journal");
    let Some(_disk) = SmallDisk::mount(&var, "8m") else {
        // Without root no disk is small; what follows a failed write is tested with failing disks in `audit`.
        eprintln!("not root: no small disk can be mounted");
        return;
    };
    world.settle("tax", "[subjects]\nschemes = [\"identity_number\"]\n");
    let token = world.reader("tax", "portal", &[Right::Subjects]);
    let (_civil, tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("JOURNAL__SEGMENT", "64KiB")])
    );
    let system = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key()).fields(&["resident_id"]);
    system.ask(&asked).await.unwrap();
    let filler = var.join("filler");
    // Writes until the disk is full.
    fs::write(&filler, vec![1; 16 << 20]).unwrap_err();

    let mut given = 0;
    let refused = loop {
        match system.ask(&asked).await {
            Ok(_) => given += 1,
            Err(refused) => break refused,
        }
    };
    assert!(
        refused.is(Code::Unavailable, "JOURNAL_UNAVAILABLE") && refused.retry,
        "{refused:?}"
    );
    let (status, body) = tax.page("/readyz").await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(tax.page("/livez").await.0, 200);
    nothing_is_read_unlogged(&tax, &token).await;
    let on_record = |world: &World| world.journal("tax").of_case("CASE-1").len();
    assert_eq!(
        on_record(&world),
        given + 1,
        "what was answered is on record, and nothing else was answered"
    );

    fs::remove_file(&filler).unwrap();
    tax.becomes("/readyz", 200).await;
    system.ask(&asked).await.unwrap();
    assert_eq!(on_record(&world), given + 2);
    world.journal("tax").verified();
}

/// Entries still have room where the files of the tree and the checkpoint have none.
#[tokio::test]
async fn a_journal_whose_checkpoint_cannot_be_published_is_told_and_soon_refuses() {
    let world = World::new().await;
    let disk = FailingDisk::of(&world, "civil");
    let mut settings = disk.settings().to_vec();
    settings.push(("JOURNAL__MAX_UNPUBLISHED_AGE", "2s"));
    let gateway = world.start_with("civil", &settings).await;
    let system = world.system("civil", "counter");
    let asked = Asked::get(&Resident(7).key())
        .purpose("counter-service")
        .fields(&["full_name"]);
    system.ask(&asked).await.unwrap();
    world.journal("civil").published().await;

    disk.becomes(Disk::Full);
    system.ask(&asked).await.unwrap();
    gateway.becomes("/readyz", 503).await;
    let (_, why) = gateway.page("/readyz").await;
    assert!(why.contains("checkpoint cannot be published"), "{why}");
    let (_, metrics) = gateway.page("/metrics").await;
    assert!(
        metrics.contains("landbridge_journal_unpublished_entries 1"),
        "{metrics}"
    );
    let refused = loop {
        match system.ask(&asked).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(refused) => break refused,
        }
    };
    assert!(
        refused.is(Code::Unavailable, "JOURNAL_UNAVAILABLE") && refused.retry,
        "{refused:?}"
    );
    // What was answered meanwhile is proven by the signatures of its commits.
    let report = world.journal("civil").verified();
    assert!(report.unpublished() > 0, "{report:?}");

    disk.becomes(Disk::Sound);
    gateway.becomes("/readyz", 200).await;
    system.ask(&asked).await.unwrap();
    world.journal("civil").published().await;
}

#[tokio::test]
async fn a_gateway_does_not_start_on_a_journal_that_was_cut_back() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let asked = Asked::get(&Resident(7).key())
        .purpose("counter-service")
        .fields(&["full_name"]);
    world.system("civil", "counter").ask(&asked).await.unwrap();
    civil.signal("TERM");
    civil.ended().await;

    let segments = world.journal("civil").dir().join("seg");
    for segment in fs::read_dir(&segments).unwrap() {
        fs::remove_file(segment.unwrap().path()).unwrap();
    }
    let mut civil = world.launch("civil", &[]);
    assert!(!civil.ended().await.success());
    assert!(
        civil.log_text().contains("cut back"),
        "{}",
        civil.log_text()
    );
}

#[tokio::test]
async fn two_gateways_do_not_share_a_journal() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let free = |door: &str| (format!("{door}__LISTEN"), "127.0.0.1:0".to_owned());
    let settings = ["SYSTEMS", "PEERS", "OPERATORS"].map(free);
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let mut second = world.launch("civil", &settings);
    assert!(!second.ended().await.success());
    assert!(
        second
            .log_text()
            .contains("another process has the journal"),
        "{}",
        second.log_text()
    );
}
