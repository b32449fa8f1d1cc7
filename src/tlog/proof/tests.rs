use super::*;
use crate::tlog::merkle::Frontier;

/// The worked vector: entry 2 of 7, cosigned by two witnesses.
const WORKED: &str = "c2sp.org/tlog-proof@v1
index 2
YcoROfaBWEHVuvLQ0tm9nf7pfImN1ve6DAqpQe5sAes=
WkdmL9ijF9lgSaP59HxV3GfKZgUbqjaD27GbL+CaB7A=
lK+4osoFHAVFjqOdzRmxvWjn4zUp8QtDnSphWlH2NuI=

gw.tax.example/audit
7
mMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=

\u{2014} gw.tax.example/audit wtyrlPbYh4zuStm3KbQU67ju63eWTAEnBw+qShhsSdvOUjYJlKvxYd0iVjDSAb2heWx814wsXLHPlPRm9NqvwzrIHww=
\u{2014} gw.health.example/witness VulDPwAAAABo53gAakqniWiDywB3Fn5Fm3/vmJW5fn2VdNBoBLWURyHD5Cy713trxh25E7k5AXj1inNtw3tNXeO2bL1UA0L3+yu+BA==
\u{2014} oversight.example/witness 6MDIGQAAAABo53gBQsKqDJmxM9bo/FuoDpAf3Css5uZ81lb6vtVvwJIfCtvcUxIVDIAUO4E2ANC2PNIhkJYLdreSi8RL0Zkmy7utCg==
";

fn log() -> VerifierKey {
    "gw.tax.example/audit+c2dcab94+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
        .parse()
        .unwrap()
}

#[test]
fn the_worked_proof_is_read_and_written_byte_for_byte() {
    let proof: Proof = WORKED.parse().unwrap();
    assert_eq!(proof.to_string(), WORKED);
    assert_eq!((proof.index, &proof.extra), (2, &None));
    let mut hashes = Vec::new();
    let mut frontier = Frontier::default();
    for n in 0..7 {
        hashes.push(merkle::leaf_hash(format!("entry {n}").as_bytes()));
        frontier.push(hashes[n]);
    }
    let path: Vec<Hash> = merkle::inclusion(2, 7, |node| {
        let first = (node.index << node.height) as usize;
        let mut part = Frontier::default();
        hashes[first..first + (1 << node.height)]
            .iter()
            .for_each(|&hash| part.push(hash));
        Ok::<_, std::convert::Infallible>(part.root())
    })
    .unwrap();
    assert_eq!(proof.path, path);
    let checkpoint = proof.prove(b"entry 2", &[log()]).unwrap();
    assert_eq!(
        (checkpoint.origin(), checkpoint.size(), checkpoint.root()),
        ("gw.tax.example/audit", 7, &frontier.root())
    );
}

#[test]
fn a_proof_proves_its_entry_at_its_place_only() {
    let proof: Proof = WORKED.parse().unwrap();
    let refused = Err(NotProven::Path(BadProof));
    assert_eq!(proof.prove(b"entry 3", &[log()]), refused);
    let moved = Proof {
        index: 3,
        ..proof.clone()
    };
    assert_eq!(moved.prove(b"entry 2", &[log()]), refused);
    let mut shorter = proof.clone();
    shorter.path.pop();
    assert_eq!(shorter.prove(b"entry 2", &[log()]), refused);
    let mut changed = proof.clone();
    changed.path[1][0] ^= 1;
    assert_eq!(changed.prove(b"entry 2", &[log()]), refused);
    // The extra data has no say.
    let liar = Proof {
        extra: Some(b"entry 3".to_vec()),
        ..proof
    };
    assert!(liar.prove(b"entry 2", &[log()]).is_ok());
}

#[test]
fn a_proof_that_a_stranger_signed_proves_nothing() {
    let proof: Proof = WORKED.parse().unwrap();
    let stranger = VerifierKey::new("gw.tax.example/audit", [9; 32]).unwrap();
    assert!(matches!(
        proof.prove(b"entry 2", &[stranger]),
        Err(NotProven::Checkpoint(_))
    ));
    let other = Proof {
        note: proof.note.replacen("\n7\n", "\n8\n", 1),
        ..proof
    };
    assert!(matches!(
        other.prove(b"entry 2", &[log()]),
        Err(NotProven::Checkpoint(_))
    ));
}

#[test]
fn a_malformed_proof_is_refused_with_what_is_wrong() {
    let head = "c2sp.org/tlog-proof@v1";
    let hash = STANDARD.encode([0; 32]);
    let cases = [
        (String::new(), "no empty line ends the path"),
        (format!("{head}\nindex 0\n"), "no empty line ends the path"),
        (
            "c2sp.org/tlog-proof@v2\nindex 0\n\n".to_owned(),
            "its first line is not `c2sp.org/tlog-proof@v1`",
        ),
        (
            format!("{head}\n\nnote"),
            "it has no `index` line with a number",
        ),
        (
            format!("{head}\nindex 01\n\nnote"),
            "it has no `index` line with a number",
        ),
        (
            format!("{head}\nindex 18446744073709551616\n\nnote"),
            "it has no `index` line with a number",
        ),
        (
            format!("{head}\nindex 0\nextra AAAA\n\nnote"),
            "a line of its path is not a hash",
        ),
        (
            format!("{head}\nextra A\nindex 0\n\nnote"),
            "its `extra` line is not base64 of 65,535 bytes at most",
        ),
        (
            format!("{head}\nextra {}\nindex 0\n\n", "AAAA".repeat(21_846)),
            "its `extra` line is not base64 of 65,535 bytes at most",
        ),
        (
            format!("{head}\nindex 0\n{hash}\r\n\nnote"),
            "a line of its path is not a hash",
        ),
        (
            format!("{head}\nindex 0{}\n\nnote", format!("\n{hash}").repeat(65)),
            "its path has more than 64 hashes",
        ),
        (" ".repeat(MAX_BYTES + 1), "it is longer than 256 KiB"),
    ];
    for (text, fault) in cases {
        let short: String = text.chars().take(60).collect();
        assert_eq!(text.parse::<Proof>(), Err(Malformed(fault)), "{short:?}");
    }
}
