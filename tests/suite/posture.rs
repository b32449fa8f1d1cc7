//! How the doors look to a scanner that nobody here wrote: `testssl.sh`.

use std::process::Command;

use serde_json::Value;

use crate::harness::World;

/// What the scanner must say of the versions of TLS.
const VERSIONS: [(&str, &str); 6] = [
    ("SSLv2", "not offered"),
    ("SSLv3", "not offered"),
    ("TLS1", "not offered"),
    ("TLS1_1", "not offered"),
    ("TLS1_2", "not offered"),
    ("TLS1_3", "offered"),
];

/// What it must have looked for. Whatever it calls LOW or worse, also beyond these, is too much.
const LOOKED_FOR: [&str; 15] = [
    "cipherlist_NULL",
    "cipherlist_aNULL",
    "cipherlist_EXPORT",
    "cipherlist_LOW",
    "cipherlist_3DES_IDEA",
    "heartbleed",
    "CCS",
    "ROBOT",
    "secure_client_renego",
    "CRIME_TLS",
    "POODLE_SSL",
    "FREAK",
    "DROWN",
    "LOGJAM",
    "RC4",
];

/// What the scanner reports of a port, and what it prints. On a busy machine it breaks off now and then: it is asked again.
fn scan(world: &World, port: u16) -> (Vec<Value>, String) {
    let mut told = String::new();
    for attempt in 0..5 {
        let report = world.path(&format!("testssl-{port}-{attempt}.json"));
        let scanned = Command::new("testssl")
            .args(["--quiet", "--warnings", "batch", "--color", "0"])
            .args(["--protocols", "--std", "--vulnerable"])
            .arg("--jsonfile")
            .arg(&report)
            .arg(format!("127.0.0.1:{port}"))
            .output()
            .unwrap();
        told = String::from_utf8_lossy(&scanned.stdout).into_owned();
        let findings = std::fs::read_to_string(&report).unwrap_or_default();
        let findings: Vec<Value> = serde_json::from_str(&findings).unwrap_or_default();
        let has = |id: &str| findings.iter().any(|finding| finding["id"] == id);
        if VERSIONS.iter().all(|(id, _)| has(id)) && LOOKED_FOR.iter().all(|id| has(id)) {
            return (findings, told);
        }
    }
    panic!("the scanner does not come to its end: {told}");
}

#[tokio::test]
async fn a_foreign_scanner_finds_nothing_but_tls_13_and_no_weakness() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    for port in [world.ports("civil").systems, world.ports("civil").peers] {
        let (findings, told) = scan(&world, port);
        let finding = |id: &str| findings.iter().find(|finding| finding["id"] == id);
        for (id, expected) in VERSIONS {
            let text = finding(id).unwrap()["finding"].as_str().unwrap();
            assert!(text.starts_with(expected), "{id}: {text}\n{told}");
        }
        let graver = findings.iter().filter(|finding| {
            let severity = finding["severity"].as_str().unwrap();
            ["LOW", "MEDIUM", "HIGH", "CRITICAL"].contains(&severity)
        });
        assert_eq!(graver.collect::<Vec<_>>(), Vec::<&Value>::new(), "{told}");
    }
}
