//! What an auditor finds at the command line, while the gateways run and afterwards.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

/// What a verb of `audit` says: the lines of its answer, and what it tells beside it.
struct Said {
    lines: Vec<Value>,
    aside: String,
}

async fn audit(world: &World, department: &str, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command
        .arg("audit")
        .args(words)
        .args(["--json", "--config"])
        .arg(world.federation.settings(department));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let aside = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {aside}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Said {
        lines: lines.collect(),
        aside,
    }
}

fn texts(lines: &[Value], key: &str) -> Vec<String> {
    lines
        .iter()
        .map(|line| line[key].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_persons_ledger_tells_who_received_what_for_which_purpose_and_on_what_ground() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let asker = world.system("tax", "assessment");
    let person = Resident(7);
    let got = asker.ask(&Asked::get(&person.key())).await.unwrap();
    asker.ask(&Asked::get(&Resident(9).key())).await.unwrap();
    let filter = format!("resident_id == \"{}\"", person.key());
    let queried = asker.ask(&Asked::query(&filter)).await.unwrap();

    let who = format!("national_id={}", person.national_id());
    let said = audit(&world, "civil", &["subject", &who]).await;
    // The newest first.
    let expected = [&queried, &got].map(|answer| answer.exchange().to_string());
    assert_eq!(texts(&said.lines, "exchange"), expected);
    let usage = said.lines.last().unwrap();
    for (key, value) in [
        ("role", "provider"),
        ("consumer", "tax"),
        ("system", "assessment"),
        ("purpose", "tax-assessment"),
        ("agreement", "CIV-TAX-2026-01"),
        ("legal_basis", "Tax Collection Administration Law, art. 6"),
        ("outcome", "answered"),
    ] {
        assert_eq!(usage[key], value, "{key}");
    }
    assert_eq!(usage["received"], true);
    assert!(usage.get("officer").is_none(), "{usage}");
    assert!(
        said.aside.contains("complete up to entry"),
        "{}",
        said.aside
    );
    // The consumer got the number masked: it cannot tell whose record it was.
    let said = audit(&world, "tax", &["subject", &who]).await;
    assert!(said.lines.is_empty(), "{:?}", said.lines);
    let told = "nothing was found, but that is not all:";
    assert!(said.aside.contains(told), "{}", said.aside);
}

#[tokio::test]
async fn a_search_finds_the_same_with_and_without_its_index_and_proves_it() {
    let world = World::new().await;
    let (mut civil, _tax) = world.pair().await;
    let asker = world.system("tax", "assessment");
    for n in [7, 9, 11] {
        asker
            .ask(&Asked::get(&Resident(n).key()).case("C-7"))
            .await
            .unwrap();
    }
    let refused = asker
        .ask(&Asked::get(&Resident(7).key()).purpose("curiosity"))
        .await;
    assert_eq!(refused.err().unwrap().reason, "PURPOSE_NOT_AGREED");

    let words = [
        "search",
        "--case",
        "C-7",
        "--consumer",
        "tax",
        "--released",
        "full_name",
        "--min-records",
        "1",
    ];
    let running = audit(&world, "civil", &words).await;
    assert_eq!(running.lines.len(), 3, "{}", running.aside);
    assert!(
        running.aside.contains("complete up to entry"),
        "{}",
        running.aside
    );
    let denied = audit(
        &world,
        "tax",
        &["search", "--outcome", "denied", "--role", "consumer"],
    )
    .await;
    assert_eq!(denied.lines.len(), 1, "{}", denied.aside);

    civil.signal("TERM");
    civil.ended().await;
    let journal = world.journal("civil").dir().to_owned();
    assert!(journal.join("index/index.sqlite").exists());
    let indexed = audit(&world, "civil", &words).await;
    fs::remove_dir_all(journal.join("index")).unwrap();
    let read = audit(&world, "civil", &words).await;
    assert_eq!(indexed.lines, running.lines);
    assert_eq!(read.lines, running.lines);

    let proofs = world.path("proofs");
    let mut words = words.to_vec();
    let folder = proofs.display().to_string();
    words.extend(["--proofs", &folder]);
    audit(&world, "civil", &words).await;
    for line in &running.lines {
        let file = proofs.join(format!("{}.tlog-proof", line["index"]));
        let file = file.display().to_string();
        let vkey = world.journal("civil").vkey().to_string();
        audit(&world, "civil", &["verify-proof", &file, "--vkey", &vkey]).await;
    }
}
