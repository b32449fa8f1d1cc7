//! Two gateways that compare their journals.

use landbridge::pb;
use landbridge::pb::journal_record::Kind;
use landbridge::pb::peer_service_client::PeerServiceClient;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::journal::Entry;
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
