use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_field_is_named() {
    let first = |bytes: &'static [u8]| WireFields::of(bytes).next().unwrap().err();
    assert_eq!(first(&[0x80]), Some(Malformed::Truncated));
    assert_eq!(first(&[0x08]), Some(Malformed::Truncated));
    assert_eq!(first(&[0x0a, 2, 0]), Some(Malformed::Truncated));
    assert_eq!(first(&[0x0d, 1, 2, 3]), Some(Malformed::Truncated));
    assert_eq!(first(&[0xff; 11]), Some(Malformed::Varint));
    assert_eq!(first(&[0x02, 0]), Some(Malformed::Number(0)));
    let wire_type = Malformed::WireType {
        number: 1,
        wire_type: 4,
    };
    assert_eq!(first(&[0x0c]), Some(wire_type));
    assert_eq!(WireFields::of(&[0x80]).count(), 1);
}

proptest! {
    #[test]
    fn a_varint_is_read_as_it_was_written(value: u64, shift in 0_u32..64) {
        let value = value >> shift;
        let mut out = Vec::new();
        put_varint(&mut out, value);
        let mut rest = &out[..];
        prop_assert_eq!(varint(&mut rest), Ok(value));
        prop_assert!(rest.is_empty());
    }

    /// The guess at the length changes nothing but the work.
    #[test]
    fn a_nested_message_is_written_whatever_its_guessed_length(
        before in vec(any::<u8>(), 0..4),
        body in vec(any::<u8>(), 0..300),
        guess in 0_usize..40_000,
    ) {
        let mut nested = before.clone();
        let written: Result<(), Malformed> = put_nested(&mut nested, 5, guess, |out| {
            out.extend(&body);
            Ok(())
        });
        prop_assert_eq!(written, Ok(()));
        let mut plain = before;
        put_len(&mut plain, 5, &body);
        prop_assert_eq!(nested, plain);
    }
}
