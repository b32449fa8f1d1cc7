use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::audit::key::JournalKey;
use crate::audit::merkle;
use crate::audit::merkle::Frontier;

fn signed(key: &JournalKey, origin: &str, entries: &[&str]) -> SignedCheckpoint {
    let mut frontier = Frontier::default();
    entries
        .iter()
        .for_each(|entry| frontier.push(merkle::leaf_hash(entry.as_bytes())));
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        size: frontier.size(),
        root: frontier.root(),
    };
    key.sign(checkpoint, &key.verifier(origin).unwrap())
}

#[test]
fn a_published_tree_head_of_another_log_verifies() {
    let vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
        .parse()
        .unwrap();
    let note = "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let opened = note::open(note, std::slice::from_ref(&vkey)).unwrap();
    assert_eq!(Checkpoint::parse(&opened.text).unwrap().size, 20_852_163);
    // Its origin is not its key's name, which this gateway's journals never do.
    assert_eq!(
        SignedCheckpoint::open(note, &[vkey]),
        Err(CheckpointError::OtherOrigin {
            found: "go.sum database tree".to_owned(),
            signer: "sum.golang.org".to_owned(),
        })
    );
}

#[test]
fn a_tree_is_signed_as_other_tools_sign_it() {
    // The deterministic vectors of the journal's format: the key's seed is 32 times 0x01.
    let key = JournalKey::from_seed([1; 32]);
    let origin = "gw.tax.example/audit";
    assert_eq!(
        key.verifier(origin).unwrap().to_string(),
        "gw.tax.example/audit+c2dcab94+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    );
    let entries: Vec<String> = (0..7).map(|n| format!("entry {n}")).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    assert_eq!(
        signed(&key, origin, &entries[..3]).note(),
        "gw.tax.example/audit\n3\nlPvQ3YNvUDAWkubQ6t5yjuGexSv/8WBu2AfIV11aqhk=\n\n\u{2014} gw.tax.example/audit wtyrlOGhbeYlq7vMnl+/gjpwpXS85Ui+2fx8+TxRVnP5lQAAPBjQ85JmIFzB1Jb+3bDDe2ThBtVr2VLWGRApTEU0wQI=\n"
    );
    assert_eq!(
        signed(&key, origin, &entries).note(),
        "gw.tax.example/audit\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n\n\u{2014} gw.tax.example/audit wtyrlPbYh4zuStm3KbQU67ju63eWTAEnBw+qShhsSdvOUjYJlKvxYd0iVjDSAb2heWx814wsXLHPlPRm9NqvwzrIHww=\n"
    );
}

#[test]
fn the_test_log_of_tessera_is_rebuilt() {
    // Published with its private key in transparency-dev/tessera, testdata/log.
    let secret = STANDARD
        .decode("AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg")
        .unwrap();
    let key = JournalKey::from_seed(secret[1..].try_into().unwrap());
    let origin = "example.com/log/testdata";
    assert_eq!(
        key.verifier(origin).unwrap().to_string(),
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    );
    let entries = [
        "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven",
        "twelf", "threeten", "fourten", "fivten",
    ];
    assert_eq!(
        signed(&key, origin, &entries).note(),
        "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n\u{2014} example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n"
    );
}

#[test]
fn what_was_signed_opens_again() {
    let key = JournalKey::from_seed([5; 32]);
    let made = signed(&key, "gov.example/civil/1", &["an entry"]);
    let opened =
        SignedCheckpoint::open(made.note(), &[key.verifier("gov.example/civil/1").unwrap()])
            .unwrap();
    assert_eq!(opened, made);
    assert_eq!((opened.origin(), opened.size()), ("gov.example/civil/1", 1));
}

#[test]
fn a_malformed_checkpoint_is_refused_with_what_is_wrong() {
    let root = STANDARD.encode([0; 32]);
    let cases = [
        ("".to_owned(), "the last line has no end"),
        ("\n0\n".to_owned(), "it has no origin"),
        (format!("origin\n-1\n{root}\n"), "its size is not a number"),
        (format!("origin\n01\n{root}\n"), "its size is not a number"),
        (format!("origin\n+1\n{root}\n"), "its size is not a number"),
        (
            format!("origin\n18446744073709551616\n{root}\n"),
            "its size is not a number",
        ),
        ("origin\n1\n".to_owned(), "its root is not a hash"),
        ("origin\n1\nAAAA\n".to_owned(), "its root is not a hash"),
        (
            format!("origin\n1\n{root}\n\nmore\n"),
            "it has an empty extension line",
        ),
    ];
    for (text, fault) in cases {
        assert_eq!(
            Checkpoint::parse(&text),
            Err(CheckpointError::Malformed(fault)),
            "{text:?}"
        );
    }
    assert_eq!(
        Checkpoint::parse(&format!("origin\n1\n{root}\nextension\n"))
            .unwrap()
            .size,
        1
    );
}
