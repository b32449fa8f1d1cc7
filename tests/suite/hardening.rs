//! What a machine must not make easy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

#[tokio::test]
async fn files_that_others_may_write_are_refused_and_no_core_is_dumped() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", civil.pid())).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let sizes: Vec<_> = cores.split_whitespace().rev().skip(1).take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{cores}");

    let agreement = "config/civil/agreements/CIV-TAX-2026-01.toml";
    for path in [
        "config/civil.toml",
        "config/directory.toml",
        "config/civil/agreements",
        agreement,
        "config/guardrails",
        "proto/registry",
    ] {
        let file = world.path(path);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode | 0o002)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
            .args(["check", "--config"])
            .arg(world.federation.settings("civil"))
            .env("LANDBRIDGE__POLICY__AGREEMENTS", "civil/agreements")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{path}: {told}");
        assert!(
            told.contains(&format!("{path}: everybody on this machine may write it")),
            "{path}: {told}"
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    // A running gateway refuses the reload, and goes on with what it has.
    let mut civil = civil;
    let file = world.path(agreement);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    civil.signal("HUP");
    let line = civil.told("not reloaded: the old state stays").await;
    assert!(
        line["fault"].as_str().unwrap().contains("may write it"),
        "{line}"
    );
    let asked = Asked::get(&Resident(7).key()).purpose("counter-service");
    world.system("civil", "counter").ask(&asked).await.unwrap();
}

#[test]
fn the_unit_of_systemd_leaves_next_to_no_privilege() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/landbridge@.service");
    // In tenths: what is above is "OK" no more.
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=15"])
        .arg(unit)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{told}");
    assert!(
        told.contains("Overall exposure level for landbridge@i.service: 1."),
        "{told}"
    );
}
