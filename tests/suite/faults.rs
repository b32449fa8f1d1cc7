//! Seeded scenarios of what breaks under load: after each, nothing is lost, and service is back.
//!
//! `LANDBRIDGE_SCENARIOS` says how many (6 if it does not), `LANDBRIDGE_SEED` by which random numbers. A thousand:
//!
//!     LANDBRIDGE_SCENARIOS=1000 cargo nextest run --no-capture nothing_is_lost_whatever_breaks

use std::fs;
use std::process::Command;
use std::sync::Arc;
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
use crate::harness::crowd::Records;
use crate::harness::disk::Disk;
use crate::harness::disk::FailingDisk;
use crate::harness::gateway::Gateway;
use crate::harness::link::Line;
use crate::harness::link::Link;
use crate::harness::random::Random;
use crate::harness::random::number;
use crate::harness::random::seed;
use crate::harness::records::Resident;

const SCENARIOS: u64 = 6;
/// Within which service is back once everything works again.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// What a gateway may have more than after the first scenario.
const MORE_MEMORY_MIB: u64 = 96;
const MORE_FILES: usize = 64;

/// The gateway that is struck.
#[derive(Debug, Clone, Copy)]
enum Side {
    Provider,
    Consumer,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(Side),
    KillBoth,
    Stop(Side),
    /// The disk that its journal is on.
    Disk(Side, Disk),
    /// It gets no more memory from the system.
    MemoryShort(Side),
    /// Of the line to the provider.
    Line(Line),
    Reloads,
    /// Somebody holds the provider's database.
    SourceLocked,
}

impl Fault {
    fn draw(random: &mut Random) -> Self {
        let side = random.one_of(&[Side::Provider, Side::Consumer]);
        match random.below(15) {
            0 | 1 => Self::Kill(side),
            2 => Self::KillBoth,
            3 | 4 => Self::Stop(side),
            5 => Self::Line(Line::Silent),
            6 => Self::Line(Line::Cut),
            7 => Self::Line(Line::Slow(Duration::from_millis(5 + random.below(40)))),
            8 => Self::Reloads,
            9 => Self::SourceLocked,
            10 => Self::MemoryShort(side),
            11 => Self::Disk(side, Disk::Slow),
            12 => Self::Disk(side, Disk::Full),
            13 => Self::Disk(side, Disk::Torn),
            _ => Self::Disk(side, random.one_of(&[Disk::WritesFail, Disk::FlushesFail])),
        }
    }
}

/// The two gateways, and what is between and behind them.
struct Scene {
    world: World,
    link: Link,
    civil: Struck,
    tax: Struck,
}

/// One of the gateways, and its disk.
struct Struck {
    department: &'static str,
    disk: FailingDisk,
    gateway: Gateway,
}

impl Struck {
    async fn start(world: &World, department: &'static str) -> Self {
        let disk = FailingDisk::of(world, department);
        Self {
            department,
            gateway: start(world, department, &disk).await,
            disk,
        }
    }

    async fn start_again(&mut self, world: &World) {
        self.gateway.ended().await;
        self.gateway = start(world, self.department, &self.disk).await;
    }

    /// Gives it no more memory than it has, or as much as there is.
    fn limit_memory(&self, limited: bool) {
        let pid = self.gateway.pid();
        let sizes = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        // It may have died of the limit.
        let Some(Ok(pages)) = sizes.split(' ').next().map(str::parse::<u64>) else {
            return;
        };
        let limit = match limited {
            true => (pages * 4096).to_string(),
            false => "unlimited".to_owned(),
        };
        let told = Command::new("prlimit")
            .args([format!("--pid={pid}"), format!("--as={limit}:unlimited")])
            .output();
        told.unwrap();
    }
}

impl Scene {
    async fn set() -> Self {
        let world = World::witnessed(100).await;
        world.amend("\"200/s\"", "\"100000/s\"");
        world.amend("50000", "4000000000");
        let link = Link::to(&world, "civil").await;
        let (civil, tax) =
            tokio::join!(Struck::start(&world, "civil"), Struck::start(&world, "tax"));
        Self {
            world,
            link,
            civil,
            tax,
        }
    }

    fn struck(&mut self, side: Side) -> (&mut Struck, &World) {
        match side {
            Side::Provider => (&mut self.civil, &self.world),
            Side::Consumer => (&mut self.tax, &self.world),
        }
    }

    /// Lets it happen for a while, and ends it.
    async fn suffer(&mut self, fault: Fault, lasting: Duration) {
        match fault {
            Fault::Kill(side) => {
                let (struck, world) = self.struck(side);
                struck.gateway.signal("KILL");
                sleep(lasting).await;
                struck.start_again(world).await;
            }
            Fault::KillBoth => {
                self.civil.gateway.signal("KILL");
                self.tax.gateway.signal("KILL");
                sleep(lasting).await;
                // Each is the other's witness, and ready when that one answers.
                let world = &self.world;
                tokio::join!(self.civil.start_again(world), self.tax.start_again(world));
            }
            Fault::Stop(side) => {
                let (struck, _) = self.struck(side);
                struck.gateway.signal("STOP");
                sleep(lasting).await;
                struck.gateway.signal("CONT");
            }
            Fault::Disk(side, disk) => {
                let (struck, world) = self.struck(side);
                struck.disk.becomes(disk);
                sleep(lasting).await;
                struck.disk.becomes(Disk::Sound);
                // After an error of the disk it waits to be started anew: who knows what is on it.
                if !matches!(disk, Disk::Slow | Disk::Full) {
                    struck.gateway.signal("KILL");
                    struck.start_again(world).await;
                }
            }
            Fault::MemoryShort(side) => {
                let (struck, world) = self.struck(side);
                struck.limit_memory(true);
                sleep(lasting).await;
                struck.limit_memory(false);
                if !struck.gateway.runs() {
                    struck.start_again(world).await;
                }
            }
            Fault::Line(line) => {
                self.link.becomes(line);
                sleep(lasting).await;
                self.link.becomes(Line::Sound);
            }
            Fault::Reloads => {
                for _ in 0..20 {
                    self.civil.gateway.signal("HUP");
                    self.tax.gateway.signal("HUP");
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
    async fn recovers(&self, suffered: &[Fault]) -> Duration {
        let begun = Instant::now();
        let asker = self.world.system("tax", "assessment");
        let asked = Asked::get(&Resident(7).key());
        while let Err(refused) = asker.ask(&asked).await {
            let late = begun.elapsed() > BACK_WITHIN;
            assert!(!late, "service is not back after {suffered:?}: {refused:?}");
        }
        begun.elapsed()
    }

    /// Memory in MiB and open files, of both.
    fn weight(&self) -> [(u64, usize); 2] {
        [&self.civil, &self.tax].map(|Struck { gateway, .. }| {
            let files = fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap();
            (gateway.memory(), files.count())
        })
    }
}

async fn start(world: &World, department: &str, disk: &FailingDisk) -> Gateway {
    let mut settings = vec![("LIMITS__REQUEST_DEADLINE", "2s")];
    settings.extend(disk.settings());
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
    let (mut first, records) = (None, Arc::new(Records::default()));
    for scenario in 0..scenarios {
        let mut crowd = Crowd::at(&scene.world, &mut random, &records);
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
        slowest = slowest.max(scene.recovers(&suffered).await);
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
    for struck in [&mut scene.tax, &mut scene.civil] {
        struck.gateway.stops().await;
    }
    records.assert_released(&scene.world);
    let agreed = assert_agreed(&scene.world);
    eprintln!(
        "{scenarios} scenarios with {faults} faults: {answers} answers, all in both journals, which agree on {agreed}; \
         service was back within {slowest:?} of the last repair"
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
