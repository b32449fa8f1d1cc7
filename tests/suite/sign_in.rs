//! Signing in at the console against those who guess, crowd and pretend.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use landbridge::pb::journal_record::Kind;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::World;
use crate::harness::edit;
use crate::harness::person::Person;
use crate::harness::person::accounts;
use crate::harness::person::credentials;
use crate::harness::person::origin;

/// The status of a try, if the connection was not given up for others.
async fn try_on(port: u16, form: String) -> Option<u16> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!(
        "POST /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    tcp.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn guess(name: &str) -> String {
    format!("name={name}&password=guess&code=123456")
}

#[tokio::test]
async fn of_many_who_try_at_once_five_are_judged() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let _tax = world.start("tax").await;
    let port = world.ports("tax").operators;
    let right = credentials(&accounts["auditor"], 0);
    let (password, _) = right.rsplit_once("code=").unwrap();
    let mut tries = JoinSet::new();
    for n in 0..60 {
        tries.spawn(try_on(port, format!("{password}code={:06}", n * 7)));
    }
    let mut statuses: Vec<_> = tries.join_all().await.into_iter().flatten().collect();
    statuses.sort();
    assert_eq!(statuses, [vec![403; 5], vec![429; 55]].concat());
}

#[tokio::test]
async fn a_thousand_who_try_at_once_slow_nobody_who_is_known() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let port = world.ports("tax").operators;
    let mut auditor = Person::at(&gateway, origin(&world, "tax"));
    let mut viewer = Person::at(&gateway, origin(&world, "tax"));
    assert_eq!(auditor.signs_in(&accounts["auditor"], 0).await.status, 303);
    assert_eq!(viewer.signs_in(&accounts["viewer"], 0).await.status, 303);
    let mut crowd = JoinSet::new();
    for n in 0..1_000 {
        crowd.spawn(try_on(port, guess(&format!("name{n}"))));
    }
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(auditor.opens("/console").await.status, 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    // On a browser that is known one also signs in meanwhile.
    assert_eq!(viewer.signs_in(&accounts["viewer"], 1).await.status, 303);
    let statuses: BTreeSet<_> = crowd.join_all().await.into_iter().flatten().collect();
    assert_eq!(statuses, [403, 503].into());
}

#[tokio::test]
async fn who_knows_the_name_alone_keeps_nobody_out() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let mut person = Person::at(&gateway, origin(&world, "tax"));
    assert_eq!(person.signs_in(&accounts["auditor"], 0).await.status, 303);
    let mut guesser = Person::at(&gateway, origin(&world, "tax"));
    for status in [403, 403, 403, 403, 403, 429, 429] {
        assert_eq!(guesser.shows(&guess("lin.auditor")).await.status, status);
    }
    assert_eq!(person.signs_in(&accounts["auditor"], 1).await.status, 303);
    // The browser that is known has five tries of its own, and no more.
    for status in [403, 403, 403, 403, 403, 429] {
        assert_eq!(person.shows(&guess("lin.auditor")).await.status, status);
    }
    // A cookie of somebody else's opens no more tries.
    for status in [403, 403, 403, 403, 403, 429] {
        assert_eq!(person.shows(&guess("lin.viewer")).await.status, status);
    }
}

#[tokio::test]
async fn names_that_exist_and_names_that_do_not_are_answered_alike() {
    let world = World::new().await;
    let _accounts = accounts(&world, "tax");
    let gateway = world.start("tax").await;
    let mut guesser = Person::at(&gateway, origin(&world, "tax"));
    let mut took = [Duration::ZERO; 2];
    for _ in 0..7 {
        let mut seen = Vec::new();
        for (place, name) in ["lin.auditor", "lin.nobody"].into_iter().enumerate() {
            let begun = Instant::now();
            let page = guesser.shows(&guess(name)).await;
            took[place] += begun.elapsed();
            let retry = page.header("retry-after").is_some();
            seen.push((page.status, page.text().to_owned(), retry));
        }
        assert_eq!(seen[0], seen[1]);
    }
    let [known, unknown] = took.map(|took| took.as_secs_f64());
    assert!((0.5..2.0).contains(&(known / unknown)), "{took:?}");
}

#[tokio::test]
async fn what_is_refused_is_on_record_with_its_address_in_the_log_and_no_more_often_than_it_helps()
{
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let mut gateway = world.start("tax").await;
    let mut person = Person::at(&gateway, origin(&world, "tax"));
    assert_eq!(person.shows(&guess("lin.auditor")).await.status, 403);
    assert_eq!(person.signs_in(&accounts["viewer"], 0).await.status, 303);
    assert_eq!(person.opens("/console/exchanges").await.status, 403);
    person.origin = "https://evil.example".to_owned();
    assert_eq!(person.shows(&guess("lin.auditor")).await.status, 403);
    person.origin = origin(&world, "tax");
    // What somebody types as a name may be their password.
    for n in 0..30 {
        assert_eq!(
            person.shows(&guess(&format!("s3cret{n}"))).await.status,
            403
        );
    }
    gateway.stops().await;
    let refused: Vec<_> = world
        .journal("tax")
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.kind {
            Kind::Access(access) if access.action == "refused" => {
                Some(format!("{} {}", access.reader, access.query))
            }
            _ => None,
        })
        .collect();
    let of_nobody = vec!["nobody wrong /console/sign-in".to_owned(); 9];
    let others = [
        "lin.auditor wrong /console/sign-in",
        "lin.viewer role /console/exchanges",
        "nobody elsewhere /console/sign-in",
    ];
    let counted = vec!["nobody wrong times=21".to_owned()];
    let others = others.map(str::to_owned).to_vec();
    assert_eq!(refused, [others, of_nobody, counted].concat());
    let line = gateway.told("refused at the console").await;
    assert_eq!(
        (&line["from"], &line["who"]),
        (&json!("127.0.0.1"), &json!("lin.auditor"))
    );
    assert!(
        !gateway.log_text().contains("s3cret"),
        "{}",
        gateway.log_text()
    );
    world.journal("tax").verified();
}

#[tokio::test]
async fn the_console_is_reached_by_its_names_alone() {
    let world = World::new().await;
    let accounts = accounts(&world, "tax");
    let settings = world.federation.settings("tax");
    edit(
        &settings,
        "[operators]",
        "[operators]\nhosts = [\"audit.example\"]",
    );
    let gateway = world.start("tax").await;
    for path in [
        "/metrics",
        "/livez",
        "/console/sign-in",
        "/journal/checkpoint",
        "/nothing",
    ] {
        for host in ["evil.example", "localhost.evil.example:80", "192.0.2.1"] {
            let page = gateway.fetch(path, &[("Host", host)]).await;
            assert_eq!(page.status, 421, "{host}{path}");
            assert!(page.text().contains("operators.hosts"), "{}", page.text());
        }
    }
    for (role, host, from, flags) in [
        (
            "viewer",
            "localhost:7777",
            "http://localhost:7777",
            "; SameSite=Strict",
        ),
        (
            "auditor",
            "audit.example",
            "https://audit.example",
            "; SameSite=Strict; Secure",
        ),
    ] {
        let form = credentials(&accounts[role], 0);
        let headers = |from| [("Host", host), ("Origin", from)];
        for elsewhere in [
            "https://evil.example",
            "http://audit.example",
            "http://localhost:7778",
        ] {
            let page = gateway
                .post("/console/sign-in", &headers(elsewhere), &form)
                .await;
            assert_eq!(page.status, 403, "{host} {elsewhere}");
            assert!(page.text().contains("operators.hosts"), "{}", page.text());
        }
        let page = gateway
            .post("/console/sign-in", &headers(from), &form)
            .await;
        assert_eq!(page.status, 303, "{host}: {}", page.text());
        assert!(
            page.header("set-cookie").unwrap().ends_with(flags),
            "{}",
            page.head
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_behind_tunnels_stay_signed_in_side_by_side_in_one_browser() {
    let world = World::new().await;
    let (of_civil, of_tax) = (accounts(&world, "civil"), accounts(&world, "tax"));
    let (_civil, tax) = world.pair().await;
    let port = |department| world.ports(department).operators;
    let given = json!([
        { "port": port("civil"), "account": of_civil["viewer"] },
        { "port": port("tax"), "account": of_tax["viewer"] },
        { "account": of_tax["auditor"] },
    ]);
    let seen = Command::new("node")
        .args(["tunnels.mjs", &given.to_string()])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console"))
        .output()
        .unwrap();
    let told = [seen.stdout, seen.stderr].concat();
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&told));
    // One gateway's token is nothing at the other, under whichever name.
    let mut person = Person::at(&tax, origin(&world, "tax"));
    assert_eq!(
        person.signs_in(&of_tax["administrator"], 0).await.status,
        303
    );
    let here = format!("tax-1_{}", port("tax"));
    let there = format!("civil-1_{}", port("civil"));
    assert!(person.cookie.contains(&here), "{}", person.cookie);
    person.cookie = person.cookie.replace(&here, &there);
    assert_eq!(person.opens("/console").await.status, 303);
}
