//! One question about a person: at the command line, over the API and at the console, at the provider and at the consumer.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::process::Output;

use landbridge::pb;
use landbridge::reading::reader::Right;
use tonic::Code;

use super::reading::Auditor;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::person::Person;
use crate::harness::person::accounts;
use crate::harness::person::origin;
use crate::harness::records::Resident;

/// Runs a verb of `audit` and waits for its end.
async fn audit(world: &World, department: &str, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command
        .arg("audit")
        .args(words)
        .args(["--json", "--config"])
        .arg(world.federation.settings(department));
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn aside(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The entries that each way of asking finds.
struct Asker<'a> {
    world: &'a World,
    department: &'static str,
    auditor: Auditor,
    person: Person<'a>,
}

impl<'a> Asker<'a> {
    async fn at(
        world: &'a World,
        gateway: &'a Gateway,
        department: &'static str,
        token: &str,
        account: &serde_json::Value,
    ) -> Self {
        let mut person = Person::at(gateway, origin(world, department));
        assert_eq!(person.signs_in(account, 0).await.status, 303);
        Self {
            world,
            department,
            auditor: Auditor::new(world.ports(department).operators, Some(token)),
            person,
        }
    }

    async fn ways(&self, scheme: &str, identifier: &str) -> [BTreeSet<u64>; 4] {
        let who = format!("{scheme}={identifier}");
        let found = |output: Output, key: &str| -> BTreeSet<u64> {
            assert!(output.status.success(), "{}", aside(&output));
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|line| line[key].as_u64().unwrap()).collect()
        };
        let ledger = audit(
            self.world,
            self.department,
            &["subject", &who, "--attempts"],
        )
        .await;
        let search = audit(self.world, self.department, &["search", "--subject", &who]).await;
        let asked = pb::SearchRequest {
            subject: Some(subject(scheme, identifier)),
            limit: 1_000,
            ..Default::default()
        };
        let api = self.auditor.search(asked).await.unwrap();
        let form = form(scheme, identifier);
        let page = self.person.posts("/console/subjects", &form).await;
        assert_eq!(page.status, 200);
        let rows = page
            .text()
            .split("<th scope=\"row\"><a href=\"/console/entries/")
            .skip(1);
        [
            found(ledger, "index"),
            found(search, "index"),
            api.entries.iter().map(|entry| entry.index).collect(),
            rows.map(|row| row.split('"').next().unwrap().parse().unwrap())
                .collect(),
        ]
    }
}

fn subject(scheme: &str, identifier: &str) -> pb::Subject {
    pb::Subject {
        scheme: scheme.to_owned(),
        identifier: identifier.to_owned(),
    }
}

fn form(scheme: &str, identifier: &str) -> String {
    let encoded: String = identifier
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!("scheme={scheme}&identifier={encoded}")
}

/// In digits and letters as wide as Chinese ones.
fn wide(text: &str) -> String {
    text.chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect()
}

#[tokio::test]
async fn a_person_is_found_alike_however_the_identifier_is_typed_and_wherever_it_is_asked() {
    let world = World::new().await;
    let departments = ["civil", "tax"];
    let rights = [Right::Search, Right::Subjects];
    let tokens = departments.map(|department| world.reader(department, "portal", &rights));
    let accounts = departments.map(|department| accounts(&world, department));
    let (civil, tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    for number in [7, 9, 7] {
        system
            .ask(&Asked::get(&Resident(number).key()))
            .await
            .unwrap();
    }
    let verified = Asked::verify(&Resident(7).key(), &[("full_name", &Resident(7).name())]);
    system.ask(&verified).await.unwrap();
    let filter = format!("resident_id == \"{}\"", Resident(7).key());
    system.ask(&Asked::query(&filter)).await.unwrap();

    let provider = Asker::at(&world, &civil, "civil", &tokens[0], &accounts[0]["auditor"]).await;
    let consumer = Asker::at(&world, &tax, "tax", &tokens[1], &accounts[1]["auditor"]).await;
    let (id, key) = (Resident(7).national_id(), Resident(7).key());
    for (asker, scheme, identifier, expected) in [
        // Two looked up, one verified, one found by a filter.
        (&provider, "national_id", &id, 4),
        // By the key: what named it.
        (&provider, "resident_id", &key, 3),
        (&consumer, "resident_id", &key, 3),
        // The consumer got the number masked.
        (&consumer, "national_id", &id, 0),
    ] {
        let spellings = [
            identifier.clone(),
            identifier.to_lowercase(),
            format!(" {identifier}\u{3000}"),
            wide(identifier),
            wide(&identifier.to_lowercase()),
            format!("\u{202a}{identifier}\u{200b}"),
        ];
        for spelling in spellings {
            let found = asker.ways(scheme, &spelling).await;
            assert_eq!(
                found[0].len(),
                expected,
                "{}: {scheme} {spelling:?}",
                asker.department
            );
            for other in &found[1..] {
                assert_eq!(
                    *other, found[0],
                    "{}: {scheme} {spelling:?}",
                    asker.department
                );
            }
        }
    }

    // Nothing found is not nobody: the consumer says what it cannot tell.
    let who = format!("national_id={id}");
    let output = audit(&world, "tax", &["subject", &who]).await;
    let told = aside(&output);
    assert!(
        told.contains("5 answers were received without the field that says whose they are"),
        "{told}"
    );
    let asked = pb::ListUsagesRequest {
        subject: Some(subject("national_id", &id)),
        ..Default::default()
    };
    let gaps = consumer.auditor.usages(asked).await.unwrap().gaps.unwrap();
    assert_eq!((gaps.unattributed, gaps.has_more), (5, false));
    let page = consumer
        .person
        .posts("/console/subjects", &form("national_id", &id))
        .await;
    assert!(
        page.text()
            .contains("without the field that says whose they are"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn an_identifier_under_a_name_that_no_field_has_is_refused_with_those_that_there_are() {
    let world = World::new().await;
    let token = world.reader("civil", "portal", &[Right::Search, Right::Subjects]);
    let accounts = accounts(&world, "civil");
    let civil = world.start("civil").await;
    let asker = Asker::at(&world, &civil, "civil", &token, &accounts["auditor"]).await;
    let id = Resident(7).national_id();
    let who = format!("nationalid={id}");
    let known = "`nationalid` is no field that identifies; those that do are ";
    for words in [
        &["subject", who.as_str()][..],
        &["search", "--subject", &who],
    ] {
        let output = audit(&world, "civil", words).await;
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        let told = aside(&output);
        assert!(
            told.contains(known) && told.contains("national_id") && told.contains("resident_id"),
            "{told}"
        );
        assert!(!told.contains("nothing is on record"), "{told}");
    }
    let refused = asker
        .auditor
        .usages(pb::ListUsagesRequest {
            subject: Some(subject("nationalid", &id)),
            ..Default::default()
        })
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains(known), "{}", refused.message());
    let page = asker
        .person
        .posts("/console/subjects", &form("nationalid", &id))
        .await;
    assert!(page.text().contains(known), "{}", page.text());
    assert!(!page.text().contains("Nothing fits"));
}

#[tokio::test]
async fn of_a_month_whose_key_is_missing_nobody_says_that_nothing_is_on_record() {
    let world = World::new().await;
    world.settle("civil", super::SCHEMES);
    let token = world.reader("civil", "portal", &[Right::Search, Right::Subjects]);
    let accounts = accounts(&world, "civil");
    let (civil, _tax) = world.pair().await;
    let asked = Asked::get(&Resident(7).key());
    world.system("tax", "assessment").ask(&asked).await.unwrap();
    let asker = Asker::at(&world, &civil, "civil", &token, &accounts["auditor"]).await;
    let keys = world.path("var/civil/subjects");
    let lost = fs::read_dir(&keys)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "key"))
        .unwrap();
    fs::rename(&lost, world.path("lost.key")).unwrap();
    let month = lost.file_stem().unwrap().to_str().unwrap();

    let who = format!("national_id={}", Resident(8).national_id());
    let output = audit(&world, "civil", &["subject", &who]).await;
    let told = aside(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(
        told.contains(&format!("cannot be said for {month}")),
        "{told}"
    );
    let page = asker
        .person
        .posts("/console/subjects", &form("national_id", "1"))
        .await;
    assert!(
        page.text()
            .contains(&format!("Restore it from its backup: {month}")),
        "{}",
        page.text()
    );
    // A person's portal has no place for it in its answer: it is told instead of a number.
    let authorization = format!("Bearer {token}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Road-UserId", "EE38001010000"),
    ];
    let page = civil.fetch("/v2/findUsage?userCode=1", &headers).await;
    assert_eq!(page.status, 400);
    assert!(
        page.text().contains(&format!("cannot be said for {month}")),
        "{}",
        page.text()
    );
}
