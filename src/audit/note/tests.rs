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
