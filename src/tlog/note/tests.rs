use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;

use super::*;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn key() -> VerifierKey {
    VKEY.parse().unwrap()
}

fn other() -> VerifierKey {
    VerifierKey::new("example.com/other", [7; 32]).unwrap()
}

fn names(note: &Note) -> Vec<&str> {
    note.signers.iter().map(|by| by.key.name()).collect()
}

fn sign(text: &str, pair: &Ed25519KeyPair, verifier: &VerifierKey) -> String {
    signed(text, pair.sign(text.as_bytes()).as_ref(), verifier)
}

#[test]
fn the_example_of_the_specification_verifies() {
    let note = open(NOTE, &[other(), key()]).unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(names(&note), ["example.com/foo"]);
}

#[test]
fn a_key_is_written_as_it_was_read() {
    assert_eq!(key().to_string(), VKEY);
    assert_eq!(key().name(), "example.com/foo");
}

#[test]
fn a_malformed_key_is_refused_with_what_is_wrong() {
    let cases = [
        ("example.com/foo", "it has no `+`"),
        ("example.com/foo+530d903a", "it has one `+` only"),
        ("example.com/foo+530d903a+!", "the key is not base64"),
        (
            "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "its type is unknown: 01, 04 (Ed25519) and 06 (ML-DSA-44) are known",
        ),
        (
            "example.com/foo+530d903a+AekyeRrm",
            "an Ed25519 key has 32 bytes",
        ),
        (
            "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "the key id is not that of the name and key",
        ),
        (
            "example.com/fox+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "the key id is not that of the name and key",
        ),
        (
            "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "the name is empty or has white space or `+`",
        ),
    ];
    for (vkey, fault) in cases {
        assert_eq!(
            vkey.parse::<VerifierKey>(),
            Err(NoteError::MalformedKey(fault)),
            "{vkey}"
        );
    }
}

#[test]
fn a_changed_text_is_refused() {
    let changed = NOTE.replace("an example", "no example");
    let refused = NoteError::BadSignature("example.com/foo".to_owned());
    assert_eq!(open(&changed, &[key()]), Err(refused));
}

#[test]
fn a_note_that_only_strangers_signed_is_refused() {
    assert_eq!(open(NOTE, &[other()]), Err(NoteError::Unsigned));
    assert_eq!(open(NOTE, &[]), Err(NoteError::Unsigned));
}

#[test]
fn a_strangers_signature_beside_a_trusted_one_is_ignored() {
    let both = format!("{NOTE}\u{2014} example.com/stranger AAAAAAAA\n");
    assert_eq!(names(&open(&both, &[key()]).unwrap()), ["example.com/foo"]);
}

#[test]
fn a_malformed_note_is_refused_with_what_is_wrong() {
    let cases = [
        ("", "no empty line ends the text"),
        ("text\n", "no empty line ends the text"),
        ("text\n\n", "the last line has no end"),
        ("text\n\n\u{2014} name AAAAAAA=", "the last line has no end"),
        ("text\n\nname AAAAAAA=\n", "a signature line is malformed"),
        (
            "text\n\n\u{2014} name AAAA\n",
            "a signature line is malformed",
        ),
        (
            "text\n\n\u{2014} name AAAAAA==\n",
            "a signature line is malformed",
        ),
        (
            "text\n\n\u{2014} na+me AAAAAAAA\n",
            "a signature line is malformed",
        ),
        (
            "te\txt\n\n\u{2014} name AAAAAAAA\n",
            "it has control characters",
        ),
    ];
    for (note, fault) in cases {
        assert_eq!(
            open(note, &[key()]),
            Err(NoteError::Malformed(fault)),
            "{note:?}"
        );
    }
    let crowd = format!("text\n\n{}", "\u{2014} name AAAAAAAA\n".repeat(65));
    assert_eq!(
        open(&crowd, &[key()]),
        Err(NoteError::Malformed("it has too many signatures"))
    );
    let long = "a".repeat(MAX_NOTE_BYTES + 1);
    assert_eq!(
        open(&long, &[key()]),
        Err(NoteError::Malformed("it is too long"))
    );
}

#[test]
fn a_text_may_have_empty_lines() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let public = KeyPair::public_key(&pair).as_ref();
    let verifier = VerifierKey::of(KeyKind::Ed25519, "log", public).unwrap();
    let note = sign("one\n\nthree\n", &pair, &verifier);
    assert_eq!(open(&note, &[verifier]).unwrap().text, "one\n\nthree\n");
}

/// A text in the form of a checkpoint, as cosigners sign it.
fn checkpoint_text() -> String {
    format!("log\n7\n{}\n", STANDARD.encode([5; 32]))
}

#[test]
fn keys_of_each_kind_are_written_as_they_were_read() {
    for (kind, bytes) in [
        (KeyKind::Ed25519, 32),
        (KeyKind::Cosignature, 32),
        (KeyKind::MlDsa44, 1312),
    ] {
        let key = VerifierKey::of(kind, "example.com/key", &vec![9; bytes]).unwrap();
        let read: VerifierKey = key.to_string().parse().unwrap();
        assert_eq!((&read, read.kind()), (&key, kind));
        let short = VerifierKey::of(kind, "example.com/key", &vec![9; bytes - 1]);
        assert!(matches!(short, Err(NoteError::MalformedKey(_))), "{kind:?}");
    }
}

#[test]
fn one_key_under_two_kinds_is_two_keys() {
    let log = VerifierKey::of(KeyKind::Ed25519, "name", &[9; 32]).unwrap();
    let witness = VerifierKey::of(KeyKind::Cosignature, "name", &[9; 32]).unwrap();
    assert_ne!(log.id(), witness.id());
    assert!(log.is_same_pair(&witness));
}

#[test]
fn the_name_of_an_ml_dsa_key_fits_into_what_it_signs() {
    let (long, fits) = ("n".repeat(256), "n".repeat(255));
    assert_eq!(
        VerifierKey::of(KeyKind::MlDsa44, &long, &[9; 1312]),
        Err(NoteError::MalformedKey("the name is longer than 255 bytes"))
    );
    assert!(VerifierKey::of(KeyKind::MlDsa44, &fits, &[9; 1312]).is_ok());
}

#[test]
fn a_bad_signature_of_a_known_cosigner_rejects_the_note() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let public = KeyPair::public_key(&pair).as_ref();
    let log = VerifierKey::of(KeyKind::Ed25519, "log", public).unwrap();
    let note = sign(&checkpoint_text(), &pair, &log);
    let signature = [1; 72];
    for (kind, bytes) in [(KeyKind::Cosignature, 32), (KeyKind::MlDsa44, 1312)] {
        let witness = VerifierKey::of(kind, "witness", &vec![9; bytes]).unwrap();
        let forged = signature_line(&witness, &signature);
        let forged = extend(&note, [forged.as_str()]).unwrap();
        // To whom the cosigner is unknown, its signature says nothing.
        assert_eq!(
            names(&open(&forged, std::slice::from_ref(&log)).unwrap()),
            ["log"]
        );
        assert_eq!(
            open(&forged, &[log.clone(), witness]),
            Err(NoteError::BadSignature("witness".to_owned()))
        );
    }
}

#[test]
fn a_key_that_signed_twice_counts_once() {
    let line = NOTE.lines().last().unwrap();
    let twice = extend(NOTE, [line]).unwrap();
    assert_eq!(names(&open(&twice, &[key()]).unwrap()), ["example.com/foo"]);
}

#[test]
fn only_signature_lines_extend_a_note() {
    for line in [
        "",
        "text",
        "\u{2014} name AAAA",
        "\u{2014} name AAAAAAAA\n\u{2014} name AAAAAAAA",
    ] {
        assert!(extend(NOTE, [line]).is_err(), "{line:?}");
    }
    let crowd = vec!["\u{2014} name AAAAAAAA"; 64];
    assert_eq!(
        extend(NOTE, crowd),
        Err(NoteError::Malformed("it has too many signatures"))
    );
}
