use proptest::prelude::*;

use super::*;
use crate::journal::testing::unsigned;

fn build(records: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.clear();
    for (n, record) in records.iter().enumerate() {
        builder.push(&[n as u8; LEAF_BYTES], &[n as u8 + 100; 32], record);
    }
    let count = records.len() as u32;
    builder.finish(&commit(count, Some(3))).to_vec()
}

fn commit(count: u32, oldest_open: Option<u64>) -> NewCommit<'static> {
    NewCommit {
        first: 7,
        count,
        root: &[9; 32],
        oldest_open,
        signature: &[5; SIGNATURE_BYTES],
    }
}

fn parse(bytes: &[u8]) -> Result<Frame, BadFrame> {
    let header = Header::parse(bytes.first_chunk().ok_or(BadFrame::Length)?)?;
    Frame::parse(header, Bytes::copy_from_slice(bytes))
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    let frame = parse(&build(&[b"first".to_vec(), Vec::new()])).unwrap();
    assert!(frame.is_intact());
    assert_eq!(
        (frame.header.first, frame.header.end(), frame.header.root),
        (7, 9, [9; 32])
    );
    assert_eq!(frame.header.oldest_open, Some(3));
    let [first, second] = frame.entries() else {
        panic!("two entries were written")
    };
    let sealed = |entry: &RawEntry| entry.sealed.clone().unwrap();
    assert_eq!(
        (first.leaf, sealed(first).salt, &sealed(first).record[..]),
        ([0; LEAF_BYTES], [100; 32], b"first".as_slice())
    );
    assert_eq!(
        (second.leaf, sealed(second).salt, &sealed(second).record[..]),
        ([1; LEAF_BYTES], [101; 32], b"".as_slice())
    );
}

#[test]
fn the_layout_is_as_described() {
    let bytes = build(&[b"record".to_vec()]);
    assert_eq!(bytes.len(), 128 + 180 + 6);
    assert_eq!(bytes[..4], [0xff, b'L', b'B', 2]);
    assert_eq!(bytes[4..8], 314u32.to_be_bytes());
    assert_eq!(bytes[8..16], 7u64.to_be_bytes());
    assert_eq!(bytes[16..20], 1u32.to_be_bytes());
    assert_eq!(bytes[24..56], [9; 32]);
    assert_eq!(bytes[56..64], 3u64.to_be_bytes());
    assert_eq!(bytes[64..128], [5; 64]);
    assert_eq!(bytes[128 + 176..128 + 180], 6u32.to_be_bytes());
    assert_eq!(&bytes[308..], b"record");
}

#[test]
fn a_frame_of_the_earlier_version_is_read_and_is_signed_by_nobody() {
    let signed = build(&[b"record".to_vec()]);
    let earlier = unsigned(&signed);
    assert_eq!(earlier[..4], [0xff, b'L', b'B', 1]);
    let (signed, earlier) = (parse(&signed).unwrap(), parse(&earlier).unwrap());
    assert!(earlier.is_intact());
    assert_eq!(earlier.leaves(), signed.leaves());
    let erased = parse(&earlier.without(|_| true)).unwrap();
    assert!(erased.is_intact() && erased.entries()[0].sealed.is_none());
    let key = VerifierKey::new("log", [1; 32]).unwrap();
    let check = |frame: &Frame| frame.check_signature("log", std::slice::from_ref(&key));
    assert_eq!(check(&earlier), Err(BadFrame::Unsigned));
    assert_eq!(check(&signed), Err(BadFrame::Signature));
}

#[test]
fn a_frame_that_claims_too_much_is_refused() {
    let good = build(&[b"record".to_vec()]);
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        parse(&frame).err()
    };
    assert_eq!(with(0, b"no"), Some(BadFrame::Magic));
    assert_eq!(with(4, &u32::MAX.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(4, &64u32.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(16, &0u32.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(16, &u32::MAX.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(304, &u32::MAX.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(304, &5u32.to_be_bytes()), Some(BadFrame::Length));
}

proptest! {
    #[test]
    fn no_flipped_bit_goes_unnoticed(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut bytes = build(&records);
        prop_assert!(parse(&bytes).unwrap().is_intact());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(!parse(&bytes).is_ok_and(|frame| frame.is_intact()));
    }

    #[test]
    fn no_bytes_make_the_parser_fail(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = bytes;
        if bytes.len() > 20 {
            bytes[..8].copy_from_slice(&[0xff, b'L', b'B', 2, 0, 0, 1, 0]);
        }
        let _ = parse(&bytes);
    }
}

fn erased_frame() -> (Vec<u8>, Vec<u8>) {
    let mut builder = FrameBuilder::default();
    builder.clear();
    for n in 0..3u8 {
        builder.push(
            &[n; LEAF_BYTES],
            &[n + 1; 32],
            &vec![b'x'; 10 * usize::from(n)],
        );
    }
    let whole = builder.finish(&commit(3, Some(5))).to_vec();
    let frame = parse(&whole).unwrap();
    let erased = frame.without(|index| index > 7);
    (whole, erased)
}

#[test]
fn an_erased_record_leaves_its_place_and_nothing_else() {
    let (whole, erased) = erased_frame();
    assert_eq!(erased.len(), whole.len());
    let frame = parse(&erased).unwrap();
    assert!(frame.is_intact());
    assert_eq!(
        (frame.header.root, frame.header.oldest_open),
        ([9; 32], Some(5))
    );
    let sealed: Vec<_> = frame.entries().iter().map(|e| e.sealed.is_some()).collect();
    assert_eq!(sealed, [true, false, false]);
    for (n, entry) in frame.entries().iter().enumerate() {
        assert_eq!(entry.leaf, [n as u8; LEAF_BYTES]);
    }
    assert!(!erased.windows(2).any(|bytes| bytes == b"xx"));
    // To erase again what is erased changes nothing, to erase nothing neither.
    assert_eq!(frame.without(|index| index == 9), erased);
    assert_eq!(parse(&whole).unwrap().without(|_| false), whole);
}

#[test]
fn what_calls_itself_erased_and_holds_something_is_no_entry() {
    let (_, erased) = erased_frame();
    let last_salt = erased.len() - 20 - 4 - 32;
    for at in [last_salt, erased.len() - 1] {
        let mut tampered = erased.clone();
        tampered[at] = 1;
        assert_eq!(parse(&tampered).unwrap_err(), BadFrame::Length, "byte {at}");
    }
}
