//! Clocks that jump while a gateway runs (libfaketime), and certificates that end meanwhile.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use landbridge::clock::Clock;
use landbridge::identity::pki::Term;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::books::assert_agreed;
use crate::harness::client::Asker;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;
use crate::harness::spiffe;

/// Within which service is back once the clock is right.
const BACK_WITHIN: Duration = Duration::from_secs(20);

/// Where Debian puts it, whatever the machine's architecture.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let mut libraries =
        folders.map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    let found = libraries.find(|library| library.exists());
    found.expect("`apt-get install faketime` gives libfaketime")
}

/// Starts civil's gateway by a clock that a file puts forward or back.
async fn start_by(world: &World, clock: &Path) -> Gateway {
    let library = library();
    let settings = [
        ("env:LD_PRELOAD", library.to_str().unwrap()),
        ("env:FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("env:FAKETIME_NO_CACHE", "1"),
        // Deadlines are measured by another clock, which does not jump.
        ("env:FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    world.start_with("civil", &settings).await
}

async fn answered_within(asker: &Asker, asked: &Asked, limit: Duration) {
    let begun = Instant::now();
    while let Err(refused) = asker.ask(asked).await {
        assert!(begun.elapsed() < limit, "{refused:?}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_refuses_what_it_cannot_judge_and_loses_nothing() {
    let world = World::new().await;
    let clock = world.path("clock");
    let set = |offset: &str| fs::write(&clock, offset).unwrap();
    set("+0d");
    let (mut civil, mut tax) = tokio::join!(start_by(&world, &clock), world.start("tax"));
    let system = world.system("tax", "assessment");
    let asked = |case: &str| Asked::get(&Resident(7).key()).case(case);
    system.ask(&asked("BEFORE")).await.unwrap();
    for offset in ["+2h", "-2h", "+3d", "-30d"] {
        set(offset);
        let refused: Refused = system.ask(&asked(offset)).await.err().unwrap();
        assert_ne!(refused.code, Code::Internal, "{offset}: {refused:?}");
        set("+0d");
        answered_within(&system, &asked("AFTER"), BACK_WITHIN).await;
    }
    tax.stops().await;
    civil.stops().await;
    assert_agreed(&world);
}

/// Gives tax's gateway a certificate that lasts so long from now on.
fn certify(world: &World, lasting: Duration) {
    let term = Term::lasting(lasting, Clock::System.now());
    let issue = world
        .authority("federation")
        .issue(&spiffe("tax"), &[], term);
    let folder = world.federation.certificate("tax");
    issue.unwrap().save(&folder, "peers").unwrap();
}

#[tokio::test]
async fn a_gateway_whose_certificate_ends_is_cut_off_until_it_has_another() {
    let world = World::new().await;
    certify(&world, Duration::from_secs(5));
    let (mut civil, mut tax) = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();

    let cut = civil.told("connection closed: no longer trusted").await;
    assert_eq!(cut["reason"], "CERT_EXPIRED");
    let refused = system.ask(&asked).await.err().unwrap();
    // The connection stays open for a moment, for streams on it to end.
    assert!(
        refused.is(Code::Unavailable, "PEER_UNREACHABLE")
            || refused.is(Code::PermissionDenied, "PEER_REVOKED"),
        "{refused:?}"
    );

    certify(&world, Duration::from_secs(3600));
    tax.reload().await;
    answered_within(&system, &asked, BACK_WITHIN).await;
    tax.stops().await;
    civil.stops().await;
    assert_agreed(&world);
}
