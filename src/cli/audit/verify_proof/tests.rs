use super::*;
use crate::clock::Moment;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::merkle::leaf_hash;

const NOON: Moment = Moment::from_micros(1_795_392_000_000_000);

fn leaf() -> Leaf {
    Leaf {
        kind: Kind::Exchange,
        role: Role::Provider,
        outcome: Outcome::Answered,
        time: NOON,
        exchange: Some("0198f3c2-7d1e-7a44-9b1f-2f0c6d1f8a11".parse().unwrap()),
        exchange_digest: [1; 32],
        record_commitment: [2; 32],
        asker: Some([3; 8]),
        peer: None,
    }
}

/// The proof of the only entry of a log, cosigned; the log's key and the policy.
fn sample() -> (String, VerifierKey, WitnessPolicy) {
    let signer = signed_note::StandardSigner::new(
        "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg",
    )
    .unwrap();
    let key: VerifierKey =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
            .parse()
            .unwrap();
    let leaf = leaf().encode();
    let checkpoint = crate::tlog::checkpoint::Checkpoint {
        origin: "example.com/log/testdata".to_owned(),
        size: 1,
        root: leaf_hash(&leaf),
    };
    let mut note = signed_note::Note::new(checkpoint.text().as_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let note = String::from_utf8(note.to_bytes()).unwrap();
    let signed = SignedCheckpoint::open(&note, std::slice::from_ref(&key)).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let witness = CosignerKey::create(&dir.path().join("key"), "tax.example/witness").unwrap();
    let line = witness.cosign(&signed, NOON);
    let policy = format!("witness tax {}\nquorum tax\n", witness.verifier());
    let proof = Proof {
        extra: Some(leaf.to_vec()),
        index: 0,
        path: Vec::new(),
        note: signed
            .with_lines([line.as_str()])
            .unwrap()
            .note()
            .to_owned(),
    };
    let policy = WitnessPolicy::parse("policy", &policy).unwrap();
    (proof.to_string(), key, policy)
}

#[test]
fn what_is_proven_is_told_for_programs() {
    let (text, key, policy) = sample();
    let proven = verify(&text, std::slice::from_ref(&key), Some(&policy));
    let told = to_json(Path::new("a.tlog-proof"), &proven, UtcOffset::UTC);
    let expected = serde_json::json!({
        "file": "a.tlog-proof",
        "proven": true,
        "fault": null,
        "origin": "example.com/log/testdata",
        "index": 0,
        "size": 1,
        "root": hex(&leaf_hash(&leaf().encode())),
        "leaf": {
            "kind": "exchange",
            "role": "provider",
            "outcome": "answered",
            "time": "2026-11-23T00:00:00Z",
            "exchange": "0198f3c2-7d1e-7a44-9b1f-2f0c6d1f8a11",
            "exchange_digest": "01".repeat(32),
            "record_commitment": "02".repeat(32),
            "asker": "03".repeat(8),
            "peer": null,
        },
        "witnesses": [{ "name": "tax", "key": "tax.example/witness", "time": "2026-11-23T00:00:00Z" }],
    });
    assert_eq!(told, expected);
}

#[test]
fn what_is_proven_is_told_to_people() {
    let (text, key, policy) = sample();
    let proven = verify(&text, std::slice::from_ref(&key), Some(&policy));
    let mut told = Vec::new();
    write(
        Path::new("a.tlog-proof"),
        &proven,
        UtcOffset::UTC,
        &mut told,
    )
    .unwrap();
    let told = String::from_utf8(told).unwrap();
    let rows = [
        ("origin", "example.com/log/testdata"),
        ("index", "0"),
        ("size", "1"),
        ("root", &hex(&leaf_hash(&leaf().encode()))),
        ("leaf.kind", "exchange"),
        ("leaf.role", "provider"),
        ("leaf.outcome", "answered"),
        ("leaf.time", "2026-11-23T00:00:00Z"),
        ("leaf.exchange", "0198f3c2-7d1e-7a44-9b1f-2f0c6d1f8a11"),
        ("leaf.exchange_digest", &"01".repeat(32)),
        ("leaf.record_commitment", &"02".repeat(32)),
        ("leaf.asker", &"03".repeat(8)),
        ("witnesses[0].name", "tax"),
        ("witnesses[0].key", "tax.example/witness"),
        ("witnesses[0].time", "2026-11-23T00:00:00Z"),
    ];
    let rows = rows.map(|(name, value)| format!(" {name:<22}  {value}\n"));
    assert_eq!(told, rows.concat() + "a.tlog-proof: the proof holds\n");
}

#[test]
fn what_is_not_proven_is_told_with_the_reason() {
    let (text, key, _) = sample();
    let nobody = WitnessPolicy::parse("policy", "quorum none").unwrap();
    let stranger = VerifierKey::new("example.com/log/testdata", [1; 32]).unwrap();
    let cases = [
        (
            verify("", &[], None),
            "not a tlog-proof: no empty line ends the path",
        ),
        (
            verify(&text, &[stranger], None),
            "no trusted key has signed the note",
        ),
        (
            verify(
                &text.replacen("index 0", "index 1", 1),
                std::slice::from_ref(&key),
                Some(&nobody),
            ),
            "the leaf does not lead to the root that was signed",
        ),
    ];
    for (proven, reason) in cases {
        let mut told = Vec::new();
        write(Path::new("a"), &proven, UtcOffset::UTC, &mut told).unwrap();
        let told = String::from_utf8(told).unwrap();
        let start = format!("a: THE PROOF DOES NOT HOLD: {reason}");
        assert!(told.starts_with(&start), "{told}");
        let json = to_json(Path::new("a"), &proven, UtcOffset::UTC);
        assert_eq!(json["proven"], false);
        assert!(json["fault"].as_str().unwrap().starts_with(reason));
    }
}
