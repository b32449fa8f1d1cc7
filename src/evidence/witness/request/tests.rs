use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::tlog::merkle;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// The worked vector: a log of seven entries to a witness that has cosigned three.
const VECTOR: &str = "old 3
V8efTzGuApxdS9MLBzwnyU35NDiytGl+Hh7vW8A5SkE=
YcoROfaBWEHVuvLQ0tm9nf7pfImN1ve6DAqpQe5sAes=
WkdmL9ijF9lgSaP59HxV3GfKZgUbqjaD27GbL+CaB7A=
lK+4osoFHAVFjqOdzRmxvWjn4zUp8QtDnSphWlH2NuI=

gw.tax.example/audit
7
mMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=

\u{2014} gw.tax.example/audit wtyrlPbYh4zuStm3KbQU67ju63eWTAEnBw+qShhsSdvOUjYJlKvxYd0iVjDSAb2heWx814wsXLHPlPRm9NqvwzrIHww=
";

#[test]
fn the_worked_vector_is_read_verified_and_written_again() {
    let request = AddCheckpoint::parse(VECTOR).unwrap();
    assert_eq!((request.old, request.proof.len()), (3, 4));
    assert_eq!(request.body(), VECTOR);

    let key = "gw.tax.example/audit+c2dcab94+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    let checkpoint = SignedCheckpoint::open(request.note, &[key.parse().unwrap()]).unwrap();
    let old_root = hash("lPvQ3YNvUDAWkubQ6t5yjuGexSv/8WBu2AfIV11aqhk=").unwrap();
    merkle::verify_consistency(
        (3, &old_root),
        (checkpoint.size(), checkpoint.root()),
        &request.proof,
    )
    .unwrap();
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let line = "V8efTzGuApxdS9MLBzwnyU35NDiytGl+Hh7vW8A5SkE=\n";
    let long = format!("old 3\n{}\nnote", line.repeat(64));
    let first = "the first line is not `old` and a size";
    let proof = "a line of the proof is not a hash";
    for (body, why) in [
        ("", "no empty line ends the proof"),
        ("old 3\n", "no empty line ends the proof"),
        ("new 3\n\nnote", first),
        ("old\n\nnote", first),
        ("old -3\n\nnote", first),
        ("old +3\n\nnote", first),
        ("old 03\n\nnote", first),
        ("old 3 \n\nnote", first),
        ("old 18446744073709551616\n\nnote", first),
        ("old 3\nAAAA\n\nnote", proof),
        (
            "old 3\nV8efTzGuApxdS9MLBzwnyU35NDiytGl+Hh7vW8A5SkE\n\nn",
            proof,
        ),
        (
            "old 3\nV8efTzGuApxdS9MLBzwnyU35NDiytGl+Hh7vW8A5SkF=\n\nn",
            proof,
        ),
        (&long, "the proof is too long"),
        (&"x".repeat(MAX_REQUEST_BYTES + 1), "it is too long"),
    ] {
        assert_eq!(
            AddCheckpoint::parse(body),
            Err(Malformed(why)),
            "{body:.40}"
        );
    }
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        old in any::<u64>(),
        proof in vec(any::<Hash>(), 0..=MAX_PROOF),
        note in "[ -~\n]{0,200}",
    ) {
        let request = AddCheckpoint { old, proof, note: &note };
        let body = request.body();
        prop_assert_eq!(AddCheckpoint::parse(&body), Ok(request));
    }

    #[test]
    fn what_is_read_says_the_same_when_it_is_written(body in "(old [0-9+]{1,4}\n)?([A-Za-z0-9+/=]{0,44}\n){0,3}\n?.{0,40}") {
        if let Ok(request) = AddCheckpoint::parse(&body) {
            prop_assert_eq!(request.body(), body);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(body in "\\PC{0,300}") {
        let _ = AddCheckpoint::parse(&body);
    }
}
