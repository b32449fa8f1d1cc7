use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::tlog::key::JournalKey;
use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;
use crate::tlog::testing::TESSERA_ENTRIES;

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

/// Root and signature of each checkpoint of transparency-dev/tessera's testdata/log, by its size.
const TESSERA: [(&str, &str); 16] = [
    (
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=",
    ),
    (
        "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=",
        "M9e0lhr9kuLxGdAtaUrhm84TQffVsLdcy808sN0a3WyniNlfcr9+bywoiIke1YYciCNjJGkCgIlQ8b16jhsmg/SChAM=",
    ),
    (
        "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=",
        "M9e0llH4NKmlf0u7C8tkJioQOmi7l5ELqljXgKRg6R3G5JJ7vx7emDWo5fpqKuA/Dk/jRrI6il+7QCVirNhyUAWGoAk=",
    ),
    (
        "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=",
        "M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=",
    ),
    (
        "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
        "M9e0lnFuWt0cp60moO4jAkeXvMNLIIOGn4WdyeHQurBt9mBi0tWdfkldiAt9k0FpwuZymvttsVn9uwyouXU3vPpeNAc=",
    ),
    (
        "gy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=",
        "M9e0lmn5eDHyHP10zJObZdFAX2y1V8fdDKBi4IiHbDYf1TCUBwxZOhqwv2QZCqrdda2zTRTrmnwjwscN5RBTEmZUYAs=",
    ),
    (
        "a6sWvsc2eEzmj72vah7mZ5dwFltivehh2b11qwlp5Jg=",
        "M9e0ln+nHSdGSHEZBcjvqyYDXDbG8WxDwCDjbbGAMv/NTynAtJWhckSXIpuwpN3yJ4PTtzUbD34YGqIZr6RgJRn16gU=",
    ),
    (
        "IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=",
        "M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9uANf2Qc=",
    ),
    (
        "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=",
        "M9e0lq1EK37dHtgv9O3UzPxisw5vwIPcJsX9ab0xt4mvVfbdUR1fbMjN6sBFYpBoBEmD4+cWhj/AVgI5MitCO5+mews=",
    ),
    (
        "CvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=",
        "M9e0ls3mdnWX0qk4P3uGG0eYiFRWSwPR+RdeD1ARmrHPHjXP0x9UJWASPFTOTqJo0mp7Epck2O9RFB0J9IjDdAewagw=",
    ),
    (
        "y8/gZsZCtitsMan09tY+k8I7Qpr7Y5fbO2tLi9GQnfU=",
        "M9e0lrmwaVEOWFZ+HS5ITnRd2YMOSWE5QeoYu+6DHwJLnJ+SVeJ2ZiYeD7lVC5oGJx76gbfLSyCUEq6D8JkarrsuiQQ=",
    ),
    (
        "Yok1cS5VdokGLBy73BC2I16b3atss6KBN9jnIi6Fz/A=",
        "M9e0lqbRtWirJwbUy4w3VrK2RyzfW8P+OIkc8t6b6AVG/tQd1Q2SN+uCLYzNNFnf/PhzeCdURSGQe1MRnohCxPu21wg=",
    ),
    (
        "uZo6M+IhVna+CLgWCrJs0xBPUHbozHkYTQASduHSLME=",
        "M9e0lrFzoTgi+ovhrqX0DpsEAp3wLu1coMLIkeCwSkGfS4Ox4pLXo2LHudqm4merh0ZkCNzHr8kQwq5gS5mmimIvdA4=",
    ),
    (
        "av0kLH0VkkVDrTuZzBGIx7d9z5G1l/GlKz/nAV/8woQ=",
        "M9e0liO8x8xfEOGmZVYODUjQajkEpjccPQ9EkG3yEEDet4K3BWE/DFRPH6H+b6gFFFaG5KS1bBmYS/xeZJs8lj+z+wM=",
    ),
    (
        "SvCd38yNade7xEPY1a/aAc1M3A2AHYVF8lIiUnsH1ao=",
        "M9e0lu8roIpjC+NXEG7JDkajIahoYDYWgxDtxfx/6rzLoztU9t/PvivZ48xt8ygJpjzaboSpkbVv3Jb+D3NdXWQf5wo=",
    ),
    (
        "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=",
        "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=",
    ),
];

#[test]
fn every_checkpoint_of_the_test_log_of_tessera_is_rebuilt() {
    // It is published with its private key.
    let secret = STANDARD
        .decode("AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg")
        .unwrap();
    let key = JournalKey::from_seed(secret[1..].try_into().unwrap());
    let origin = "example.com/log/testdata";
    assert_eq!(
        key.verifier(origin).unwrap().to_string(),
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    );
    for (size, (root, signature)) in TESSERA.iter().enumerate() {
        assert_eq!(
            signed(&key, origin, &TESSERA_ENTRIES[..size]).note(),
            format!("{origin}\n{size}\n{root}\n\n\u{2014} {origin} {signature}\n")
        );
    }
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
            Err(MalformedCheckpoint(fault)),
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

#[test]
fn the_text_is_what_was_signed_with_its_extension_lines() {
    let key = JournalKey::from_seed([5; 32]);
    let made = signed(&key, "log", &["an entry"]);
    assert_eq!(made.text(), made.checkpoint.text());
    let root = STANDARD.encode([0; 32]);
    let text = format!("log\n1\n{root}\nextension\n");
    let extended = SignedCheckpoint {
        checkpoint: Checkpoint::parse(&text).unwrap(),
        note: format!("{text}\n\u{2014} log AAAAAAAA\n"),
    };
    assert_eq!(extended.text(), text);
}

#[test]
fn further_signature_lines_stand_below_the_logs_own() {
    let key = JournalKey::from_seed([5; 32]);
    let vkey = key.verifier("log").unwrap();
    let made = signed(&key, "log", &["an entry"]);
    let more = made.with_lines(["\u{2014} witness AAAAAAAA"]).unwrap();
    assert_eq!(
        more.note(),
        format!("{}\u{2014} witness AAAAAAAA\n", made.note())
    );
    assert_eq!(SignedCheckpoint::open(more.note(), &[vkey]), Ok(more));
}
