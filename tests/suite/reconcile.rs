//! Two gateways that compare their journals.

use landbridge::pb;
use landbridge::pb::journal_record::Kind;

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
