//! Whatever bytes come from outside, the readers of formats give an error, not a panic; what they accept they write again.

use proptest::prelude::*;

use crate::clock::Moment;
use crate::journal::leaf::LEAF_BYTES;
use crate::journal::leaf::Leaf;
use crate::journal::testing::ORIGIN;
use crate::journal::testing::key;
use crate::journal::testing::keys;
use crate::journal::testing::vkey;
use crate::journal::tiles::TilePath;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::cosignature::cosignatures;
use crate::tlog::merkle;
use crate::tlog::note;
use crate::tlog::note::VerifierKey;
use crate::tlog::proof::Proof;
use crate::tlog::quorum::WitnessPolicy;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

fn checkpoint() -> SignedCheckpoint {
    let signed = key().sign(
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: 3,
            root: [3; 32],
        },
        &vkey(),
    );
    let line = witness().cosign(&signed, Moment::from_micros(5_000_000));
    signed.with_lines([line.as_str()]).unwrap()
}

fn witness() -> CosignerKey {
    CosignerKey::from_seed([2; 32], "witness")
}

fn trusted() -> Vec<VerifierKey> {
    let mut trusted = keys().verifiers(ORIGIN).unwrap().to_vec();
    trusted.push(witness().verifier().clone());
    trusted
}

fn proof() -> String {
    let proof = Proof {
        extra: Some(vec![1; LEAF_BYTES]),
        index: 1,
        path: vec![[1; 32], [2; 32]],
        note: checkpoint().note().to_owned(),
    };
    proof.to_string()
}

fn policy() -> String {
    format!(
        "log {}\nwitness W {}\ngroup G any W\nquorum G\n",
        vkey(),
        witness().verifier()
    )
}

/// Gives a text to every reader.
fn read_all(text: &str) {
    let trusted = trusted();
    if let Ok(note) = note::open(text, &trusted) {
        assert!(!note.signers.is_empty() && text.starts_with(&note.text));
    }
    let _ = cosignatures(text, &trusted);
    if let Ok(signed) = SignedCheckpoint::open(text, &trusted) {
        assert_eq!(
            Checkpoint::parse(signed.text()).unwrap().size,
            signed.size()
        );
        let _ = WitnessPolicy::parse("policy", &policy())
            .unwrap()
            .satisfied(&signed);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert!(text.starts_with(&checkpoint.text()));
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
        let leaf = proof.extra.clone().unwrap_or_default();
        let _ = proof.prove(&leaf, &trusted);
    }
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
    }
    let _ = WitnessPolicy::parse("policy", text);
}

/// Replaces, drops or doubles a part of a text that would have been accepted.
fn mutated(text: &str, at: usize, length: usize, with: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = at % (chars.len() + 1);
    let end = (at + length).min(chars.len());
    chars[..at]
        .iter()
        .copied()
        .chain(with.chars())
        .chain(chars[end..].iter().copied())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_a_reader_panic(text in "(?s).{0,300}") {
        read_all(&text);
    }

    #[test]
    fn no_lines_that_look_right_make_a_reader_panic(
        text in "((log|witness|group|quorum|index|extra|old|\u{2014}|c2sp.org/tlog-proof@v1|all|any|none|[0-9]{1,21}|[A-Za-z0-9+/=]{0,48})[ \t\n]){0,40}"
    ) {
        read_all(&text);
    }

    #[test]
    fn no_change_of_a_good_text_makes_a_reader_panic(
        which in 0..4_usize,
        at in any::<usize>(),
        length in 0..40_usize,
        with in "[ -~\n\u{2014}]{0,8}",
    ) {
        let good = [checkpoint().note().to_owned(), proof(), policy(), vkey().to_string()];
        read_all(&mutated(&good[which], at, length, &with));
    }

    #[test]
    fn a_note_whose_text_was_changed_is_never_opened(at in any::<usize>(), with in "[ -~]") {
        let note = checkpoint();
        let at = at % note.text().len();
        let changed = mutated(note.note(), at, 1, &with);
        prop_assume!(changed != note.note());
        prop_assert!(note::open(&changed, &trusted()).is_err());
    }

    #[test]
    fn no_bytes_make_a_leaf_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(leaf) = Leaf::parse(&bytes) {
            prop_assert_eq!(leaf.encode().to_vec(), bytes);
        }
    }

    #[test]
    fn no_numbers_make_a_proof_of_the_tree_panic(
        index in any::<u64>(),
        size in any::<u64>(),
        path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        // A path that nobody made leads nowhere.
        let root = [0; 32];
        prop_assert!(merkle::verify_inclusion(&[1; 32], index, size, &path, &root).is_err());
        let small = (index.min(size), &[1; 32]);
        let consistent = merkle::verify_consistency(small, (size, &root), &path);
        prop_assert!(consistent.is_err());
    }
}
