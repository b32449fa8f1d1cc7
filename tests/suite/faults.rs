//! Seeded scenarios of what breaks under load: after each, nothing is lost, and service is back.
//!
//! `LANDBRIDGE_SCENARIOS` says how many (6 if it does not), `LANDBRIDGE_SEED` by which random numbers. A thousand:
//!
//!     LANDBRIDGE_SCENARIOS=1000 cargo nextest run --no-capture nothing_is_lost_whatever_breaks

use std::fs;
use std::time::Duration;
use std::time::Instant;

use landbridge::name::ExchangeId;
use tokio::time::sleep;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::books::Book;
use crate::harness::books::assert_agreed;
use crate::harness::books::assert_logged;
use crate::harness::crowd::Crowd;
use crate::harness::crowd::Got;
use crate::harness::gateway::Gateway;
use crate::harness::link::Line;
use crate::harness::link::Link;
use crate::harness::random::Random;
use crate::harness::random::number;
use crate::harness::random::seed;
use crate::harness::records::Resident;

const SCENARIOS: u64 = 6;
/// Within which service is back once everything is mended.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// What a gateway may have more than after the first scenario.
const MORE_MEMORY_MIB: u64 = 96;
const MORE_FILES: usize = 64;

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillProvider,
    KillConsumer,
    KillBoth,
    StopProvider,
    StopConsumer,
    /// Of the line to the provider.
    Line(Line),
    Reloads,
    /// Somebody holds the provider's database.
    SourceLocked,
}

impl Fault {
    fn draw(random: &mut Random) -> Self {
        match random.below(10) {
            0 => Self::KillProvider,
            1 => Self::KillConsumer,
            2 => Self::KillBoth,
            3 => Self::StopProvider,
            4 => Self::StopConsumer,
            5 => Self::Line(Line::Silent),
            6 => Self::Line(Line::Cut),
            7 => Self::Line(Line::Slow(Duration::from_millis(5 + random.below(40)))),
            8 => Self::Reloads,
            _ => Self::SourceLocked,
        }
    }
}

/// The two gateways, and what is between and behind them.
struct Scene {
    world: World,
    link: Link,
    civil: Gateway,
    tax: Gateway,
}

impl Scene {
    async fn set() -> Self {
        let world = World::witnessed(100).await;
        world.amend("\"200/s\"", "\"100000/s\"");
        world.amend("50000", "4000000000");
        let link = Link::to(&world, "civil").await;
        let (civil, tax) = tokio::join!(start(&world, "civil"), start(&world, "tax"));
        Self {
            world,
            link,
            civil,
            tax,
        }
    }

    /// Lets it happen for a while, and mends it.
    async fn suffer(&mut self, fault: Fault, lasting: Duration) {
        match fault {
            Fault::KillProvider => {
                self.civil.signal("KILL");
                sleep(lasting).await;
                self.civil = start(&self.world, "civil").await;
            }
            Fault::KillConsumer => {
                self.tax.signal("KILL");
                sleep(lasting).await;
                self.tax = start(&self.world, "tax").await;
            }
            Fault::KillBoth => {
                self.civil.signal("KILL");
                self.tax.signal("KILL");
                sleep(lasting).await;
                // Each is the other's witness, and ready when that one answers.
                let world = &self.world;
                (self.civil, self.tax) = tokio::join!(start(world, "civil"), start(world, "tax"));
            }
            Fault::StopProvider => {
                self.civil.signal("STOP");
                sleep(lasting).await;
                self.civil.signal("CONT");
            }
            Fault::StopConsumer => {
                self.tax.signal("STOP");
                sleep(lasting).await;
                self.tax.signal("CONT");
            }
            Fault::Line(line) => {
                self.link.becomes(line);
                sleep(lasting).await;
                self.link.becomes(Line::Sound);
            }
            Fault::Reloads => {
                for _ in 0..20 {
                    self.civil.signal("HUP");
                    self.tax.signal("HUP");
                    sleep(lasting / 20).await;
                }
            }
            Fault::SourceLocked => {
                let database = self.world.path("var/civil/civil.sqlite");
                let lock = rusqlite::Connection::open(database).unwrap();
                lock.busy_timeout(Duration::from_secs(5)).unwrap();
                lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
                sleep(lasting).await;
                lock.execute_batch("ROLLBACK").unwrap();
            }
        }
    }

    /// How long it takes until a look-up is answered again.
    async fn recovers(&self) -> Duration {
        let begun = Instant::now();
        let asker = self.world.system("tax", "assessment");
        let asked = Asked::get(&Resident(7).key());
        while asker.ask(&asked).await.is_err() {
            assert!(begun.elapsed() < BACK_WITHIN, "service is not back");
        }
        begun.elapsed()
    }

    /// Memory in MiB and open files, of both.
    fn weight(&self) -> [(u64, usize); 2] {
        [&self.civil, &self.tax].map(|gateway| {
            let files = fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap();
            (gateway.memory(), files.count())
        })
    }
}

async fn start(world: &World, department: &str) -> Gateway {
    let settings = [("LIMITS__REQUEST_DEADLINE", "2s")];
    world.start_with(department, &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_breaks() {
    let scenarios = number("LANDBRIDGE_SCENARIOS").unwrap_or(SCENARIOS);
    let seed = seed();
    eprintln!("{scenarios} scenarios by the random numbers of LANDBRIDGE_SEED={seed}");
    let mut random = Random::new(seed);
    let mut scene = Scene::set().await;
    let mut books = [Book::of("tax"), Book::of("civil")];
    let (mut answers, mut faults, mut slowest) = (0, 0, Duration::ZERO);
    let mut first = None;
    for scenario in 0..scenarios {
        let mut crowd = Crowd::at(&scene.world, &mut random);
        let mut got = crowd.gets(1 + random.below(40)).await;
        let mut suffered = Vec::new();
        for _ in 0..=random.below(3) {
            let fault = Fault::draw(&mut random);
            let lasting = Duration::from_millis(20 + random.below(600));
            suffered.push(fault);
            scene.suffer(fault, lasting).await;
            faults += 1;
        }
        got.extend(crowd.leaves().await);
        slowest = slowest.max(scene.recovers().await);
        for book in &mut books {
            book.read_on(&scene.world);
        }
        for (exchange, what) in &got {
            assert_all_logged(&books, *exchange, *what, scenario, &suffered);
        }
        answers += got.iter().filter(|(_, what)| *what != Got::Header).count();
        let weight = scene.weight();
        let before = *first.get_or_insert(weight);
        for ((memory, files), (memory_before, files_before)) in weight.into_iter().zip(before) {
            assert!(
                memory < memory_before + MORE_MEMORY_MIB,
                "{scenario} {suffered:?}: {memory} MiB after {memory_before}"
            );
            assert!(
                files < files_before + MORE_FILES,
                "{scenario} {suffered:?}: {files} files after {files_before}"
            );
        }
    }
    for gateway in [&mut scene.tax, &mut scene.civil] {
        gateway.stops().await;
    }
    let agreed = assert_agreed(&scene.world);
    eprintln!(
        "{scenarios} scenarios with {faults} faults: {answers} answers, all in both journals, which agree on {agreed}; \
         service was back within {slowest:?} of the last mend"
    );
    assert!(agreed >= answers as u64);
}

fn assert_all_logged(
    [tax, civil]: &[Book; 2],
    exchange: ExchangeId,
    what: Got,
    scenario: u64,
    suffered: &[Fault],
) {
    let judged = std::panic::catch_unwind(|| assert_logged(tax, civil, exchange, what));
    assert!(judged.is_ok(), "scenario {scenario}: {suffered:?}");
}
