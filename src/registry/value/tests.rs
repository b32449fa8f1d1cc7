use std::path::Path;
use std::sync::Arc;

use proptest::prelude::any;
use proptest::proptest;

use super::Given;
use super::Literal;
use super::base64;
use super::misfit;
use crate::pb;
use crate::registry::Registry;
use crate::registry::field::Field;

const KINDS: &str = r#"syntax = "proto3";
package test.v1;
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
import "landbridge/v1/annotations.proto";
message Kinds {
  option (landbridge.v1.record) = {
    owner: "test" key: "text" title: "Kinds" sharing: SHARING_CLASS_CONDITIONAL
  };
  string text = 1;
  sint32 small = 2;
  int64 large = 3;
  fixed32 natural = 4;
  uint64 huge = 5;
  float rough = 6;
  double fine = 7;
  bool flag = 8;
  bytes data = 9;
  Colour colour = 10;
  google.protobuf.Timestamp at = 11;
  google.protobuf.Duration lasting = 12;
  map<string, string> notes = 13;
  repeated int32 list = 14;
}
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
"#;

fn field(path: &str) -> Field {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("kinds.proto"), KINDS).unwrap();
    let registry = Registry::compile(root.path()).unwrap();
    registry
        .record("test.v1.Kinds")
        .unwrap()
        .field(path)
        .unwrap()
}

fn text(path: &str, text: &str) -> Result<Literal, String> {
    Literal::from_text(&field(path), text).map_err(|e| e.to_string())
}

fn given(path: &str, kind: Given) -> Result<Literal, String> {
    let value = pb::Value { kind: Some(kind) };
    Literal::from_pb(&field(path), &value).map_err(|e| e.to_string())
}

/// `Literal` has no `Debug` that shows a value, so that `assert_eq!` would not tell what differs.
fn show(literal: &Literal) -> String {
    match literal {
        Literal::Text(t) => format!("text {t}"),
        Literal::Decimal(d) => format!("decimal {}", d.as_str()),
        Literal::Integer(n) => format!("integer {n}"),
        Literal::Unsigned(n) => format!("unsigned {n}"),
        Literal::Number(n) => format!("number {n}"),
        Literal::Boolean(b) => format!("boolean {b}"),
        Literal::Data(d) => format!("data {d:?}"),
        Literal::Enum { name, number } => format!("enum {name} {number}"),
        Literal::Time { seconds, nanos } => format!("time {seconds} {nanos}"),
    }
}

#[test]
fn text_is_read_as_the_kind_of_its_field() {
    let rows = [
        ("text", "' OR 1=1 --", "text ' OR 1=1 --"),
        ("small", "-2147483648", "integer -2147483648"),
        (
            "large",
            "9223372036854775807",
            "integer 9223372036854775807",
        ),
        ("natural", "4294967295", "unsigned 4294967295"),
        (
            "huge",
            "18446744073709551615",
            "unsigned 18446744073709551615",
        ),
        ("rough", "0.5", "number 0.5"),
        ("fine", "-1e3", "number -1000"),
        ("flag", "TRUE", "boolean true"),
        ("data", "aGk=", "data b\"hi\""),
        ("colour", "COLOUR_RED", "enum COLOUR_RED 1"),
        ("colour", "1", "enum COLOUR_RED 1"),
        ("at", "1970-01-01T08:00:01.5+08:00", "time 1 500000000"),
        ("list", "7", "integer 7"),
    ];
    for (path, given, expected) in rows {
        assert_eq!(
            text(path, given).map(|l| show(&l)),
            Ok(expected.into()),
            "{path}"
        );
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_without_being_shown() {
    let rows = [
        (
            "small",
            "2147483648",
            "`small` takes a whole number from -2147483648 to 2147483647",
        ),
        (
            "natural",
            "-1",
            "`natural` takes a whole number from 0 to 4294967295",
        ),
        (
            "huge",
            "1.5",
            "`huge` takes a whole number from 0 to 18446744073709551615",
        ),
        ("rough", "1e39", "`rough` takes a finite number"),
        ("fine", "NaN", "`fine` takes a finite number"),
        ("flag", "yes", "`flag` takes `true` or `false`"),
        (
            "data",
            "a",
            "`data` takes bytes, base64 where they are written as text",
        ),
        (
            "colour",
            "RED",
            "`colour` takes one of `COLOUR_UNSPECIFIED`, `COLOUR_RED`",
        ),
        (
            "colour",
            "7",
            "`colour` takes one of `COLOUR_UNSPECIFIED`, `COLOUR_RED`",
        ),
        (
            "at",
            "2026-01-01",
            "`at` takes a time, such as `2026-01-31T08:00:00+08:00` where it is written as text",
        ),
        (
            "lasting",
            "1s",
            "`lasting` takes no single value: it is a google.protobuf.Duration",
        ),
    ];
    for (path, given, expected) in rows {
        assert_eq!(text(path, given).unwrap_err(), expected);
    }
    assert_eq!(
        text("notes", "a").unwrap_err(),
        "`notes` takes no single value: it is a map<string, string>"
    );
}

#[test]
fn a_requests_value_must_have_the_kind_of_its_field() {
    let ok = |path, kind| show(&given(path, kind).unwrap());
    assert_eq!(ok("small", Given::Integer(-5)), "integer -5");
    assert_eq!(ok("fine", Given::Integer(5)), "number 5");
    assert_eq!(
        ok("colour", Given::Text("COLOUR_RED".into())),
        "enum COLOUR_RED 1"
    );
    assert_eq!(
        ok("huge", Given::Text("18446744073709551615".into())),
        "unsigned 18446744073709551615"
    );
    let time = |seconds, nanos| Given::Time(prost_types::Timestamp { seconds, nanos });
    assert_eq!(ok("at", time(1, 2)), "time 1 2");

    let refused = [
        ("text", Given::Integer(1)),
        ("large", Given::Text("1".into())),
        ("large", Given::Number(1.0)),
        ("natural", Given::Integer(-1)),
        ("fine", Given::Integer(i64::MAX)),
        ("fine", Given::Number(f64::INFINITY)),
        ("flag", Given::Text("true".into())),
        ("colour", Given::Integer(1)),
        ("at", Given::Text("2026-01-01T00:00:00Z".into())),
        ("at", time(1, 1_000_000_000)),
        ("at", time(i64::MAX, 0)),
        ("text", time(1, 0)),
    ];
    for (path, kind) in refused {
        assert!(given(path, kind).is_err(), "{path}");
    }
    let nothing = pb::Value { kind: None };
    assert!(Literal::from_pb(&field("text"), &nothing).is_err());
}

#[test]
fn a_number_for_a_float_is_rounded_as_the_records_are() {
    let Ok(Literal::Number(n)) = text("rough", "0.1") else {
        panic!("not a number");
    };
    assert_eq!(n, f64::from(0.1_f32));
}

#[test]
fn equal_values_have_equal_tag_bytes() {
    assert_eq!(&*text("large", "007").unwrap().tag_bytes(), b"7");
    assert_eq!(&*text("text", "007").unwrap().tag_bytes(), b"007");
    assert_eq!(
        text("fine", "-0").unwrap().tag_bytes(),
        text("fine", "0").unwrap().tag_bytes()
    );
    assert_eq!(
        text("at", "1970-01-01T08:00:00+08:00").unwrap().tag_bytes(),
        text("at", "1970-01-01T00:00:00Z").unwrap().tag_bytes()
    );
}

#[test]
fn debug_shows_no_value() {
    let secret = Literal::Text(Arc::from("110101199003070000"));
    assert_eq!(format!("{secret:?}"), "Text");
}

#[test]
fn base64_is_read_in_both_alphabets_and_only_whole() {
    assert_eq!(base64::decode("").unwrap(), b"");
    assert_eq!(base64::decode("_-8").unwrap(), [0xff, 0xef]);
    assert_eq!(base64::decode("/+8=").unwrap(), [0xff, 0xef]);
    assert_eq!(base64::decode("Zm9vYmFy").unwrap(), b"foobar");
    for bad in ["a", "a=", "aGk==", "aGl=", "a===", "=", "a b=", "aGk\n"] {
        assert_eq!(base64::decode(bad), None, "{bad:?}");
    }
}

#[test]
fn keys_of_the_sample_registry_are_read() {
    let registry = Registry::compile(Path::new("proto/registry")).unwrap();
    let payment = registry.record("tax.v1.PaymentRecord").unwrap();
    let key = Literal::from_text(payment.key(), "42").unwrap();
    assert_eq!(show(&key), "integer 42");
}

proptest! {
    #[test]
    fn reading_a_value_never_panics_nor_shows_it(given in ".{0,20}") {
        thread_local!(static FIELDS: Vec<Field> = KIND_FIELDS.map(field).into());
        FIELDS.with(|fields| {
            for field in fields {
                if let Err(error) = Literal::from_text(field, &given) {
                    assert_eq!(error, misfit(field));
                }
            }
        });
    }

    #[test]
    fn bytes_written_in_base64_are_read_back(data in proptest::collection::vec(any::<u8>(), 0..50)) {
        assert_eq!(base64::decode(&encode(&data)), Some(data));
    }
}

const KIND_FIELDS: [&str; 13] = [
    "text", "small", "large", "natural", "huge", "rough", "fine", "flag", "data", "colour", "at",
    "lasting", "notes",
];

fn encode(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = data
        .iter()
        .flat_map(|b| (0..8).rev().map(move |i| b >> i & 1))
        .collect();
    let digit = |six: &[u8]| {
        let value = (0..6).fold(0, |v, i| v << 1 | six.get(i).copied().unwrap_or(0));
        char::from(DIGITS[usize::from(value)])
    };
    bits.chunks(6).map(digit).collect()
}
