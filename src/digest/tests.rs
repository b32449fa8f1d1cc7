use crate::digest::sha256;
use proptest::prelude::*;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn request() -> Digest {
    TranscriptHash::new("gw.request.v1")
        .part("GET")
        .part("/v1/person/60001017869/income?year=2025")
        .part("")
        .number(0)
        .fixed(&sha256(&[]))
        .finish()
}

fn response() -> Digest {
    let body = br#"{"income":12345}"#;
    TranscriptHash::new("gw.response.v1")
        .fixed(&200u16.to_be_bytes())
        .part("application/json")
        .number(body.len() as u64)
        .fixed(&sha256(&[body]))
        .finish()
}

// The vectors of the draft that this format comes from.
#[test]
fn requests_and_responses_are_digested_as_in_the_draft() {
    assert_eq!(
        hex(&request()),
        "187bc7605d162beccd7cfcb2cf7e2d2ee8c57b83147ccc2484c14a0a007790b9"
    );
    assert_eq!(
        hex(&response()),
        "c091a79faaa468c8bceb248d4aa8af8c3ff8e7df44b9d4423dccbaf4b2ec085c"
    );
}

#[test]
fn a_part_of_any_length_is_digested() {
    let (long, longer) = (vec![b'a'; 65_535], vec![b'a'; 65_536]);
    let digest = |part: &[u8]| TranscriptHash::new("test").part(part).finish();
    assert_ne!(digest(&long), digest(&longer));
    let stand_in = TranscriptHash::new("test")
        .fixed(&[0xff, 0xff])
        .fixed(&sha256(&[&long]))
        .finish();
    assert_eq!(digest(&long), stand_in);
}

proptest! {
    #[test]
    fn parts_are_never_confused_with_their_neighbours(left in "[ab]{0,6}", right in "[ab]{0,6}", at in 0..12usize) {
        let joined = format!("{left}{right}");
        let at = at.min(joined.len());
        let digest = |left: &str, right: &str| TranscriptHash::new("test").part(left).part(right).finish();
        let same = at == left.len();
        prop_assert_eq!(digest(joined.split_at(at).0, joined.split_at(at).1) == digest(&left, &right), same);
    }
}
