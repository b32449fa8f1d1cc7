//! The console, as people see it in a browser, and as those may try who are not let in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::person::Person;
use crate::harness::person::accounts;
use crate::harness::person::credentials;
use crate::harness::person::origin;
use crate::harness::records::Resident;

/// A case reference that would be a script, another direction, an entity and an end of anything.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}'\"&amp;<img src=x onerror=alert(2)>";

/// More exchanges than a page has rows, some refused, and one with the hostile reference.
async fn exchange(world: &World) {
    let system = world.system("tax", "assessment");
    for number in 0..110 {
        let resident = Resident(number % 90);
        let expected = (!resident.is_shared()).then(|| "NOT_FOUND".to_owned());
        let refusal = system.refusal(&Asked::get(&resident.key())).await;
        assert_eq!(refusal, expected, "{}", resident.key());
    }
    for _ in 0..12 {
        let asked = Asked::get(&Resident(7).key()).purpose("arrears");
        let refused = world
            .system("tax", "audit")
            .ask(&asked)
            .await
            .err()
            .unwrap();
        assert_eq!(refused.reason, "SYSTEM_NOT_GRANTED");
    }
    let mut asked = Asked::get(&Resident(7).key()).case(HOSTILE);
    asked.grounds.officer = format!("{HOSTILE}{}", "长".repeat(40));
    system.ask(&asked).await.unwrap();
}

const PAGES: [&str; 19] = [
    "/console",
    "/console/exchanges",
    "/console/exchanges?peer=civil",
    "/console/entries/0",
    "/console/entries/0/proof",
    "/console/entries/0/entry",
    "/console/subjects",
    "/console/alarms?since=2026-01-01T00:00&until=2026-01-02T00:00",
    "/console/agreements",
    "/console/explain?department=civil&record_type=tax.v1.Taxpayer&purpose=social-assistance",
    "/console/flow?since=2026-01-01T00:00&until=2026-01-02T00:00",
    "/console/flow.csv?since=2026-01-01T00:00&until=2026-01-02T00:00",
    "/console/entries/0/bundle",
    "/console/export",
    "/console/export/file?format=csv",
    "/console/policy",
    "/console/peers",
    "/console/propose",
    "/console/sign-in",
];

/// Those of them that are no pages but files to keep.
const FILES: [&str; 5] = [
    "/console/entries/0/proof",
    "/console/entries/0/entry",
    "/console/flow.csv?since=2026-01-01T00:00&until=2026-01-02T00:00",
    "/console/entries/0/bundle",
    "/console/export/file?format=csv",
];

/// Pages that the tests above and below do not open for each role, and where they are tried.
const ELSEWHERE: [(&str, &str); 5] = [
    ("/console/policy/changes/{}", "console_policy.rs"),
    ("/console/policy/texts/{}", "console_policy.rs"),
    ("/console/sign-in/openid", "console_openid.rs"),
    ("/console/sign-in/openid/back", "console_openid.rs"),
    ("/console/assets/{}", "console/browser.mjs"),
];

/// A page that is added is tried as each role.
#[test]
fn every_page_of_the_console_is_tried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("src/console.rs")).unwrap();
    let served: BTreeSet<_> = text
        .split(".route(")
        .skip(1)
        .filter(|route| route.split(".route(").next().unwrap().contains("get("))
        .map(|route| route.split('"').nth(1).unwrap())
        .filter(|path| *path != "/console/")
        .map(|path| place(&format!("/console{}", path.trim_end_matches('/'))))
        .collect();
    let tried = PAGES.iter().chain(ELSEWHERE.iter().map(|(path, _)| path));
    let tried: BTreeSet<_> = tried.map(|path| place(path)).collect();
    assert_eq!(served, tried);
}

/// A path without what is asked for, and without which entry or text.
fn place(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let is_one = |part: &str| part.starts_with('{') || part.chars().all(|c| c.is_ascii_digit());
    let parts = path.split('/').map(|part| match part {
        part if !part.is_empty() && is_one(part) => "{}",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn who_is_not_signed_in_sees_the_form_and_nothing_else() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let mut person = Person::at(&gateway, origin(&world, "tax"));
    let session = format!("landbridge_session_tax-1_{}", world.ports("tax").operators);
    for shown in ["", "AAAA", "../../x; a=b"] {
        person.cookie = format!("{session}={shown}");
        for path in &PAGES[..18] {
            let page = person.opens(path).await;
            assert_eq!(
                (page.status, page.header("location")),
                (303, Some("/console/sign-in")),
                "{path} {shown}"
            );
            assert_eq!(page.text(), "", "{path}");
        }
    }
    // What a browser sends for a page from elsewhere.
    for from in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        person.origin = from.to_owned();
        assert_eq!(
            person.signs_in(&accounts["auditor"], 0).await.status,
            403,
            "{from}"
        );
    }
    person.origin = origin(&world, "tax");
    let wrong = json!({ "name": "lin.auditor", "password": "guess", "otpauth": accounts["auditor"]["otpauth"] });
    for _ in 0..5 {
        assert_eq!(person.signs_in(&wrong, 0).await.status, 403);
    }
    assert_eq!(person.signs_in(&accounts["auditor"], 0).await.status, 429);
    assert_eq!(person.signs_in(&accounts["viewer"], 0).await.status, 303);
    assert_eq!(person.opens("/console").await.status, 200);
}

#[tokio::test]
async fn what_somebody_opens_is_on_record_and_their_role_says_what_that_is() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let mut auditor = Person::at(&gateway, origin(&world, "tax"));
    let shown = credentials(&accounts["auditor"], 0);
    let signed_in = auditor.shows(&shown).await;
    assert_eq!(signed_in.status, 303);
    world.journal("tax").published().await;
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(
        cookie.ends_with("; Path=/console; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    for path in &PAGES {
        let page = auditor.opens(path).await;
        let status = if *path == "/console/propose" {
            403
        } else {
            200
        };
        assert_eq!(page.status, status, "{path}");
        let kind = page.header("content-type").unwrap();
        assert_eq!(
            kind == "text/html; charset=utf-8",
            !FILES.contains(path),
            "{path}: {kind}"
        );
        if !FILES.contains(path) {
            let policy = page.header("content-security-policy").unwrap();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
                "{path}"
            );
            assert!(
                !policy.contains("unsafe") && !page.text().contains(" style="),
                "{path}"
            );
        }
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
    }
    let asked = auditor
        .posts(
            "/console/subjects",
            "scheme=national_id&identifier=990101199001010007",
        )
        .await;
    assert_eq!(asked.status, 200);
    assert_eq!(auditor.opens("/console/entries/9999").await.status, 404);
    assert_eq!(auditor.opens("/console/nothing").await.status, 404);
    assert_eq!(auditor.shows(&shown).await.status, 403, "a code works once");
    assert_eq!(auditor.posts("/console/sign-out", "").await.status, 303);
    assert_eq!(auditor.opens("/console").await.status, 303);

    for (role, proposes) in [("viewer", 403), ("administrator", 200)] {
        let mut person = Person::at(&gateway, origin(&world, "tax"));
        assert_eq!(person.signs_in(&accounts[role], 0).await.status, 303);
        let seen = PAGES.map(|path| person.opens(path));
        let seen: Vec<_> = futures::future::join_all(seen)
            .await
            .iter()
            .map(|page| page.status)
            .collect();
        assert_eq!(
            seen,
            [
                200, 403, 403, 403, 403, 403, 403, 403, 200, 200, 200, 200, 403, 403, 403, 200,
                200, proposes, 200
            ],
            "{role}"
        );
    }

    let of_auditor: Vec<_> = world
        .journal("tax")
        .readings("lin.auditor")
        .iter()
        .map(|reading| {
            format!(
                "{} {} {}",
                reading.action,
                without_tags(&reading.query),
                reading.entries.min(1)
            )
        })
        .collect();
    assert_eq!(
        of_auditor,
        [
            "sign-in auditor 0",
            "view overview 0",
            "search limit=100 1",
            "search peer=civil limit=100 0",
            "show index=0 1",
            "prove index=0 1",
            "show index=0 1",
            "view subjects 0",
            "search alarms since=2025-12-31T16:00:00&until=2026-01-01T16:00:00 0",
            "view agreements 0",
            "view explain department=civil record_type=tax.v1.Taxpayer purpose=social-assistance 0",
            "view flow since=2025-12-31T16:00:00&until=2026-01-01T16:00:00 0",
            "view flow.csv since=2025-12-31T16:00:00&until=2026-01-01T16:00:00 0",
            "export bundle index=0 1",
            "view export 0",
            "export csv 1",
            "view policy 0",
            "view peers 0",
            "refused role /console/propose 0",
            "subject subject=national_id#… limit=1000 0",
            "show index=9999 0",
            "refused code-used /console/sign-in 0",
            "sign-out  0",
        ]
    );
}

/// A person's tag is another each time.
fn without_tags(query: &str) -> String {
    let words = query.split(' ').map(|word| match word.split_once('#') {
        Some((before, _)) => format!("{before}#…"),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn who_received_a_persons_data_is_found_and_the_identifier_stands_nowhere() {
    let world = World::new().await;
    let accounts = accounts(&world, "civil");
    let (gateway, _tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    for (number, refusal) in [(7, None), (8, Some("NOT_FOUND")), (7, None)] {
        let asked = Asked::get(&Resident(number).key());
        assert_eq!(system.refusal(&asked).await.as_deref(), refusal, "{number}");
    }
    let mut auditor = Person::at(&gateway, origin(&world, "civil"));
    assert_eq!(auditor.signs_in(&accounts["auditor"], 0).await.status, 303);
    let person = Resident(7).national_id();
    for (identifier, rows) in [(person.as_str(), 2), ("990101199001019999", 0)] {
        let form = format!("scheme=national_id&identifier={identifier}");
        let page = auditor.posts("/console/subjects", &form).await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.text().matches("tax/assessment → civil").count(),
            rows,
            "{identifier}"
        );
    }
    let readings = world.journal("civil").readings("lin.auditor");
    assert_eq!(readings[1].action, "subject");
    assert!(
        !readings
            .iter()
            .any(|reading| reading.query.contains(&person))
    );
    assert!(!gateway.log_text().contains(&person));
}

#[tokio::test]
async fn an_account_that_is_taken_away_is_signed_out() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let mut person = Person::at(&gateway, origin(&world, "tax"));
    assert_eq!(person.signs_in(&accounts["viewer"], 0).await.status, 303);
    assert_eq!(person.opens("/console").await.status, 200);
    let file = world.path("var/tax/accounts.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"viewer\"", "\"administrator\"")).unwrap();
    assert_eq!(person.opens("/console").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_readable_operable_and_proven_in_a_browser() {
    let world = World::witnessed(100).await;
    let accounts = accounts(&world, "tax");
    let (mut civil, mut tax) = world.pair().await;
    exchange(&world).await;
    world.amend("daily       = 50000", "daily       = 40000");
    tokio::join!(civil.reload(), tax.reload());
    let given = json!({
        "origin": origin(&world, "tax"), "accounts": accounts, "hostile": HOSTILE,
        "pictures": Path::new(env!("CARGO_TARGET_TMPDIR")).join("console"),
    });
    let mut browser = Command::new("node");
    browser.args(["browser.mjs", &given.to_string()]);
    browser.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console"));
    let seen = browser.output().unwrap();
    let told = [seen.stdout, seen.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(seen.status.success(), "{told}");
    eprint!("{told}");
}
