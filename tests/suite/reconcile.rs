//! Two gateways that compare their journals.

use std::process::Command;
use std::time::Duration;

use landbridge::clock::Clock;
use landbridge::pb;
use landbridge::pb::journal_record::Kind;
use landbridge::pb::peer_service_client::PeerServiceClient;
use tonic::Code;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::journal::Entry;
use crate::harness::records;
use crate::harness::records::Resident;

/// Windows of a second, compared a second after their end.
const SOON: [(&str, &str); 2] = [
    ("RECONCILIATION__WINDOW", "1s"),
    ("RECONCILIATION__AFTER", "1s"),
];

fn reconciled(entry: &Entry, side: &str) -> Option<pb::ReconciliationRecord> {
    match &entry.kind {
        Kind::Reconciliation(record) if record.side == side => Some(record.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_question_about_journals_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let mut client = PeerServiceClient::new(world.peer("tax", "civil").dial.channel());
    let window = |start_ms, length_ms| {
        Some(pb::Window {
            start_ms,
            length_ms,
        })
    };
    let root = |bytes| {
        Some(pb::ExchangeSummary {
            count: 0,
            root: vec![0; bytes].into(),
        })
    };
    for (window, all, code) in [
        (None, root(32), Code::InvalidArgument),
        (window(1, 60_000), root(32), Code::InvalidArgument),
        (window(0, 86_400_000), root(32), Code::InvalidArgument),
        (window(60_000, 60_000), root(31), Code::InvalidArgument),
        (window(60_000, 60_000), None, Code::InvalidArgument),
        // It is not over yet.
        (
            window(9_000_000_000_000, 60_000),
            root(32),
            Code::Unavailable,
        ),
    ] {
        let asked = pb::CompareExchangesRequest { window, all };
        let refused = client.compare_exchanges(asked.clone()).await.unwrap_err();
        assert_eq!(refused.code(), code, "{asked:?}");
    }
    let parts = pb::SettleExchangesRequest {
        window: window(60_000, 60_000),
        all: root(32),
        parts: vec![0; 257].into(),
        items: Vec::new(),
    };
    let refused = client.settle_exchanges(parts).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let compared = |entry: &Entry| matches!(entry.kind, Kind::Reconciliation(_));
    assert!(!world.journal("civil").entries().iter().any(compared));
}

#[tokio::test]
async fn both_gateways_put_on_record_that_their_journals_agree() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let _tax = world.start_with("tax", &SOON).await;
    let asked = Asked::get(&Resident(7).key());
    world.system("tax", "assessment").ask(&asked).await.unwrap();

    let (tax, civil) = (world.journal("tax"), world.journal("civil"));
    let at_tax = tax.awaits(|entry| reconciled(entry, "consumer")).await;
    let at_civil = civil.awaits(|entry| reconciled(entry, "provider")).await;
    assert_eq!(
        (at_tax.peer.as_str(), at_civil.peer.as_str()),
        ("civil", "tax")
    );
    for record in [&at_tax, &at_civil] {
        assert_eq!(
            (record.count, record.peer_count, record.differing),
            (1, 1, 0)
        );
        assert_eq!(record.root, at_tax.peer_root);
        assert_eq!(record.window_start_ms, at_tax.window_start_ms);
    }
    tax.verified();
    civil.verified();
}

/// The windows that a side has compared in which it had exchanges: when each begins, its count and differences.
fn compared(world: &World, department: &str, side: &str) -> Vec<(u64, u64, u64)> {
    let entries = world.journal(department).entries();
    let records = entries.iter().filter_map(|entry| reconciled(entry, side));
    records
        .map(|record| (record.window_start_ms, record.count, record.differing))
        .collect()
}

#[tokio::test]
async fn a_stream_that_the_provider_ends_by_an_error_holds_up_no_comparison() {
    let world = World::new().await;
    let broken = "UPDATE residents SET full_name = x'ff' WHERE resident_id = 'R0000000007'";
    records::run(&world.path("var/civil/civil.sqlite"), broken).await;
    let _civil = world.start("civil").await;
    let _tax = world.start_with("tax", &SOON).await;
    let system = world.system("tax", "assessment");
    let refused = system.ask(&Asked::query("")).await.err().unwrap();
    assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");

    let (tax, civil) = (world.journal("tax"), world.journal("civil"));
    let at_tax = tax.awaits(|entry| reconciled(entry, "consumer")).await;
    let at_civil = civil.awaits(|entry| reconciled(entry, "provider")).await;
    for record in [&at_tax, &at_civil] {
        let counts = (record.count, record.peer_count, record.differing);
        assert_eq!(counts, (1, 1, 0), "both count it");
    }
    // And what comes after it is compared, too.
    system.ask(&Asked::get(&Resident(9).key())).await.unwrap();
    let later = |entry: &Entry| {
        reconciled(entry, "consumer").filter(|r| r.window_start_ms > at_tax.window_start_ms)
    };
    assert_eq!(tax.awaits(later).await.differing, 0);
}

/// However an exchange ends, the two either count it alike or say what is the matter with it.
#[tokio::test]
async fn exchanges_that_end_in_any_way_are_compared() {
    let world = World::with_bulk(300).await;
    let mut civil = world.start("civil").await;
    let _tax = world.start_with("tax", &SOON).await;
    let system = world.system("tax", "assessment");
    // Answered, refused, no such record, and cut by whoever asked.
    let get = |n| Asked::get(&Resident(n).key());
    system.ask(&get(7)).await.unwrap();
    system.ask(&get(7).fields(&["phone"])).await.err().unwrap();
    system.ask(&Asked::get("R9999999999")).await.err().unwrap();
    let stream = system
        .open(&Asked::query("").fields(&["former_names"]))
        .await;
    drop(stream.unwrap());
    // And cut by the provider's end, which closes it at its next start.
    let stream = system
        .open(&Asked::query("").fields(&["former_names"]))
        .await;
    let stream = stream.unwrap();
    civil.kill();
    drop(stream);
    civil = world.start("civil").await;
    let answered = async {
        // The connection to the one that died is found out first.
        while system.ask(&get(9)).await.is_err() {}
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap();

    let last = world.journal("tax").entries();
    let last = last.iter().rev().find_map(|entry| entry.leaf.exchange);
    let last = last.unwrap().millis();
    let after = |entry: &Entry| {
        reconciled(entry, "consumer").filter(|r| r.window_start_ms + u64::from(r.window_ms) > last)
    };
    let journal = world.journal("tax");
    journal.awaits(after).await;
    let alarms = journal
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.kind {
            Kind::Reconciliation(record) => Some(record),
            _ => None,
        });
    for record in alarms {
        for difference in record.differences {
            assert!(
                !["altered", "missing"].contains(&difference.class.as_str()),
                "{difference:?}"
            );
        }
    }
    drop(civil);
}

async fn becomes(gateway: &Gateway, is: impl Fn(&str) -> bool) -> String {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            let (status, body) = gateway.page("/readyz").await;
            assert_eq!(status, 200, "it goes on answering");
            if is(&body) {
                return body;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

#[tokio::test]
async fn what_is_not_compared_for_too_long_is_an_alarm_until_it_is() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    let at_once = [
        ("RECONCILIATION__WINDOW", "1s"),
        ("RECONCILIATION__AFTER", "0s"),
    ];
    let tax = world.start_with("tax", &at_once).await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();
    civil.kill();
    system.ask(&asked).await.err().unwrap();

    let told = becomes(&tax, |body| body.contains("alarm:")).await;
    assert!(
        told.starts_with("ready\nalarm: the journal of civil has not been compared since "),
        "{told}"
    );
    let uncompared = |entry: &Entry| {
        reconciled(entry, "consumer").filter(|record| !record.uncompared.is_empty())
    };
    let record = world.journal("tax").awaits(uncompared).await;
    assert_eq!((record.peer.as_str(), record.differing), ("civil", 0));
    let (_, metrics) = tax.page("/metrics").await;
    let gauge = "landbridge_reconciliation_overdue_seconds{peer=\"civil\"} ";
    let age = metrics.lines().find_map(|line| line.strip_prefix(gauge));
    assert!(age.unwrap().parse::<f64>().unwrap() > 0.0, "{age:?}");

    let _civil = world.start("civil").await;
    assert_eq!(
        becomes(&tax, |body| !body.contains("alarm:")).await,
        "ready\n"
    );
    let compared = compared(&world, "tax", "consumer");
    let counts: u64 = compared.iter().map(|(_, count, _)| count).sum();
    assert_eq!(counts, 1, "{compared:?}");
}

#[tokio::test]
async fn a_peers_invented_claims_are_one_entry_with_a_count() {
    const CLAIMS: u64 = 200;
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let mut client = PeerServiceClient::new(world.peer("tax", "civil").dial.channel());
    let now = Clock::System.now().millis() as u64;
    for n in 0..CLAIMS {
        let start_ms = now / 1_000 * 1_000 - 10_000 - n * 1_000;
        let mut exchange_id = [7; 16];
        exchange_id[..6].copy_from_slice(&start_ms.to_be_bytes()[2..]);
        exchange_id[6] = 0x70;
        exchange_id[8] = 0x80;
        let claim = pb::SettleExchangesRequest {
            window: Some(pb::Window {
                start_ms,
                length_ms: 1_000,
            }),
            all: Some(pb::ExchangeSummary {
                count: 1,
                root: vec![7; 32].into(),
            }),
            parts: vec![7].into(),
            items: vec![pb::ExchangeItem {
                exchange_id: exchange_id.to_vec().into(),
                digest: vec![7; 32].into(),
                standing: pb::ExchangeStanding::Shared.into(),
            }],
        };
        let answer = client.settle_exchanges(claim).await.unwrap();
        assert!(answer.into_inner().items.is_empty());
    }
    let claims = || compared(&world, "civil", "provider");
    assert_eq!(claims().len(), 1, "the first one");
    civil.stops().await;
    let entries = world.journal("civil").entries();
    let told: Vec<_> = entries
        .iter()
        .filter_map(|entry| reconciled(entry, "provider"))
        .collect();
    // The turn of an hour parts them.
    assert!((2..=4).contains(&told.len()), "{told:?}");
    let sums = told.iter().filter(|record| record.unfounded > 0);
    let (windows, exchanges) = sums.fold((0, 0), |(windows, exchanges), record| {
        (windows + record.unfounded, exchanges + record.differing)
    });
    assert_eq!((windows, exchanges), (CLAIMS, CLAIMS));
    let errors = civil
        .log_text()
        .lines()
        .filter(|line| line.contains("\"ERROR\""))
        .count();
    assert!(errors <= 4, "{errors} lines");
    world.journal("civil").verified();
}

#[tokio::test]
async fn more_items_than_a_message_may_tell_are_refused() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let mut client = PeerServiceClient::new(world.peer("tax", "civil").dial.channel());
    let item = pb::ExchangeItem::default();
    let claim = pb::SettleExchangesRequest {
        window: Some(pb::Window {
            start_ms: 60_000,
            length_ms: 60_000,
        }),
        all: Some(pb::ExchangeSummary {
            count: 15_000,
            root: vec![7; 32].into(),
        }),
        parts: vec![1, 2].into(),
        items: vec![item; 15_000],
    };
    let refused = client.settle_exchanges(claim).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("items"), "{refused}");
}

/// The sample has an agreement of civil with itself.
#[tokio::test]
async fn a_gateway_does_not_ask_its_own_department() {
    let world = World::new().await;
    let policy = std::fs::read_dir(world.path("config/civil/agreements")).unwrap();
    let own = policy.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with("CIV-CIV")
    });
    assert_eq!(own.count(), 1);
    let quick = [SOON[0], SOON[1], ("REGISTRY__SYNC", "1s")];
    let mut civil = world.start_with("civil", &quick).await;
    let tax = world.start_with("tax", &quick).await;
    // A comparison with another department shows that rounds have passed.
    let asked = Asked::get(&Resident(7).key());
    world.system("tax", "assessment").ask(&asked).await.unwrap();
    let journal = world.journal("tax");
    journal.awaits(|entry| reconciled(entry, "consumer")).await;
    drop(tax);
    civil.stops().await;
    let refused = |entry: &Entry| matches!(entry.kind, Kind::Connection(_));
    assert!(!world.journal("civil").entries().iter().any(refused));
    let about = |line: &&str| line.contains("\"peer\":\"civil\"") || line.contains("to itself");
    let log = civil.log_text();
    assert_eq!(log.lines().find(about), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journals_of_gateways_under_load_are_compared_without_a_false_alarm() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let keys = ["tax", "civil"].map(|of| world.journal(of).vkey().to_string());
    let dirs = ["tax", "civil"].map(|of| world.journal(of).dir().to_owned());
    let compare = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
        command.args(["audit", "reconcile", "--json"]).args(&dirs);
        command.args(["--vkey", &keys[0], "--vkey", &keys[1]]);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let system = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key());
    let (query, runs) = (Asked::query(""), 3);
    let mut compared =
        tokio::task::spawn_blocking(move || (0..runs).map(|_| compare()).collect::<Vec<_>>());
    let told = loop {
        let load = async {
            // Beyond the rate of the grant they are refused: an exchange like any other.
            let _ = system.ask(&asked).await;
            let _ = system.ask(&query).await;
        };
        tokio::select! {
            told = &mut compared => break told.unwrap(),
            () = load => {}
        }
    };
    assert_eq!(told.len(), runs);
    for (code, told) in told {
        assert_eq!(code, Some(0), "{told}");
    }
}
