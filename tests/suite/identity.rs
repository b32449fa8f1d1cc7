//! Who gets in at a door, and what happens to those inside when they may no longer be.

use std::time::Duration;
use std::time::Instant;

use landbridge::clock::Clock;
use landbridge::clock::Moment;
use landbridge::identity::pki::Authority;
use landbridge::identity::pki::Term;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::client::Shown;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::edit;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;
use crate::harness::spiffe;

/// Whether that is what a peer hears whose connection is cut: a proper status on it, or its end.
fn shut_out(refused: &Refused) -> bool {
    refused.is_cut() || refused.is(Code::PermissionDenied, "PEER_REVOKED")
}

fn a_year() -> Term {
    Term::lasting(Duration::from_secs(365 * 24 * 3600), Clock::System.now())
}

fn last_year() -> Term {
    let ago =
        |days: i64| Moment::from_micros(Clock::System.now().micros() - days * 24 * 3_600_000_000);
    Term {
        from: ago(400),
        until: ago(30),
    }
}

/// Somebody whom a door turns away, the reason, and whether it could be known who it was.
struct Stranger {
    shown: Option<Shown>,
    reason: &'static str,
    identified: Option<&'static str>,
}

impl Stranger {
    fn unknown(shown: Option<Shown>, reason: &'static str) -> Self {
        Self {
            shown,
            reason,
            identified: None,
        }
    }

    fn known(shown: Shown, reason: &'static str, id: &'static str) -> Self {
        Self {
            shown: Some(shown),
            reason,
            identified: Some(id),
        }
    }
}

async fn turned_away(
    world: &World,
    gateway: &mut Gateway,
    door: &str,
    at: impl Fn(Option<Shown>) -> Asker,
    strangers: Vec<Stranger>,
) {
    for Stranger {
        shown,
        reason,
        identified,
    } in strangers
    {
        let refused = at(shown)
            .ask(&Asked::get(&Resident(7).key()))
            .await
            .err()
            .unwrap();
        assert!(refused.is_cut(), "{reason}: {refused:?}");
        let line = gateway.told("connection refused").await;
        assert_eq!(
            (
                line["reason"].as_str().unwrap(),
                line["door"].as_str().unwrap()
            ),
            (reason, door)
        );
        let Some(id) = identified else { continue };
        let entry = world
            .journal("civil")
            .awaits(|entry| match &entry.kind {
                landbridge::pb::journal_record::Kind::Connection(connection)
                    if connection.reason == reason =>
                {
                    Some(connection.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!(
            (entry.peer, entry.door.as_str()),
            (spiffe(id).to_string(), door),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn the_peers_door_turns_away_everybody_but_gateways_of_the_federation() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let foreign = world.path("foreign");
    let mut other = Authority::create(&foreign, "Another CA", Clock::System.now()).unwrap();
    let forged = other.issue(&spiffe("tax"), &[], a_year()).unwrap();
    let revoked = world
        .authority("federation")
        .issue(&spiffe("market"), &[], a_year())
        .unwrap();
    world
        .authority("federation")
        .revoke(&revoked.serial, Clock::System.now())
        .unwrap();
    civil.reload().await;

    let strangers = vec![
        Stranger::unknown(None, "NO_CERTIFICATE"),
        Stranger::unknown(
            Some(Shown::from_pem(&forged.certificate, &forged.key)),
            "UNKNOWN_ISSUER",
        ),
        Stranger::known(
            world.issue("federation", "tax", last_year()),
            "CERT_EXPIRED",
            "tax",
        ),
        Stranger::known(
            Shown::from_pem(&revoked.certificate, &revoked.key),
            "CERT_REVOKED",
            "market",
        ),
        Stranger::known(
            world.issue("federation", "health", a_year()),
            "NOT_IN_DIRECTORY",
            "health",
        ),
        Stranger::known(
            world.issue("federation", "tax/assessment", a_year()),
            "WRONG_DOOR",
            "tax/assessment",
        ),
        Stranger::unknown(
            Some(world.shown("tax", "systems/assessment")),
            "UNKNOWN_ISSUER",
        ),
        Stranger::known(
            world.issue("federation", "civil", a_year()),
            "OWN_DEPARTMENT",
            "civil",
        ),
    ];
    turned_away(
        &world,
        &mut civil,
        "peers",
        |shown| world.peers_door("civil", shown),
        strangers,
    )
    .await;
    let (_, metrics) = civil.page("/metrics").await;
    assert!(
        metrics.contains(
            r#"landbridge_handshakes_refused_total{door="peers",reason="UNKNOWN_ISSUER"} 2"#
        ),
        "{metrics}"
    );
    world.journal("civil").verified();
}

#[tokio::test]
async fn the_systems_door_turns_away_everybody_but_the_departments_own_systems() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let revoked = world
        .authority("civil")
        .issue(&spiffe("civil/kiosk"), &[], a_year())
        .unwrap();
    world
        .authority("civil")
        .revoke(&revoked.serial, Clock::System.now())
        .unwrap();
    civil.reload().await;

    let strangers = vec![
        Stranger::unknown(None, "NO_CERTIFICATE"),
        Stranger::unknown(
            Some(world.shown("tax", "systems/assessment")),
            "UNKNOWN_ISSUER",
        ),
        Stranger::unknown(Some(world.shown("tax", "peers")), "UNKNOWN_ISSUER"),
        Stranger::known(
            world.issue("civil", "civil/counter", last_year()),
            "CERT_EXPIRED",
            "civil/counter",
        ),
        Stranger::known(
            Shown::from_pem(&revoked.certificate, &revoked.key),
            "CERT_REVOKED",
            "civil/kiosk",
        ),
        Stranger::known(
            world.issue("civil", "civil", a_year()),
            "WRONG_DOOR",
            "civil",
        ),
        Stranger::known(
            world.issue("civil", "tax/assessment", a_year()),
            "WRONG_DEPARTMENT",
            "tax/assessment",
        ),
    ];
    turned_away(
        &world,
        &mut civil,
        "systems",
        |shown| world.systems_door("civil", shown),
        strangers,
    )
    .await;
    world.journal("civil").verified();
}

#[tokio::test]
async fn another_department_at_the_dialled_address_gets_no_request() {
    let world = World::new().await;
    let (civil, market) = (world.ports("civil").peers, world.ports("market").peers);
    edit(
        &world.path("config/directory.toml"),
        &format!(":{civil}\""),
        &format!(":{market}\""),
    );
    let (_market, _tax) = tokio::join!(world.start("market"), world.start("tax"));

    let refused = world
        .system("tax", "assessment")
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .err()
        .unwrap();
    assert!(
        refused.is(Code::Unavailable, "PEER_UNREACHABLE"),
        "{refused:?}"
    );
    let entries = world.journal("tax").of_case("CASE-1");
    assert_eq!(entries.len(), 1);
    let detail = &entries[0].exchange().unwrap().detail;
    assert!(detail.contains("is not trusted"), "{detail}");
    assert!(world.journal("market").of_case("CASE-1").is_empty());
}

#[tokio::test]
async fn revoking_a_peer_ends_its_open_stream_and_connection_within_a_second_of_the_reload() {
    let world = World::with_bulk(3_000).await;
    let mut civil = world.start("civil").await;
    let peer = world.peer("tax", "civil");
    let mut stream = peer
        .open(&Asked::query("").relayed_for("assessment"))
        .await
        .unwrap();
    let info = header(&mut stream).await.unwrap();

    world
        .authority("federation")
        .revoke(&spiffe("tax").to_string(), Clock::System.now())
        .unwrap();
    civil.reload().await;
    let reloaded = Instant::now();
    let refused = broken(stream).await;
    assert!(
        reloaded.elapsed() < Duration::from_secs(1),
        "{:?}",
        reloaded.elapsed()
    );
    // The status reaches a client that takes its answer before the connection is cut.
    assert!(shut_out(&refused), "{refused:?}");
    let end = world
        .journal("civil")
        .end_of(info.exchange_id.parse().unwrap())
        .await;
    assert_eq!(end.reason, "PEER_REVOKED");
    assert!(end.records < Resident::shared(3_000).count() as u64);

    let refused = peer
        .ask(&Asked::get(&Resident(7).key()).relayed_for("assessment"))
        .await
        .err()
        .unwrap();
    assert!(shut_out(&refused), "{refused:?}");
    let line = civil.told("connection refused").await;
    assert_eq!(line["reason"], "CERT_REVOKED");
}

#[tokio::test]
async fn a_system_that_is_revoked_loses_its_open_connection() {
    let world = World::new().await;
    let (_civil, mut tax) = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();

    world
        .authority("tax")
        .revoke(&spiffe("tax/assessment").to_string(), Clock::System.now())
        .unwrap();
    tax.reload().await;
    let refused = system.ask(&asked).await.err().unwrap();
    assert!(shut_out(&refused), "{refused:?}");
    assert!(
        world
            .system("tax", "audit")
            .ask(&asked)
            .await
            .err()
            .unwrap()
            .is(Code::PermissionDenied, "SYSTEM_NOT_GRANTED")
    );
}

#[tokio::test]
async fn a_department_that_leaves_the_directory_is_shut_out() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let peer = world.peer("market", "civil");
    let asked = Asked::verify(&Resident(7).key(), &[("full_name", "王7")])
        .purpose("business-registration")
        .relayed_for("register");
    peer.ask(&asked).await.unwrap();

    let directory = world.path("config/directory.toml");
    let text = std::fs::read_to_string(&directory).unwrap();
    let market = text
        .split("[[department]]")
        .find(|part| part.contains("id = \"market\""))
        .unwrap();
    let without = text.replace(&format!("[[department]]{market}"), "");
    for department in ["CIV-MKT-2026-01", "TAX-MKT-2026-01", "MKT-TAX-2026-01"] {
        std::fs::remove_file(world.agreement("civil", department)).unwrap();
    }
    edit(
        &world.path("config/guardrails/personal.cedar"),
        "Department::\"market\"",
        "Department::\"tax\"",
    );
    std::fs::write(&directory, without).unwrap();
    civil.reload().await;
    let refused = peer.ask(&asked).await.err().unwrap();
    assert!(shut_out(&refused), "{refused:?}");
}
