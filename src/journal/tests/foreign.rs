//! Other people's implementations of the formats agree with these.

use proptest::prelude::*;
use signed_note::Note;
use signed_note::StandardVerifier;
use signed_note::VerifierList;
use tlog_tiles::tlog;

use crate::clock::Moment;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::key::JournalKey;
use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;
use crate::tlog::merkle::Node;
use crate::tlog::note;
use crate::tlog::note::NoteError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

fn verifiers(key: &VerifierKey) -> VerifierList {
    VerifierList::new(vec![Box::new(
        StandardVerifier::new(&key.to_string()).unwrap(),
    )])
}

fn hashes(entries: &[Vec<u8>]) -> Vec<Hash> {
    entries
        .iter()
        .map(|entry| merkle::leaf_hash(entry))
        .collect()
}

fn root(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    hashes.iter().for_each(|&hash| frontier.push(hash));
    frontier.root()
}

fn read(hashes: &[Hash]) -> impl Fn(Node) -> Result<Hash, std::convert::Infallible> {
    |node| {
        let first = (node.index << node.height) as usize;
        Ok(root(&hashes[first..first + (1 << node.height)]))
    }
}

fn foreign(path: &[Hash]) -> Vec<tlog::Hash> {
    path.iter().map(|&hash| tlog::Hash(hash)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_checkpoint_is_read_alike(
        seed in any::<[u8; 32]>(),
        origin in "[a-z0-9./-]{1,40}",
        size in any::<u64>(),
        root in any::<[u8; 32]>(),
    ) {
        let key = JournalKey::from_seed(seed);
        let vkey = key.verifier(&origin).unwrap();
        let signed = key.sign(Checkpoint { origin, size, root }, &vkey);
        // A cosigner below it is a stranger to the other implementation.
        let line = CosignerKey::from_seed([2; 32], "witness").cosign(&signed, Moment::from_micros(0));
        let signed = signed.with_lines([line.as_str()]).unwrap();

        let note = Note::from_bytes(signed.note().as_bytes()).unwrap();
        prop_assert_eq!(note.to_bytes(), signed.note().as_bytes());
        let (verified, unverified) = note.verify(&verifiers(&vkey)).unwrap();
        prop_assert_eq!((verified.len(), unverified.len()), (1, 1));
        let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        prop_assert_eq!(theirs.origin(), signed.origin());
        prop_assert_eq!((theirs.size(), theirs.hash().0), (signed.size(), *signed.root()));
        prop_assert_eq!(theirs.to_bytes(), signed.text().as_bytes());
    }

    #[test]
    fn a_changed_note_is_judged_alike(
        at in 0..200_usize,
        with in "[ -~\n]",
    ) {
        let key = JournalKey::from_seed([5; 32]);
        let vkey = key.verifier("gov.example/civil/1").unwrap();
        let signed = key.sign(
            Checkpoint { origin: "gov.example/civil/1".to_owned(), size: 77, root: [9; 32] },
            &vkey,
        );
        let mut changed: Vec<char> = signed.note().chars().collect();
        let at = at % changed.len();
        changed[at] = with.chars().next().unwrap();
        let changed: String = changed.into_iter().collect();

        let theirs = Note::from_bytes(changed.as_bytes())
            .ok()
            .is_some_and(|note| note.verify(&verifiers(&vkey)).is_ok());
        prop_assert_eq!(note::open(&changed, &[vkey]).is_ok(), theirs, "{:?}", changed);
    }

    #[test]
    fn paths_are_verified_alike(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..70),
        which in any::<prop::sample::Index>(),
        spoilt in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let hashes = hashes(&entries);
        let (size, index) = (hashes.len() as u64, which.index(hashes.len()) as u64);
        let Ok(mut path) = merkle::inclusion(index, size, read(&hashes));
        if let (Some(spoilt), false) = (spoilt, path.is_empty()) {
            let at = spoilt.index(path.len());
            path[at][0] ^= 1;
        }
        let leaf = hashes[index as usize];
        let ours = merkle::verify_inclusion(&leaf, index, size, &path, &root(&hashes)).is_ok();
        let theirs = tlog::check_record(
            &foreign(&path),
            size,
            tlog::Hash(root(&hashes)),
            index,
            tlog::record_hash(&entries[index as usize]),
        );
        prop_assert_eq!(ours, theirs.is_ok());
        prop_assert_eq!(ours, spoilt.is_none() || path.is_empty());
    }

    #[test]
    fn proofs_of_consistency_are_verified_alike(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..70),
        which in any::<prop::sample::Index>(),
        spoilt in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let hashes = hashes(&entries);
        let (new, old) = (hashes.len() as u64, which.index(hashes.len()) as u64 + 1);
        let Ok(mut proof) = merkle::consistency(old, new, read(&hashes));
        if let (Some(spoilt), false) = (spoilt, proof.is_empty()) {
            let at = spoilt.index(proof.len());
            proof[at][0] ^= 1;
        }
        let (before, after) = (root(&hashes[..old as usize]), root(&hashes));
        let ours = merkle::verify_consistency((old, &before), (new, &after), &proof).is_ok();
        let theirs = tlog::check_tree(
            &foreign(&proof),
            new,
            tlog::Hash(after),
            old,
            tlog::Hash(before),
        );
        prop_assert_eq!(ours, theirs.is_ok());
        prop_assert_eq!(ours, spoilt.is_none() || proof.is_empty());
    }
}

#[test]
fn a_note_that_another_implementation_signed_opens() {
    let skey = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";
    let signer = signed_note::StandardSigner::new(skey).unwrap();
    let text = "example.com/log/testdata\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    let mut theirs = Note::new(text.as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let theirs = String::from_utf8(theirs.to_bytes()).unwrap();
    let vkey: VerifierKey =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
            .parse()
            .unwrap();
    let opened = SignedCheckpoint::open(&theirs, &[vkey]).unwrap();
    assert_eq!((opened.size(), *opened.root()), (0, merkle::empty_root()));
    let stranger = VerifierKey::new("example.com/log/testdata", [1; 32]).unwrap();
    assert_eq!(note::open(&theirs, &[stranger]), Err(NoteError::Unsigned));
}
