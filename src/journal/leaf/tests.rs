use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::digest::record_commitment;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap() as u8;
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| digit(high) << 4 | digit(low))
        .collect()
}

fn digest() -> Hash {
    unhex("7ed29d7932b4af99a8c7a3adda6a09fdbae64cee6b87d566af3bc684b6ee4c27")
        .try_into()
        .unwrap()
}

fn provider() -> Leaf {
    Leaf {
        kind: Kind::Exchange,
        role: Role::Provider,
        outcome: Outcome::Answered,
        time: Moment::from_micros(1_760_000_000_123_456),
        exchange: Some("0199e2f0-a1b0-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap()),
        exchange_digest: digest(),
        record_commitment: record_commitment(&[0x22; 32], b"provider record"),
        peer: None,
        asker: None,
    }
}

fn consumer() -> Leaf {
    Leaf {
        role: Role::Consumer,
        time: Moment::from_micros(1_760_000_000_125_000),
        record_commitment: record_commitment(&[0x33; 32], b"consumer record"),
        peer: Some(PeerEntry {
            log: log_id("gw.tax.example/audit"),
            index: 1_234_067,
            leaf_hash: leaf_hash(&provider().encode()),
        }),
        ..provider()
    }
}

// The leaves of the draft, under this format's own magic and tags; computed with Python's hashlib.
#[test]
fn leaves_have_the_bytes_and_hashes_that_others_compute() {
    assert_eq!(
        hex(&leaf_hash(&provider().encode())),
        "1e9ca18f686cd18df7dfe33a464632c160377cdef330b7408735f917b1012815"
    );
    assert_eq!(
        hex(&consumer().encode()),
        "4c424a3101010100000640b5eecfe8480199e2f0a1b07c3d8e4f5a6b7c8d9e0f7ed29d7932b4af99a8c7a3adda6a09fdbae64cee6b87d566af3bc684b6ee4c2768848ede9f062aa4cc9250266fb8aefb7168c214b3b15f3772ab2abae1b4826659aa33a3c4a78a9b000000000012d4931e9ca18f686cd18df7dfe33a464632c160377cdef330b7408735f917b1012815"
    );
    assert_eq!(
        hex(&leaf_hash(&consumer().encode())),
        "a6f2ecf449dd57ac782e7da33da606abcd2f4299611deda1481d9b0c19a2f173"
    );
}

#[test]
fn a_leaf_is_read_as_it_was_written() {
    for leaf in [
        provider(),
        consumer(),
        Leaf {
            asker: Some(log_id("gov.example/tax/1")),
            ..provider()
        },
        Leaf {
            exchange: None,
            role: Role::None,
            ..provider()
        },
    ] {
        assert_eq!(Leaf::parse(&leaf.encode()), Ok(leaf));
    }
}

#[test]
fn bytes_that_are_no_leaf_are_refused_with_what_is_wrong() {
    let cases: [(usize, u8, &str); 6] = [
        (0, b'X', "it does not begin with `LBJ1`"),
        (4, 99, "its kind is unknown"),
        (5, 9, "its role is unknown"),
        (6, 99, "its outcome is unknown"),
        (7, 1, "its unused byte is not zero"),
        (8, 0x80, "its time is out of range"),
    ];
    for (at, byte, fault) in cases {
        let mut bytes = provider().encode();
        bytes[at] = byte;
        assert_eq!(Leaf::parse(&bytes), Err(BadLeaf(fault)));
    }
    let mut half_a_peer = provider().encode();
    half_a_peer[143] = 1;
    assert_eq!(
        Leaf::parse(&half_a_peer),
        Err(BadLeaf("it names a peer's leaf without its index"))
    );
    assert_eq!(Leaf::parse(&[0; 143]), Err(BadLeaf("it has not 144 bytes")));
    assert_eq!(Leaf::parse(&[0; 145]), Err(BadLeaf("it has not 144 bytes")));
}

#[test]
fn every_code_reads_back_and_words_differ() {
    for &kind in Kind::ALL {
        assert_eq!(Kind::from_code(kind.code()), Some(kind));
    }
    let words: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), 12);
    for never_written in [0, 5, 7, 8, 16] {
        assert_eq!(Kind::from_code(never_written), None);
    }
    for &outcome in Outcome::ALL {
        assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
    }
    for &role in Role::ALL {
        assert_eq!(Role::from_code(role.code()), Some(role));
    }
}

proptest! {
    #[test]
    fn a_leaf_has_one_form(bytes in prop::collection::vec(any::<u8>(), 144), kind in prop::sample::select(Kind::ALL), role in 0..3u8, outcome in 0..7u8) {
        let mut bytes = bytes;
        bytes[..4].copy_from_slice(b"LBJ1");
        bytes[4..9].copy_from_slice(&[kind.code(), role, outcome, 0, 0]);
        let leaf = Leaf::parse(&bytes).unwrap();
        prop_assert_eq!(&leaf.encode()[..], &bytes[..]);
    }
}
