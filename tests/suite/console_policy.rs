//! What the console tells of a policy: what it was, what it is, and what a change would do.

use std::fs;

use landbridge::journal::verify::Fault;
use landbridge::pb::journal_record::Kind;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::edit;
use crate::harness::gateway::Page;
use crate::harness::person::Person;
use crate::harness::person::accounts;
use crate::harness::person::origin;
use crate::harness::records::Resident;
use crate::harness::table;

const AGREEMENT: &str = "CIV-TAX-2026-01";

/// A form's value, percent-encoded.
fn form(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs.iter().map(|(name, value)| {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("{name}={value}")
    });
    encoded.collect::<Vec<_>>().join("&")
}

/// What a reader sees of a page.
fn seen(page: &Page) -> String {
    table::without_tags(page.text())
}

#[tokio::test]
async fn a_reload_is_told_text_by_text_and_an_entry_leads_to_the_text_of_its_time() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let (mut civil, mut tax) = world.pair().await;
    let asked = Asked::get(&Resident(7).key());
    let refused = Asked::get(&Resident(7).key()).purpose("curiosity");
    let system = world.system("tax", "assessment");
    system.ask(&asked).await.unwrap();
    system.ask(&refused).await.err().unwrap();
    world.amend("daily       = 50000", "daily       = 40");
    tokio::join!(civil.reload(), tax.reload());
    system.ask(&asked).await.unwrap();
    system.ask(&refused).await.err().unwrap();
    let reload = world
        .journal("tax")
        .awaits(|entry| matches!(&entry.kind, Kind::Policy(_)).then_some(entry.index))
        .await;

    let mut auditor = Person::at(&tax, origin(&world, "tax"));
    assert_eq!(auditor.signs_in(&accounts["auditor"], 0).await.status, 303);
    let policy = auditor.opens("/console/policy").await;
    let row = format!("<a href=\"/console/policy/changes/{reload}\">");
    assert!(policy.text().contains(&row), "{}", policy.text());
    let rows = table::of_page(policy.text());
    let quotas = [
        [
            AGREEMENT,
            "tax",
            "civil.v1.Resident",
            "records",
            "2",
            "40",
            "5",
        ],
        [
            AGREEMENT,
            "tax",
            "civil.v1.Resident",
            "values looked up in vain",
            "0",
            "100",
            "0",
        ],
    ];
    assert_eq!(rows[1..3], quotas);
    let changes = auditor
        .opens(&format!("/console/policy/changes/{reload}"))
        .await;
    assert!(
        changes.text().contains(
            "<del>- <bdi>daily       = 50000</bdi>\n</del><ins>+ <bdi>daily       = 40</bdi>"
        ),
        "{}",
        changes.text()
    );

    let entry = auditor.opens(&format!("/console/entries/{reload}")).await;
    assert!(
        entry
            .text()
            .contains(&format!("href=\"/console/policy/changes/{reload}\""))
    );

    // Before the reload and after it, an entry leads to what it rested on.
    let rested = world.journal("tax").entries();
    let digests: Vec<_> = rested
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Exchange(record) if record.reason == "answered" => {
                Some(landbridge::digest::hex(&record.agreement_digest))
            }
            _ => None,
        })
        .collect();
    let [before, after] = digests.as_slice() else {
        panic!("two answers: {digests:?}");
    };
    for (digest, daily) in [(before, "daily       = 50000"), (after, "daily       = 40")] {
        let text = auditor
            .opens(&format!("/console/policy/texts/{digest}"))
            .await;
        assert!(seen(&text).contains(daily), "{}", seen(&text));
    }
    for none in ["0", "..%2F..", &"0".repeat(64)] {
        assert_eq!(
            auditor
                .opens(&format!("/console/policy/texts/{none}"))
                .await
                .status,
            404,
            "{none}"
        );
    }
    // What is said of then and now is so of refusals, too: they rest on no agreement's text.
    let says = [
        "Changed since",
        "exactly what it was then",
        "nothing to compare",
        "refused by the policy that is in force now",
    ];
    let mut told = Vec::new();
    for entry in rested.iter().filter(|entry| entry.exchange().is_some()) {
        let page = auditor
            .opens(&format!("/console/entries/{}", entry.index))
            .await;
        let found = says.into_iter().filter(|text| page.text().contains(text));
        told.push(found.collect::<Vec<_>>());
    }
    assert_eq!(
        told,
        [
            ["Changed since"],
            ["nothing to compare"],
            ["exactly what it was then"],
            ["refused by the policy that is in force now"],
        ]
    );
    let civil_has = fs::read_dir(world.path("var/civil/journal/policy"))
        .unwrap()
        .count();
    assert!(civil_has > 2, "{civil_has}");

    // A text that was edited by hand is not shown as the one that was in force.
    let kept = fs::read_dir(world.path("var/tax/journal/policy")).unwrap();
    let edited = kept.map(|file| file.unwrap().path()).find(|file| {
        fs::read_to_string(file)
            .unwrap()
            .contains("daily       = 40\n")
    });
    edit(&edited.unwrap(), "daily       = 40\n", "daily       = 90\n");
    let text = auditor
        .opens(&format!("/console/policy/texts/{after}"))
        .await;
    let told = seen(&text);
    assert!(told.contains("it was changed since"), "{told}");
    assert!(!told.contains("daily"), "{told}");
    let report = world.journal("tax").report();
    assert!(
        matches!(report.fault, Some(Fault::Text { .. })),
        "{report:?}"
    );
}

#[tokio::test]
async fn what_changed_while_a_gateway_was_stopped_is_told_when_it_starts() {
    let world = World::new().await;
    let mut tax = world.start("tax").await;
    tax.stops().await;
    world.amend("daily       = 50000", "daily       = 40");
    let _tax = world.start("tax").await;
    let changes = world
        .journal("tax")
        .awaits(|entry| match &entry.kind {
            Kind::Policy(policy) => Some(policy.changes.clone()),
            _ => None,
        })
        .await;
    let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, [AGREEMENT]);
    assert_ne!(changes[0].before, changes[0].after);
}

#[tokio::test]
async fn a_change_is_checked_and_rehearsed_on_what_was_asked_and_leaves_the_file_alone() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let (_civil, tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    for (purpose, refusal) in [
        ("tax-assessment", None),
        ("arrears", None),
        ("arrears", None),
        ("refunds", Some("PURPOSE_NOT_AGREED")),
    ] {
        let asked = Asked::get(&Resident(7).key()).purpose(purpose);
        assert_eq!(
            system.refusal(&asked).await.as_deref(),
            refusal,
            "{purpose}"
        );
    }
    let file = world.agreement("tax", AGREEMENT);
    let text = fs::read_to_string(&file).unwrap();
    let mut administrator = Person::at(&tax, origin(&world, "tax"));
    let signed_in = administrator.signs_in(&accounts["administrator"], 0).await;
    assert_eq!(signed_in.status, 303);
    let offered = administrator
        .opens(&format!("/console/propose?file={AGREEMENT}"))
        .await;
    assert!(
        offered
            .text()
            .contains("Resident look-up for tax assessment")
    );

    let propose = |text: &str| form(&[("file", AGREEMENT), ("text", text), ("days", "2")]);
    let changed = text
        .replace(
            "\"tax-assessment\", \"arrears\"",
            "\"tax-assessment\", \"refunds\"",
        )
        .replace(", \"birth_date\"", "")
        .replace("{ birth_date = \"year\" }", "{}");
    let checked = administrator
        .posts("/console/propose", &propose(&changed))
        .await;
    let told = seen(&checked);
    assert_eq!(checked.status, 200, "{told}");
    assert!(told.contains("It would be accepted"), "{told}");
    let mut rows = table::of_page(checked.text());
    let rehearsed = rows.split_off(4);
    assert_eq!(
        rows,
        [
            ["Effect", "Where", "Key", "Now", "Then"],
            ["widens", AGREEMENT, "purposes", "", "refunds"],
            ["narrows", AGREEMENT, "purposes", "arrears", ""],
            [
                "narrows",
                "CIV-TAX-2026-01, civil.v1.Resident",
                "fields",
                "birth_date (year)",
                ""
            ],
        ]
    );
    // Behind these stand the time of the last and why it is or was refused.
    let rehearsed: Vec<_> = rehearsed.iter().map(|row| &row[..5]).collect();
    let get = "get civil.v1.Resident";
    assert_eq!(
        rehearsed,
        [
            ["It would be", "Who", "What", "Purpose", "Exchanges"],
            ["refused", "tax/assessment", get, "arrears", "2"],
            ["refused", "tax/assessment", get, "tax-assessment", "1"],
            ["permitted", "tax/assessment", get, "refunds", "1"],
        ]
    );
    assert!(told.contains("PURPOSE_NOT_AGREED"), "{told}");

    let patch = administrator
        .posts("/console/propose/patch", &propose(&changed))
        .await;
    let scratch = world.path("patched.toml");
    fs::write(&scratch, &text).unwrap();
    fs::write(world.path("policy.patch"), patch.text()).unwrap();
    let patched = std::process::Command::new("patch")
        .args([&scratch, &world.path("policy.patch")])
        .output()
        .unwrap();
    assert!(patched.status.success(), "{patched:?}");
    assert_eq!(fs::read_to_string(&scratch).unwrap(), changed);

    let broken = text.replace("daily       = 50000", "daily       = \"many\"");
    let refused = administrator
        .posts("/console/propose", &propose(&broken))
        .await;
    assert!(
        seen(&refused).contains("It would be refused"),
        "{}",
        seen(&refused)
    );
    assert!(
        seen(&refused).contains("CIV-TAX-2026-01.toml:23"),
        "{}",
        seen(&refused)
    );

    let elsewhere = form(&[("name", "../../evil.toml"), ("text", "x")]);
    assert_eq!(
        administrator
            .posts("/console/propose", &elsewhere)
            .await
            .status,
        400
    );
    let new = form(&[
        ("name", "tax-2027.toml"),
        ("text", &text.replace(AGREEMENT, "CIV-TAX-2027-01")),
    ]);
    let new = administrator.posts("/console/propose", &new).await;
    assert!(
        seen(&new).contains("It would be accepted"),
        "{}",
        seen(&new)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    for role in ["viewer", "auditor"] {
        let mut person = Person::at(&tax, origin(&world, "tax"));
        assert_eq!(person.signs_in(&accounts[role], 0).await.status, 303);
        assert_eq!(
            person
                .posts("/console/propose", &propose(&changed))
                .await
                .status,
            403,
            "{role}"
        );
    }
    administrator.origin = "https://evil.example".to_owned();
    assert_eq!(
        administrator
            .posts("/console/propose", &propose(&changed))
            .await
            .status,
        403
    );
}
