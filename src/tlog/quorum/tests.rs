use super::*;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::key::JournalKey;
use crate::tlog::key::PostQuantumKey;
use crate::tlog::note::KeyKind;

fn witness(n: u8) -> CosignerKey {
    CosignerKey::from_seed([n; 32], &format!("witness{n}.example"))
}

fn at(seconds: i64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

fn checkpoint() -> SignedCheckpoint {
    let key = JournalKey::from_seed([100; 32]);
    let checkpoint = Checkpoint {
        origin: "log.example".to_owned(),
        size: 7,
        root: [7; 32],
    };
    key.sign(checkpoint, &log())
}

fn log() -> VerifierKey {
    JournalKey::from_seed([100; 32])
        .verifier("log.example")
        .unwrap()
}

/// Cosigned by witnesses at times.
fn cosigned(by: &[(u8, i64)]) -> SignedCheckpoint {
    let checkpoint = checkpoint();
    let lines: Vec<String> = by
        .iter()
        .map(|&(n, time)| witness(n).cosign(&checkpoint, at(time)))
        .collect();
    checkpoint
        .with_lines(lines.iter().map(String::as_str))
        .unwrap()
}

/// The example of the specification: two of three, and one of three others.
fn example() -> String {
    let mut text = format!("# the example\nlog {} https://log.example/\n\n", log());
    for (n, name) in (1..).zip(["X1", "X2", "X3", "Y1", "Y2", "Y3"]) {
        text += &format!("witness {name}  {}\n", witness(n).verifier());
    }
    text + "group X-witnesses 2 X1 X2 X3\n\tgroup Y-witnesses any Y1 Y2 Y3 \ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

fn policy(text: &str) -> WitnessPolicy {
    WitnessPolicy::parse("policy", text).unwrap()
}

#[test]
fn a_quorum_is_met_by_enough_of_each_group() {
    let policy = policy(&example());
    let cases: [(&[(u8, i64)], bool); 7] = [
        (&[], false),
        (&[(1, 10), (2, 10)], false),
        (&[(1, 10), (4, 10)], false),
        (&[(4, 10), (5, 10), (6, 10)], false),
        (&[(1, 10), (3, 10), (6, 10)], true),
        (
            &[(1, 10), (2, 10), (3, 10), (4, 10), (5, 10), (6, 10)],
            true,
        ),
        // A stranger counts for nothing.
        (&[(1, 10), (9, 10), (6, 10)], false),
    ];
    for (by, met) in cases {
        let witnessed = policy.satisfied(&cosigned(by));
        assert_eq!(witnessed.is_ok(), met, "{by:?}: {witnessed:?}");
    }
}

#[test]
fn a_quorum_is_as_old_as_the_oldest_cosignature_that_it_needs() {
    let policy = policy(&example());
    let witnessed = policy
        .satisfied(&cosigned(&[(1, 30), (2, 10), (3, 20), (4, 5), (5, 25)]))
        .unwrap();
    // X is witnessed since 20 (two of 30, 20, 10), Y since 25.
    assert_eq!(witnessed.time, Some(at(20)));
    let told: Vec<_> = witnessed
        .cosigners
        .iter()
        .map(|(witness, time)| (witness.name.as_str(), time.unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("X1", at(30)),
            ("X2", at(10)),
            ("X3", at(20)),
            ("Y1", at(5)),
            ("Y2", at(25))
        ]
    );
}

#[test]
fn a_quorum_that_is_not_met_says_who_has_cosigned() {
    let policy = policy(&example());
    let told = |by: &[(u8, i64)]| policy.satisfied(&cosigned(by)).unwrap_err().to_string();
    assert_eq!(
        told(&[]),
        "the quorum `X-and-Y` is not met: none of the policy's witnesses has cosigned"
    );
    assert_eq!(
        told(&[(1, 1), (5, 1)]),
        "the quorum `X-and-Y` is not met: only `X1`, `Y2` cosigned"
    );
}

#[test]
fn a_witness_alone_or_nobody_can_be_the_quorum() {
    let one = format!(
        "witness W {}\nwitness V {}\nquorum W",
        witness(1).verifier(),
        witness(2).verifier()
    );
    assert_eq!(
        policy(&one).satisfied(&cosigned(&[(1, 3)])).unwrap().time,
        Some(at(3))
    );
    assert!(policy(&one).satisfied(&cosigned(&[(2, 3)])).is_err());
    let nobody = WitnessedCheckpoint {
        cosigners: Vec::new(),
        time: None,
    };
    assert_eq!(policy("quorum none\n").satisfied(&checkpoint()), Ok(nobody));
}

#[test]
fn a_bad_cosignature_of_a_witness_of_the_policy_refuses_all() {
    let text = format!(
        "witness W {}\nwitness V {}\ngroup G any W V\nquorum G",
        witness(1).verifier(),
        witness(2).verifier()
    );
    let line = witness(2).cosign(&checkpoint(), at(5));
    let (front, _) = line.rsplit_once(' ').unwrap();
    let other = checkpoint().with_lines(["\u{2014} x AAAAAAAA"]).unwrap();
    assert!(policy(&text).satisfied(&other).is_err());
    // The cosignature of another checkpoint under the name of this one.
    let elsewhere = JournalKey::from_seed([100; 32]).sign(
        Checkpoint {
            origin: "log.example".to_owned(),
            size: 8,
            root: [8; 32],
        },
        &log(),
    );
    let moved = witness(2).cosign(&elsewhere, at(5));
    assert!(moved.starts_with(front));
    let good = witness(1).cosign(&checkpoint(), at(5));
    let note = checkpoint()
        .with_lines([good.as_str(), moved.as_str()])
        .unwrap();
    assert_eq!(
        policy(&text).satisfied(&note),
        Err(QuorumError::Note(NoteError::BadSignature(
            "witness2.example".to_owned()
        )))
    );
}

#[test]
fn a_policy_that_names_logs_accepts_no_other() {
    let stranger = JournalKey::from_seed([101; 32]);
    let other = stranger.verifier("log.example").unwrap();
    let text = format!("log {other}\nquorum none\n");
    assert_eq!(
        policy(&text).satisfied(&checkpoint()),
        Err(QuorumError::OtherLog("log.example".to_owned()))
    );
    // The same key under another name speaks for another log.
    let renamed = JournalKey::from_seed([100; 32])
        .verifier("another.example")
        .unwrap();
    let text = format!("log {renamed}\nquorum none\n");
    assert!(policy(&text).satisfied(&checkpoint()).is_err());
    let text = format!("log {other}\nlog {}\nquorum none\n", log());
    assert!(policy(&text).satisfied(&checkpoint()).is_ok());
}

#[test]
fn ml_dsa_keys_witness_and_sign_as_well() {
    let key = PostQuantumKey::from_seed([5; 32]);
    let witness = key.verifier("pq.example").unwrap();
    let log = key.verifier("log.example").unwrap();
    let text = format!("log {log}\nwitness W {witness}\nquorum W");
    let checkpoint = checkpoint();
    let lines = [
        key.cosign(&log, &checkpoint, at(0)).unwrap(),
        key.cosign(&witness, &checkpoint, at(44)).unwrap(),
    ];
    let note = checkpoint
        .with_lines(lines.iter().map(String::as_str))
        .unwrap();
    let witnessed = policy(&text).satisfied(&note).unwrap();
    assert_eq!(witnessed.time, Some(at(44)));
    assert_eq!(witnessed.cosigners[0].0.key.kind(), KeyKind::MlDsa44);
}

#[test]
fn a_policy_tells_its_logs_and_witnesses() {
    let text = format!(
        "log {} https://log.example/\nwitness W {} https://w.example/submit\nquorum W",
        log(),
        witness(1).verifier()
    );
    let policy = policy(&text);
    assert_eq!(
        policy.logs(),
        [Log {
            key: log(),
            url: Some("https://log.example/".to_owned())
        }]
    );
    let witnesses: Vec<_> = policy.witnesses().cloned().collect();
    assert_eq!(
        witnesses,
        [Witness {
            name: "W".to_owned(),
            key: witness(1).verifier().clone(),
            url: Some("https://w.example/submit".to_owned())
        }]
    );
}

#[test]
fn a_policy_with_faults_is_refused_with_their_lines() {
    let w = |n| witness(n).verifier().to_string();
    let cases = [
        (
            String::new(),
            "policy: no quorum is defined; end the policy with `quorum <name>`, or `quorum none`",
        ),
        (
            "quorum none\nquorum none\n".to_owned(),
            "policy:2: a second quorum; there is exactly one",
        ),
        (
            "quorum X\n".to_owned(),
            "policy:1: `X` is not defined on a line before this one",
        ),
        (
            format!("witness civil {}\nquorum civl\n", w(1)),
            "policy:2: `civl` is not defined on a line before this one; did you mean `civil`?",
        ),
        (
            format!("quorum W\nwitness W {}\n", w(1)),
            "policy:1: `W` is not defined on a line before this one",
        ),
        (
            format!("witness A {}\nwitness A {}\nquorum none\n", w(1), w(2)),
            "policy:2: `A` is defined twice",
        ),
        (
            format!("witness A {}\nwitness B {}\nquorum none\n", w(1), w(1)),
            "policy:2: the witness's key stands here twice, so that it would count twice",
        ),
        (
            format!("witness none {}\nquorum none\n", w(1)),
            "policy:1: `none` is the name of the empty quorum; choose another name",
        ),
        (
            format!("log {0}\nlog {0}\nquorum none\n", log()),
            "policy:2: the log's key stands here twice",
        ),
        (
            format!("log {}\nquorum none\n", w(1)),
            "policy:1: it is a witness's key (type 04); a log has one of type 01 or 06",
        ),
        (
            format!("witness A {}\nquorum A\n", log()),
            "policy:1: it is a log's key (type 01); a witness has one of type 04 or 06",
        ),
        (
            "witness A key\ngroup G all A\nquorum G\n".to_owned(),
            "policy:1: not a verifier key: it has no `+`",
        ),
        (
            format!("witness A {}\ngroup G 2 A\nquorum G\n", w(1)),
            "policy:2: `2` is not how many of the 1 members are enough; write `all`, `any` or a number from 1 to 1",
        ),
        (
            format!("witness A {}\ngroup G 0 A\nquorum A\n", w(1)),
            "policy:2: `0` is not how many of the 1 members are enough; write `all`, `any` or a number from 1 to 1",
        ),
        (
            format!(
                "witness A {}\ngroup G any A\ngroup H any A\nquorum G\n",
                w(1)
            ),
            "policy:3: `A` is in a group already",
        ),
        (
            format!("witness A {}\ngroup G any A none\nquorum A\n", w(1)),
            "policy:2: `none` is not defined on a line before this one",
        ),
        (
            "group G any G\nquorum G\n".to_owned(),
            "policy:1: `G` is not defined on a line before this one",
        ),
        (
            "group G any\nquorum none\n".to_owned(),
            "policy:1: expected `group <name> all|any|<number> <member>...`",
        ),
        (
            "witnes A\nquorum none\n".to_owned(),
            "policy:1: `witnes` is not `log`, `witness`, `group` or `quorum`; did you mean `witness`?",
        ),
        (
            "witness A\nquorum none\n".to_owned(),
            "policy:1: expected `witness <name> <vkey> [<url>]`",
        ),
        (
            "quorum none\r\n".to_owned(),
            "policy:1: a control character; only tabs and line feeds are allowed",
        ),
    ];
    for (text, expected) in cases {
        let faults = WitnessPolicy::parse("policy", &text).unwrap_err();
        assert_eq!(faults[0].to_string(), expected, "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "nonsense\nwitness A b\nlog c\n";
    let lines: Vec<usize> = WitnessPolicy::parse("policy", text)
        .unwrap_err()
        .iter()
        .map(|fault| fault.line)
        .collect();
    assert_eq!(lines, [1, 2, 3, 0]);
}

#[test]
fn a_policy_without_end_is_refused_after_a_while() {
    let text = "nonsense\n".repeat(100_000);
    let faults = WitnessPolicy::parse("policy", &text).unwrap_err();
    assert_eq!(faults.len(), 100);
}
