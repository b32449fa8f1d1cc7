use proptest::prelude::*;

use super::*;

fn build(records: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.clear();
    for (n, record) in records.iter().enumerate() {
        builder.push(&[n as u8; LEAF_BYTES], &[n as u8 + 100; 32], record);
    }
    builder
        .finish(7, records.len() as u32, &[9; 32], Some(3))
        .to_vec()
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
    assert_eq!(
        (first.leaf, first.salt, &first.record[..]),
        ([0; LEAF_BYTES], [100; 32], b"first".as_slice())
    );
    assert_eq!(
        (second.leaf, second.salt, &second.record[..]),
        ([1; LEAF_BYTES], [101; 32], b"".as_slice())
    );
}

#[test]
fn the_layout_is_as_described() {
    let bytes = build(&[b"record".to_vec()]);
    assert_eq!(bytes.len(), 64 + 180 + 6);
    assert_eq!(bytes[..4], [0xff, b'L', b'B', 1]);
    assert_eq!(bytes[4..8], 250u32.to_be_bytes());
    assert_eq!(bytes[8..16], 7u64.to_be_bytes());
    assert_eq!(bytes[16..20], 1u32.to_be_bytes());
    assert_eq!(bytes[24..56], [9; 32]);
    assert_eq!(bytes[56..64], 3u64.to_be_bytes());
    assert_eq!(bytes[64 + 176..64 + 180], 6u32.to_be_bytes());
    assert_eq!(&bytes[244..], b"record");
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
    assert_eq!(with(240, &u32::MAX.to_be_bytes()), Some(BadFrame::Length));
    assert_eq!(with(240, &5u32.to_be_bytes()), Some(BadFrame::Length));
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
            bytes[..8].copy_from_slice(&[0xff, b'L', b'B', 1, 0, 0, 1, 0]);
        }
        let _ = parse(&bytes);
    }
}
