use super::*;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::checkpoint::subtree_message;
use crate::tlog::key::JournalKey;
use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;

/// The worked vectors: the journal's key is 32 times 0x01, the witnesses' are 0x02 and 0x03.
fn vector() -> SignedCheckpoint {
    let mut frontier = Frontier::default();
    for n in 0..7 {
        frontier.push(merkle::leaf_hash(format!("entry {n}").as_bytes()));
    }
    let checkpoint = Checkpoint {
        origin: "gw.tax.example/audit".to_owned(),
        size: 7,
        root: frontier.root(),
    };
    let key = JournalKey::from_seed([1; 32]);
    let verifier = key.verifier("gw.tax.example/audit").unwrap();
    key.sign(checkpoint, &verifier)
}

fn at(seconds: i64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

#[test]
fn cosignatures_are_those_that_other_tools_make() {
    let cases = [
        (
            2,
            "gw.health.example/witness",
            "gw.health.example/witness+56e9433f+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
            1_760_000_000,
            "\u{2014} gw.health.example/witness VulDPwAAAABo53gAakqniWiDywB3Fn5Fm3/vmJW5fn2VdNBoBLWURyHD5Cy713trxh25E7k5AXj1inNtw3tNXeO2bL1UA0L3+yu+BA==",
        ),
        (
            3,
            "oversight.example/witness",
            "oversight.example/witness+e8c0c819+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
            1_760_000_001,
            "\u{2014} oversight.example/witness 6MDIGQAAAABo53gBQsKqDJmxM9bo/FuoDpAf3Css5uZ81lb6vtVvwJIfCtvcUxIVDIAUO4E2ANC2PNIhkJYLdreSi8RL0Zkmy7utCg==",
        ),
    ];
    for (seed, name, vkey, time, line) in cases {
        let key = CosignerKey::from_seed([seed; 32], name);
        assert_eq!(key.verifier().to_string(), vkey);
        assert_eq!(key.cosign(&vector(), at(time)), line);
    }
}

#[test]
fn what_a_cosigner_signs_is_that_of_the_specification() {
    let text = "gw.tax.example/audit\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n";
    assert_eq!(vector().text(), text);
    assert_eq!(
        message(text, 1_760_000_000),
        b"cosignature/v1\ntime 1760000000\ngw.tax.example/audit\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n"
    );
    let expected = concat!(
        "737562747265652f76310a00",
        "19",
        "67772e6865616c74682e6578616d706c652f7769746e657373",
        "0000000068e77800",
        "14",
        "67772e7461782e6578616d706c652f6175646974",
        "0000000000000000",
        "0000000000000007",
        "98c97f0ba3175cd08b031dd084b9dc4e649b64d1a28e6ea694646503173ab587"
    );
    let message = subtree_message("gw.health.example/witness", text, 1_760_000_000).unwrap();
    assert_eq!(crate::digest::hex(&message), expected);
}

#[test]
fn a_cosignature_of_a_foreign_witness_verifies() {
    // From the tests of FiloSottile/sunlight.
    let note = "rome2026h1.example.org\n300\ngw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=\n\n\u{2014} mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJzXC0N0EiZkbqfLdXt/4gVEEuGmxJjAfXKMCISpsJAg==\n";
    let mirror = "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O"
        .parse()
        .unwrap();
    assert_eq!(
        cosignatures(note, &[mirror]),
        Ok(vec![Cosignature {
            name: "mirror.example.org".to_owned(),
            time: Some(at(1_767_139_200)),
        }])
    );
}

#[test]
fn a_changed_time_is_refused() {
    let key = CosignerKey::from_seed([2; 32], "witness");
    let line = key.cosign(&vector(), at(1_760_000_000));
    let note = vector().with_lines([line.as_str()]).unwrap();
    let keys = [key.verifier().clone()];
    assert_eq!(cosignatures(note.note(), &keys).unwrap().len(), 1);
    // The last bits of the time, in base64.
    let later = note.note().replace("o53gA", "o53gB");
    assert_ne!(later, note.note());
    assert_eq!(
        cosignatures(&later, &keys),
        Err(NoteError::BadSignature("witness".to_owned()))
    );
}

#[test]
fn a_cosigners_signature_does_not_make_a_checkpoint_the_logs() {
    let note = vector();
    // A cosigner that calls itself like the journal.
    let key = CosignerKey::from_seed([9; 32], "gw.tax.example/audit");
    let line = key.cosign(&note, at(1));
    let text = note.text();
    let forged = format!("{text}\n{line}\n");
    assert!(matches!(
        SignedCheckpoint::open(&forged, &[key.verifier().clone()]),
        Err(crate::tlog::signed_checkpoint::CheckpointError::OtherOrigin { .. })
    ));
}

#[test]
fn a_created_key_loads_again_under_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("witness.key");
    let created = CosignerKey::create(&path, "gov.example/civil").unwrap();
    let loaded = CosignerKey::load(&path, "gov.example/civil").unwrap();
    assert_eq!(loaded.verifier(), created.verifier());
    assert_eq!(loaded.verifier().kind(), KeyKind::Cosignature);
    assert!(matches!(
        CosignerKey::load(&path, "no name"),
        Err(KeyError::Name(_))
    ));
}
