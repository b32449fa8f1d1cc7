//! `query --all`: an answer of many pages, which waits where it is told to, and says where to go on.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::impostor::Impostor;
use crate::harness::records::Resident;

const RESIDENTS: u32 = 60;

/// Asks for all residents, a few a page, at that port.
fn query(world: &World, port: u16, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command.args([
        "query",
        "civil.v1.Resident",
        "-p",
        "tax-assessment",
        "--all",
    ]);
    command.args(["--registry", "proto/registry"]).args(words);
    command.args(["--gateway", &format!("127.0.0.1:{port}")]);
    world.as_assessment(&mut command);
    command
}

async fn ended(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn keys(stdout: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["resident_id"].as_str().unwrap().to_owned())
        .collect()
}

fn shared() -> Vec<String> {
    Resident::shared(RESIDENTS)
        .map(|resident| resident.key())
        .collect()
}

/// The cursor to go on with, and how many records will come again.
fn stopped(stderr: &[u8]) -> (String, usize) {
    let text = String::from_utf8_lossy(stderr);
    let (_, behind) = text
        .split_once("go on with `--cursor ")
        .unwrap_or_else(|| panic!("{text}"));
    let (cursor, behind) = behind.split_once('`').unwrap();
    let again = behind
        .split_once("the last ")
        .and_then(|(_, again)| again.split(' ').next()?.parse().ok());
    (cursor.to_owned(), again.unwrap_or(0))
}

#[tokio::test]
async fn an_answer_of_many_pages_waits_as_long_as_the_gateway_says_and_is_whole() {
    let world = World::with_residents(RESIDENTS).await;
    world.amend("rate        = \"200/s\"", "rate        = \"10/s\"");
    let (_civil, _tax) = world.pair().await;
    let output = ended(query(&world, world.ports("tax").systems, &["--limit", "1"])).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(keys(&output.stdout), shared());
    let entries = world.journal("tax").entries();
    assert!(entries.iter().any(|entry| entry.reason() == "RATE_LIMITED"));
}

#[tokio::test]
async fn an_answer_that_stops_says_where_to_go_on_also_when_it_is_interrupted() {
    let world = World::with_residents(RESIDENTS).await;
    world.amend("daily       = 50000", "daily       = 10");
    let (mut civil, mut tax) = world.pair().await;
    let port = world.ports("tax").systems;
    let output = ended(query(&world, port, &["--limit", "4"])).await;
    assert_eq!(output.status.code(), Some(2));
    let (cursor, again) = stopped(&output.stderr);
    let before = keys(&output.stdout);
    assert!(!before.is_empty() && again < 4, "{before:?} {again}");

    // Tomorrow, so to speak; slowly, so that it can be interrupted.
    world.amend("daily       = 10", "daily       = 50000");
    world.amend("rate        = \"200/s\"", "rate        = \"2/s\"");
    tokio::join!(civil.reload(), tax.reload());
    let mut command = query(&world, port, &["--limit", "1", "--cursor", &cursor]);
    let interrupted = tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut read = vec![
            lines.next().unwrap().unwrap(),
            lines.next().unwrap().unwrap(),
        ];
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        read.extend(lines.map(|line| line.unwrap()));
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        (read.join("\n").into_bytes(), output.stderr)
    });
    let (stdout, stderr) = interrupted.await.unwrap();
    let (cursor, again_then) = stopped(&stderr);
    let then = keys(&stdout);

    world.amend("rate        = \"2/s\"", "rate        = \"200/s\"");
    tokio::join!(civil.reload(), tax.reload());
    let output = ended(query(&world, port, &["--limit", "4", "--cursor", &cursor])).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rest = keys(&output.stdout);
    let all: BTreeSet<_> = [before.as_slice(), &then, &rest]
        .concat()
        .into_iter()
        .collect();
    assert_eq!(all, shared().into_iter().collect());
    let twice = before.len() + then.len() + rest.len() - all.len();
    assert_eq!(twice, again + again_then);
}

#[tokio::test]
async fn whoever_asks_reads_a_stream_to_its_end_so_that_it_is_not_reset() {
    let world = World::with_residents(RESIDENTS).await;
    let _civil = world.start("civil").await;
    let provider = Impostor::of(&world, "civil", "tax").await;
    let _tax = world.start("tax").await;
    let (gateway, port) = Impostor::before_systems(&world, "tax", "assessment").await;
    let output = ended(query(&world, port, &["--limit", "8"])).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(keys(&output.stdout), shared());
    let pages = u64::try_from(shared().len().div_ceil(8)).unwrap();
    for (asker, (begun, ended)) in [
        ("the command line", gateway.streams()),
        ("the asking gateway", provider.streams()),
    ] {
        assert!(begun >= pages, "{asker}: {begun}");
        assert_eq!(ended, begun, "{asker}");
    }

    // The same of a stream that nobody asks on.
    let (before, _) = provider.streams();
    let one = Asked::query(&format!("resident_id == \"{}\"", Resident(7).key()));
    world.system("tax", "assessment").ask(&one).await.unwrap();
    assert_eq!(provider.streams(), (before + 1, before + 1));
}
