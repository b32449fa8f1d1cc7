//! Floods of those who show no certificate: whoever has one is let in all the while, from another address and the same.

use std::collections::VecDeque;
use std::io::Write;
use std::net::Ipv4Addr;
use std::slice;
use std::time::Duration;
use std::time::Instant;

use landbridge::clock::Clock;
use landbridge::identity::pki::Authority;
use landbridge::identity::pki::Term;
use landbridge::reading::reader::Right;
use rustls::ClientConnection;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Dial;
use crate::harness::client::Shown;
use crate::harness::records::Resident;
use crate::harness::spiffe;

const ATTACKER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Half handshakes that are held open, so that the test has file handles for others.
const HELD: usize = 6_000;

/// Connections that have sent a whole ClientHello and never go on.
struct HalfHandshakes<'a> {
    stranger: &'a Dial,
    hello: Vec<u8>,
    held: VecDeque<TcpStream>,
}

impl<'a> HalfHandshakes<'a> {
    fn of(stranger: &'a Dial) -> Self {
        let mut hello = Vec::new();
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(stranger.config(), name).unwrap();
        client.write_tls(&mut hello).unwrap();
        Self {
            stranger,
            hello,
            held: VecDeque::new(),
        }
    }

    /// So many more, at that rate or as fast as it goes.
    async fn come(&mut self, number: usize, per_second: usize) {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 0..number {
            if n % per_second.div_ceil(100) == 0 {
                ticks.tick().await;
            }
            let mut tcp = self.stranger.tcp().await.unwrap();
            tcp.write_all(&self.hello).await.unwrap();
            self.held.push_back(tcp);
            if self.held.len() > HELD {
                self.held.pop_front();
            }
        }
    }
}

/// How long each of them took to be let in, one after the other; nothing for one that was not.
async fn come(dials: &[Dial], times: usize, pause: Duration) -> Vec<Option<Duration>> {
    let mut entries = Vec::new();
    for dial in dials.iter().cycle().take(times) {
        let begun = Instant::now();
        entries.push(dial.is_let_in().await.then(|| begun.elapsed()));
        tokio::time::sleep(pause).await;
    }
    entries
}

/// The dial, from another address and from the attacker's.
fn from_both(dial: &Dial) -> [Dial; 2] {
    [dial.clone().from(ELSEWHERE), dial.clone().from(ATTACKER)]
}

/// More half handshakes at once than there are places, and hundreds a second from then on.
async fn withstands(stranger: &Dial, honest: &Dial) {
    let mut strangers = HalfHandshakes::of(stranger);
    strangers.come(2_000, 100_000).await;
    let (honest, pause) = (from_both(honest), Duration::from_millis(40));
    let flood = strangers.come(900, 300);
    let ((), entries) = tokio::join!(flood, come(&honest, 40, pause));
    let let_in = entries.iter().flatten().count();
    assert_eq!(let_in, 40, "{entries:?}");
}

#[tokio::test]
async fn thousands_of_half_handshakes_keep_no_peer_out() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    let (stranger, peer) = (world.peers_door("civil", None), world.peer("tax", "civil"));
    withstands(&stranger.dial, &peer.dial).await;
    assert!(civil.memory() < 250, "{} MiB", civil.memory());
}

#[tokio::test]
async fn thousands_of_half_handshakes_keep_no_system_out() {
    let world = World::new().await;
    let tax = world.start("tax").await;
    let (stranger, system) = (
        world.systems_door("tax", None),
        world.system("tax", "assessment"),
    );
    withstands(&stranger.dial, &system.dial).await;
    assert!(tax.memory() < 250, "{} MiB", tax.memory());
}

/// A certificate by a CA that nobody here trusts.
fn foreign(world: &World) -> Shown {
    let now = Clock::System.now();
    let mut other = Authority::create(&world.path("foreign"), "Another CA", now).unwrap();
    let term = Term::lasting(Duration::from_secs(3_600), now);
    let forged = other.issue(&spiffe("tax/assessment"), &[], term).unwrap();
    Shown::from_pem(&forged.certificate, &forged.key)
}

#[tokio::test]
async fn every_kind_of_stranger_at_once_keeps_nobody_out_and_fills_no_log() {
    let world = World::new().await;
    let (_civil, mut tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("LIMITS__MAX_HANDSHAKES", "256")])
    );
    let nobody = world.systems_door("tax", None).dial;
    let forger = world.systems_door("tax", Some(foreign(&world))).dial;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    let silence = async {
        let mut silent = Vec::new();
        for _ in 0..300 {
            silent.push(nobody.tcp().await.unwrap());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        silent
    };
    let dripping = async {
        let mut drips = Vec::new();
        for _ in 0..50 {
            drips.push(nobody.tcp().await.unwrap());
        }
        // The head of a record that never comes to its end, byte by byte. Most are closed in the midst of it.
        for byte in [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3] {
            for tcp in &mut drips {
                let _ = tcp.write_all(&[byte]).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drips
    };
    let whole = async {
        for _ in 0..40 {
            assert!(!nobody.is_let_in().await);
            assert!(!forger.is_let_in().await);
        }
    };
    let honest = from_both(&system.dial);
    let mut half = HalfHandshakes::of(&nobody);
    let (_silent, _drips, (), (), entries) = tokio::join!(
        silence,
        dripping,
        whole,
        half.come(500, 300),
        come(&honest, 20, Duration::from_millis(30))
    );
    assert_eq!(entries.iter().flatten().count(), 20, "{entries:?}");
    system.ask(&asked).await.unwrap();

    // Each is counted, and the first ten of each reason have a line.
    let reasons = ["DISPLACED", "NO_CERTIFICATE", "UNKNOWN_ISSUER"];
    let metrics = tax.page("/metrics").await.1;
    for reason in reasons {
        let name =
            format!("landbridge_handshakes_refused_total{{door=\"systems\",reason=\"{reason}\"}} ");
        let times = metrics.lines().find_map(|line| line.strip_prefix(&name));
        let times: u64 = times.expect(reason).parse().unwrap();
        assert!(times >= 40, "{reason}: {times}");
        let lines = tax.log_text();
        let is_of = |line: &&str| line.contains("\"connection refused\"") && line.contains(reason);
        assert_eq!(lines.lines().filter(is_of).count(), 10, "{reason}");
    }
    tax.stops().await;
    let counted = tax.told("more connections refused").await;
    assert_eq!(counted["reason"], "DISPLACED");
    assert!(counted["times"].as_u64().unwrap() >= 30, "{counted}");
    assert_eq!(counted["most_from"], "127.0.0.1");
}

#[tokio::test]
async fn a_holder_who_is_refused_again_and_again_fills_no_journal() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    // A system at the peers' door has a good certificate, and the wrong one.
    let now = Clock::System.now();
    let shown = world.issue(
        "federation",
        "tax/assessment",
        Term::lasting(Duration::from_secs(3_600), now),
    );
    let refused = world.peers_door("civil", Some(shown)).dial;
    for _ in 0..30 {
        assert!(!refused.is_let_in().await);
    }
    civil.stops().await;
    let journal = world.journal("civil");
    let entries = journal.entries();
    let times: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            landbridge::pb::journal_record::Kind::Connection(connection) => Some(connection.times),
            _ => None,
        })
        .collect();
    assert_eq!(times, [vec![0; 10], vec![20]].concat());
    journal.verified();
}

#[tokio::test]
async fn half_requests_at_the_operators_door_keep_nobody_out() {
    let world = World::new().await;
    let token = world.reader("tax", "auditor", &[Right::Tiles]);
    let tax = world.start("tax").await;
    let connect = || TcpStream::connect(("127.0.0.1", world.ports("tax").operators));
    let ask = format!(
        "GET /journal/checkpoint HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let mut reader = connect().await.unwrap();
    let mut head = [0; 9];
    reader.write_all(ask.as_bytes()).await.unwrap();
    reader.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 ");

    let mut half = Vec::new();
    for n in 0..600 {
        let mut tcp = connect().await.unwrap();
        let begun: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /livez HTTP/1.1\r\nHost: loc",
            _ => b"POST /console/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nname=",
        };
        tcp.write_all(begun).await.unwrap();
        half.push(tcp);
        if n % 50 == 0 {
            assert_eq!(tax.page("/livez").await.0, 200);
        }
    }
    // The first of them had to go; whoever has shown a token stays.
    let mut rest = Vec::new();
    let closed = half[0].read_to_end(&mut rest);
    assert!(timeout(PATIENCE, closed).await.is_ok(), "it stays open");
    reader.write_all(ask.as_bytes()).await.unwrap();
    let mut read = vec![0; 64 * 1024];
    assert!(reader.read(&mut read).await.unwrap() > 0);
    // Who has asked for nothing is closed soon, wherever there is room.
    let closed = half[597].read_to_end(&mut rest);
    assert!(timeout(PATIENCE, closed).await.is_ok(), "it stays open");
}

/// What `docs/overload.md` has: `cargo nextest run --test suite --run-ignored only --no-capture floods`.
#[tokio::test]
#[ignore = "a measurement, of some minutes"]
async fn floods_as_they_were_measured() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    let (stranger, peer) = (
        world.peers_door("civil", None).dial,
        world.peer("tax", "civil").dial,
    );
    for (number, per_second) in [(0, 100), (29_000, 6_000), (4_500, 150), (9_000, 300)] {
        for honest in from_both(&peer) {
            let mut strangers = HalfHandshakes::of(&stranger);
            let coming = come(slice::from_ref(&honest), 58, Duration::from_millis(80));
            let begun = Instant::now();
            let flood = async {
                strangers.come(number, per_second).await;
                begun.elapsed()
            };
            let (took, entries) = tokio::join!(flood, coming);
            let mut times: Vec<_> = entries.iter().flatten().collect();
            times.sort();
            let mut out = std::io::stdout();
            writeln!(
                out,
                "{number} in {took:?}: {} of 58, median {:?}, longest {:?}, {} MiB",
                times.len(),
                times.get(times.len() / 2),
                times.last(),
                civil.memory()
            )
            .unwrap();
        }
    }
}
