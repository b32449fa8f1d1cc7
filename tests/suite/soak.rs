//! Steady load with reloads and new certificates all the while: no error that a client should not see, and nothing lost.
//!
//! `LANDBRIDGE_SOAK` says for how many seconds; without it nothing is tried. An hour:
//!
//!     LANDBRIDGE_SOAK=3600 cargo nextest run --no-capture an_hour_of_load

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use landbridge::clock::Clock;
use landbridge::identity::pki::Term;
use landbridge::name::ExchangeId;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::books::Book;
use crate::harness::books::assert_agreed;
use crate::harness::books::assert_logged;
use crate::harness::client::Asker;
use crate::harness::crowd::Got;
use crate::harness::gateway::Gateway;
use crate::harness::random::number;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;
use crate::harness::spiffe;

const CLIENTS: u32 = 16;
/// One in so many questions is a stream.
const STREAMS: u64 = 8;
/// Of what the gateways can carry, in percent.
const SHARE: u32 = 70;
/// Files are read anew, and certificates renewed, so often in a long run; six times in a short one.
const ROTATION: Duration = Duration::from_secs(60);
/// For caches that fill in the first half hour: the index's have 80 MiB, and exchanges are remembered for some minutes.
const MORE_MEMORY_MIB: u64 = 104;

/// A gateway that others keep from its work may ask so few clients to come again: one in so many answers.
const TURNED_AWAY: usize = 1_000;

/// What the clients got.
#[derive(Default)]
struct Answers {
    got: Vec<(ExchangeId, Got)>,
    /// Questions that were put off (`RetryInfo`), and answered when they were asked again.
    asked_again: usize,
    refused: Vec<Refused>,
}

/// Asks once for each tick, until told to leave.
async fn ask_on(asker: Asker, every: Duration, leave: Arc<AtomicBool>) -> Answers {
    let mut answers = Answers::default();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    while !leave.load(Ordering::Relaxed) {
        ticks.tick().await;
        number += 1;
        let (asked, what) = match number % STREAMS {
            0 => (Asked::query(""), Got::Stream),
            _ => (Asked::get(&Resident(7).key()), Got::Answer),
        };
        match asker.ask(&asked).await {
            Ok(answer) => answers.got.push((answer.exchange(), what)),
            Err(error) if error.retry => answers.asked_again += 1,
            Err(error) => answers.refused.push(error),
        }
    }
    answers
}

/// So many clients for so long, each asking once in `every`.
async fn load(world: &World, every: Duration, lasting: Duration) -> Answers {
    let leave = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask_on(
            world.system("tax", "assessment"),
            every,
            leave.clone(),
        ));
    }
    tokio::time::sleep(lasting).await;
    leave.store(true, Ordering::Relaxed);
    let mut all = Answers::default();
    for answers in clients.join_all().await {
        all.got.extend(answers.got);
        all.asked_again += answers.asked_again;
        all.refused.extend(answers.refused);
    }
    all
}

/// Gives a department's gateway a new certificate, and lets both read everything anew.
fn rotate(world: &World, department: &str, gateways: [&Gateway; 2]) {
    let year = Term::lasting(Duration::from_secs(365 * 24 * 3600), Clock::System.now());
    let issue = world
        .authority("federation")
        .issue(&spiffe(department), &[], year)
        .unwrap();
    // The key first: what is read between the two does not fit together, and the old pair stays in use.
    let folder = world.federation.certificate(department);
    issue.save(&folder, "peers").unwrap();
    for gateway in gateways {
        gateway.signal("HUP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_load_with_reloads_and_new_certificates_loses_nothing() {
    let Some(seconds) = number("LANDBRIDGE_SOAK") else {
        eprintln!("not tried: LANDBRIDGE_SOAK does not say for how many seconds");
        return;
    };
    let lasting = Duration::from_secs(seconds);
    let world = World::witnessed(100).await;
    world.amend("\"200/s\"", "\"100000/s\"");
    world.amend("50000", "4000000000");
    let (mut civil, mut tax) = world.pair().await;
    let warm = load(&world, Duration::from_micros(1), Duration::from_secs(2)).await;
    assert!(warm.refused.is_empty(), "{:?}", warm.refused);
    let capacity = u32::try_from(warm.got.len()).unwrap() / 2;
    let rate = capacity * SHARE / 100;
    let every = Duration::from_secs(1) * CLIENTS / rate.max(1);
    let before = [civil.memory(), tax.memory()];

    let begun = Instant::now();
    let rotations = async {
        let apart = ROTATION.min(lasting / 6);
        let mut rotated = 0;
        while begun.elapsed() + apart < lasting {
            tokio::time::sleep(apart).await;
            let department = ["civil", "tax"][rotated % 2];
            rotate(&world, department, [&civil, &tax]);
            rotated += 1;
        }
        rotated
    };
    let (answers, rotated) = tokio::join!(load(&world, every, lasting), rotations);
    let Answers {
        got,
        asked_again,
        refused,
    } = answers;
    assert!(
        refused.is_empty(),
        "{} errors: {:?}",
        refused.len(),
        refused.first()
    );
    assert!(
        !warm.got.is_empty() && !got.is_empty(),
        "nobody got anything"
    );
    assert!(
        asked_again * TURNED_AWAY <= got.len(),
        "{asked_again} of {} had to be asked again",
        got.len()
    );
    let after = [civil.memory(), tax.memory()];
    for gateway in [&mut tax, &mut civil] {
        gateway.stops().await;
    }
    let mut books = [Book::of("tax"), Book::of("civil")];
    books.iter_mut().for_each(|book| book.read_on(&world));
    for (exchange, what) in warm.got.iter().chain(&got) {
        assert_logged(&books[0], &books[1], *exchange, *what);
    }
    let agreed = assert_agreed(&world);
    eprintln!(
        "{lasting:?} at {rate}/s of {capacity}/s, {rotated} rotations: {} answers, no error, {asked_again} asked again, \
         both journals agree on {agreed}; memory {before:?} MiB before, {after:?} after",
        got.len()
    );
    for (before, after) in before.into_iter().zip(after) {
        assert!(
            after < before + MORE_MEMORY_MIB,
            "{after} MiB, {before} before"
        );
    }
}
