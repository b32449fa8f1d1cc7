//! The tree over HTTP, fetched as a foreign tool fetches it.

use landbridge::reading::reader::Right;
use landbridge::tlog::merkle;

use super::reading;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;

async fn fetch(civil: &Gateway, token: &str, path: &str) -> Vec<u8> {
    let authorization = format!("Bearer {token}");
    let page = civil
        .fetch(
            &format!("/journal/{path}"),
            &[("Authorization", &authorization)],
        )
        .await;
    assert_eq!(page.status, 200, "{path}: {}", page.head);
    page.body
}

#[tokio::test]
async fn tiles_and_leaves_fetched_over_http_rebuild_the_root_of_the_checkpoint() {
    let world = World::new().await;
    let token = world.reader("civil", "lin", &[Right::Tiles]);
    let civil = world.start("civil").await;
    let counter = world.system("civil", "counter");
    for n in 1..=4 {
        let asked = Asked::get(&Resident(n).key())
            .purpose("counter-service")
            .fields(&["full_name"]);
        counter.ask(&asked).await.unwrap();
    }
    world.journal("civil").published().await;

    let note = fetch(&civil, &token, "checkpoint").await;
    let (size, root) = reading::checkpoint(std::str::from_utf8(&note).unwrap());
    assert!((5..256).contains(&size), "{size}");
    let hashes = fetch(&civil, &token, &format!("tile/0/000.p/{size}")).await;
    let hashes: Vec<[u8; 32]> = hashes.as_chunks().0.to_vec();
    let bundle = fetch(&civil, &token, &format!("tile/entries/000.p/{size}")).await;
    let leaves: Vec<_> = leaves(&bundle).into_iter().map(merkle::leaf_hash).collect();
    assert_eq!(leaves, hashes);
    let mut tree = merkle::Frontier::default();
    leaves.into_iter().for_each(|leaf| tree.push(leaf));
    assert_eq!(tree.root(), root);

    let authorization = format!("Bearer {token}");
    for path in [
        "tile/0/001",
        "tile/0/0",
        "tile/9/000.p/1",
        "tile/0/000.p/256",
        "nothing",
    ] {
        let page = civil
            .fetch(
                &format!("/journal/{path}"),
                &[("Authorization", &authorization)],
            )
            .await;
        assert_eq!(page.status, 404, "{path}");
    }
    // One for a minute, and the minute may have turned.
    let on_record = world.journal("civil").readings("lin");
    let readings = on_record.len();
    assert!((1..=2).contains(&readings), "{readings}");
    assert_eq!(on_record[0].query, "from checkpoint on, within this minute");
}

/// Each after its length, as a big-endian u16.
fn leaves(mut bundle: &[u8]) -> Vec<&[u8]> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(leaf);
        bundle = rest;
    }
    leaves
}
