//! Clocks that jump while a gateway runs (libfaketime).

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::books::assert_agreed;
use crate::harness::client::Asker;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

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
    let (_civil, _tax) = tokio::join!(start_by(&world, &clock), world.start("tax"));
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
    assert_agreed(&world);
}
