use super::writer::Growth;
use super::writer::TileWriter;
use super::*;
use crate::journal::disk::RealDisk;
use crate::journal::testing::Flaky;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::open;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;
use crate::tlog::merkle::Frontier;
use crate::tlog::testing::TESSERA_ENTRIES;

fn leaf(n: u64) -> [u8; LEAF_BYTES] {
    let mut leaf = [0; LEAF_BYTES];
    leaf[..8].copy_from_slice(&n.to_be_bytes());
    leaf
}

/// A tree of `size` leaves, written in lots.
fn write(dir: &Path, from: u64, size: u64, lot: u64) {
    let layout = Layout::new(dir);
    std::fs::create_dir_all(layout.hash_dir()).unwrap();
    let mut writer = TileWriter::open(&RealDisk, &layout, from).unwrap();
    let mut tree = Frontier::default();
    (0..from).for_each(|n| tree.push(merkle::leaf_hash(&leaf(n))));
    let mut at = from;
    while at < size {
        let end = (at + lot).min(size);
        let leaves: Vec<_> = (at..end).map(leaf).collect();
        let mut growth = Growth::default();
        for leaf in &leaves {
            growth.push(&mut tree, merkle::leaf_hash(leaf));
        }
        writer.append(leaves.as_flattened(), &growth).unwrap();
        at = end;
    }
    writer.flush().unwrap();
}

fn root(size: u64) -> Hash {
    let mut frontier = Frontier::default();
    (0..size).for_each(|n| frontier.push(merkle::leaf_hash(&leaf(n))));
    frontier.root()
}

#[test]
fn paths_are_those_of_the_specification() {
    let hashes = |level, n, width| TilePath::Hashes { level, n, width };
    let entries = |n, width| TilePath::Entries { n, width };
    let cases = [
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(0, 273, 112), "tile/0/273.p/112"),
        (hashes(1, 1, 17), "tile/1/001.p/17"),
        (hashes(15, 455_667, 256), "tile/15/x455/667"),
        (entries(0, 255), "tile/entries/000.p/255"),
        (entries(1, 1), "tile/entries/001.p/1"),
        (entries(123_456_789, 256), "tile/entries/x123/x456/789"),
    ];
    for (path, text) in cases {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
    }
}

#[test]
fn a_path_that_names_no_tile_is_refused() {
    let cases = [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/234",
        "tile/0/1234",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/-1/000",
        "tile/entries/x1/000",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ];
    for text in cases {
        assert_eq!(text.parse::<TilePath>(), Err(BadTilePath), "{text}");
    }
}

#[test]
fn a_tree_of_70_000_leaves_has_the_tiles_that_the_specification_names() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0, 70_000, 999);
    let tiles = Tiles::open(dir.path());
    assert_eq!(tiles.root(70_000).unwrap(), root(70_000));
    for path in [
        "tile/0/272",
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ] {
        let path: TilePath = path.parse().unwrap();
        let TilePath::Hashes { width, .. } = path else {
            panic!("not a tile of hashes")
        };
        assert_eq!(
            tiles.read(path).unwrap().len(),
            usize::from(width) * 32,
            "{path}"
        );
    }
    for path in [
        "tile/0/273.p/113",
        "tile/1/001.p/18",
        "tile/2/000.p/2",
        "tile/3/000.p/1",
        "tile/9/000.p/1",
    ] {
        let read = tiles.read(path.parse().unwrap());
        assert!(matches!(read, Err(TileError::Beyond)), "{path}");
    }
    // A hash of the second level is the root of a full tile of the first.
    assert_eq!(tiles.hash_tile(1, 0, 1).unwrap(), root(256));
}

#[test]
fn a_bundle_holds_each_leaf_after_its_length() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0, 300, 300);
    let bundle = Tiles::open(dir.path()).entry_bundle(1, 44).unwrap();
    assert_eq!(bundle.len(), 44 * 146);
    assert_eq!(bundle[..2], [0, 144]);
    assert_eq!(bundle[2..146], leaf(256));
    assert_eq!(bundle[43 * 146 + 2..], leaf(299));
}

#[test]
fn proofs_are_made_from_tiles() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0, 600, 77);
    let tiles = Tiles::open(dir.path());
    for (index, size) in [
        (0, 600),
        (255, 600),
        (256, 600),
        (599, 600),
        (300, 301),
        (0, 1),
    ] {
        let path = tiles.inclusion(index, size).unwrap();
        let proven = merkle::verify_inclusion(
            &merkle::leaf_hash(&leaf(index)),
            index,
            size,
            &path,
            &root(size),
        );
        assert_eq!(proven, Ok(()), "{index} of {size}");
    }
    for (old, new) in [(1, 600), (256, 600), (511, 512), (257, 600)] {
        let proof = tiles.consistency(old, new).unwrap();
        let proven = merkle::verify_consistency((old, &root(old)), (new, &root(new)), &proof);
        assert_eq!(proven, Ok(()), "{old} to {new}");
    }
    assert!(matches!(tiles.inclusion(600, 600), Err(TileError::Beyond)));
    assert!(matches!(tiles.inclusion(0, 601), Err(TileError::Beyond)));
    assert!(matches!(
        tiles.consistency(601, 600),
        Err(TileError::Beyond)
    ));
}

#[test]
fn a_tree_is_gone_on_with_at_any_size() {
    for stop in [1, 255, 256, 257, 600] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, stop, 100);
        write(dir.path(), stop, 700, 100);
        assert_eq!(
            Tiles::open(dir.path()).root(700).unwrap(),
            root(700),
            "stopped at {stop}"
        );
    }
    // And what stood after the size is gone.
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0, 700, 100);
    write(dir.path(), 500, 500, 100);
    assert!(matches!(
        Tiles::open(dir.path()).hash_tile(0, 1, 245),
        Err(TileError::Beyond)
    ));
    assert_eq!(Tiles::open(dir.path()).root(500).unwrap(), root(500));
}

#[test]
fn the_tile_and_the_bundle_of_the_test_log_of_tessera_are_rebuilt() {
    // tile/0/000.p/15 and tile/entries/000.p/15, written out by the specification.
    let mut expected = (Vec::new(), Vec::new());
    for entry in TESSERA_ENTRIES {
        let hash = <sha2::Sha256 as sha2::Digest>::digest([&[0], entry.as_bytes()].concat());
        expected.0.extend_from_slice(&hash);
        expected.1.extend([0, entry.len() as u8]);
        expected.1.extend(entry.bytes());
    }
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path());
    std::fs::create_dir_all(layout.hash_dir()).unwrap();
    let mut writer = TileWriter::open(&RealDisk, &layout, 0).unwrap();
    let mut tree = Frontier::default();
    for entry in TESSERA_ENTRIES {
        let mut growth = Growth::default();
        growth.push(&mut tree, merkle::leaf_hash(entry.as_bytes()));
        // This journal's leaves have another length; the tree knows their hashes only.
        writer.append(&[0; LEAF_BYTES], &growth).unwrap();
    }
    writer.flush().unwrap();
    let tile = Tiles::open(dir.path())
        .read("tile/0/000.p/15".parse().unwrap())
        .unwrap();
    assert_eq!(tile, expected.0);
    assert_eq!(
        bundle(TESSERA_ENTRIES.iter().map(|entry| entry.as_bytes())),
        expected.1
    );
}

#[test]
fn a_bundle_is_that_of_the_worked_vectors() {
    let entries: Vec<String> = (0..7).map(|n| format!("entry {n}")).collect();
    assert_eq!(
        crate::digest::hex(&bundle(entries.iter().map(|entry| entry.as_bytes()))),
        "0007656e74727920300007656e74727920310007656e74727920320007656e74727920330007656e74727920340007656e74727920350007656e7472792036"
    );
}

#[tokio::test]
async fn a_journal_proves_each_of_its_entries() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    let mut leaves = Vec::new();
    for n in 0..5 {
        leaves.push(*journal.append(exchange(n)).await.unwrap().leaf());
    }
    journal.close();
    let checkpoint = journal.published();
    assert_eq!(checkpoint.size(), 5);
    let tiles = Tiles::open(dir.path());
    for (index, leaf) in (0..).zip(&leaves) {
        let mut proof = tiles.proof(index, &checkpoint).unwrap();
        proof.extra = Some(leaf.to_vec());
        let read: Proof = proof.to_string().parse().unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.prove(leaf, &[vkey()]), Ok((*checkpoint).clone()));
    }
    assert!(matches!(
        tiles.proof(5, &checkpoint),
        Err(TileError::Beyond)
    ));
}
