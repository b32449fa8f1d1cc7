//! A record type with every kind of field, and random records of it, for tests.

use std::fs;
use std::sync::Arc;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::Registry;
use super::field::Field;
use super::scalar::Scalar;
use super::schema::RecordSchema;
use super::wire::WireValue;
use super::wire::put_bare;
use super::wire::put_len;
use super::wire::put_value;

const DATE: &str = r#"syntax = "proto3";
package google.type;
message Date {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
}
"#;

const SPECIMEN: &str = r#"syntax = "proto3";
package test.v1;
import "google/protobuf/timestamp.proto";
import "google/type/date.proto";
import "landbridge/v1/annotations.proto";

message Specimen {
  option (landbridge.v1.record) = {
    owner: "test" key: "id" title: "Specimen" sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1;
  optional string nickname = 2;
  Status status = 3;
  int32 small = 4;
  int64 big = 5;
  uint32 usmall = 6;
  uint64 ubig = 7;
  sint32 zsmall = 8;
  sint64 zbig = 9;
  fixed32 fsmall = 10;
  fixed64 fbig = 11;
  sfixed32 sfsmall = 12;
  sfixed64 sfbig = 13;
  float ratio = 14;
  double weight = 15;
  bool flag = 16;
  bytes photo = 17;
  google.protobuf.Timestamp created = 18;
  Address address = 19;
  repeated string tags = 20;
  repeated int64 scores = 21;
  map<string, Address> homes = 22;
  repeated Address visits = 23;
  oneof contact {
    string phone = 24;
    string email = 25;
    Address office = 26;
  }
  optional bool agreed = 27;
  optional Status grade = 28;
  string birth = 29;
  google.type.Date married = 30;
  optional int32 rank = 31;
  repeated double weights = 32;
}

message Address {
  string district = 1;
  string street = 2;
  optional int32 floor = 3;
  Address previous = 4;
}

enum Status {
  STATUS_UNSPECIFIED = 0;
  STATUS_ACTIVE = 1;
  STATUS_CLOSED = 2;
}
"#;

static SCHEMA: LazyLock<Arc<RecordSchema>> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("google/type")).unwrap();
    fs::create_dir_all(root.path().join("test/v1")).unwrap();
    fs::write(root.path().join("google/type/date.proto"), DATE).unwrap();
    fs::write(root.path().join("test/v1/specimen.proto"), SPECIMEN).unwrap();
    let registry = Registry::compile(root.path()).unwrap();
    Arc::clone(registry.record("test.v1.Specimen").unwrap())
});

pub(crate) fn schema() -> &'static RecordSchema {
    &SCHEMA
}

pub(crate) fn field(path: &str) -> Field {
    schema().field(path).unwrap()
}

/// Encodes a record from its JSON form.
pub(crate) fn record(json: &serde_json::Value) -> Vec<u8> {
    use prost::Message;
    use serde::de::DeserializeSeed;
    let message = schema().descriptor().clone().deserialize(json).unwrap();
    message.encode_to_vec()
}

/// Random encoded records that fit the schema: fields in any order and any number of times, lists packed and not,
/// unknown fields at every level.
pub(crate) fn records() -> BoxedStrategy<Vec<u8>> {
    messages(schema().descriptor(), 3)
}

fn messages(message: &MessageDescriptor, depth: u32) -> BoxedStrategy<Vec<u8>> {
    let known: Vec<_> = message.fields().collect();
    let field = prop_oneof![
        9 => select(known).prop_flat_map(move |field| encoded(&field, depth)),
        1 => (100_u32..110, vec(any::<u8>(), 0..4)).prop_map(|(number, data)| {
            let mut out = Vec::new();
            put_len(&mut out, number, &data);
            out
        }),
    ];
    vec(field, 0..10).prop_map(|fields| fields.concat()).boxed()
}

fn encoded(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Vec<u8>> {
    let number = field.number();
    let Some(scalar) = Scalar::of(&field.kind()) else {
        let Kind::Message(message) = field.kind() else {
            panic!("neither a scalar nor a message")
        };
        if depth == 0 {
            return Just(Vec::new()).boxed();
        }
        return messages(&message, depth - 1)
            .prop_map(move |inner| {
                let mut out = Vec::new();
                put_len(&mut out, number, &inner);
                out
            })
            .boxed();
    };
    let single = values(scalar).prop_map(move |value| {
        let mut out = Vec::new();
        put_value(&mut out, number, value);
        out
    });
    if !field.is_list() || !scalar.packs() {
        return single.boxed();
    }
    let packed = vec(values(scalar), 0..4).prop_map(move |values| {
        let mut inner = Vec::new();
        for value in values {
            put_bare(&mut inner, value);
        }
        let mut out = Vec::new();
        put_len(&mut out, number, &inner);
        out
    });
    prop_oneof![single, packed].boxed()
}

/// Words that records and filters share, so that they meet.
pub(crate) const WORDS: [&str; 8] = [
    "",
    "a",
    "ab",
    "Nanming",
    "南明",
    "王小明",
    "1986-03-12",
    "Ω",
];

fn values(scalar: Scalar) -> BoxedStrategy<WireValue<'static>> {
    let whole = prop_oneof![
        3 => -2_i64..3,
        1 => any::<i64>(),
        1 => any::<i32>().prop_map(i64::from),
    ];
    let real = prop_oneof![
        3 => (-2_i32..3).prop_map(f64::from),
        1 => any::<f32>().prop_map(f64::from),
        1 => any::<f64>(),
    ];
    match scalar {
        Scalar::Text => select(&WORDS[..])
            .prop_map(|word| WireValue::Len(word.as_bytes()))
            .boxed(),
        Scalar::Data => select(vec![&b""[..], b"\x00", b"\xff\x01"])
            .prop_map(WireValue::Len)
            .boxed(),
        Scalar::Float => real
            .prop_map(|v| WireValue::Fixed32((v as f32).to_bits()))
            .boxed(),
        Scalar::Double => real.prop_map(|v| WireValue::Fixed64(v.to_bits())).boxed(),
        Scalar::Fixed32 | Scalar::Sfixed32 => {
            whole.prop_map(|v| WireValue::Fixed32(v as u32)).boxed()
        }
        Scalar::Fixed64 | Scalar::Sfixed64 => {
            whole.prop_map(|v| WireValue::Fixed64(v as u64)).boxed()
        }
        _ => whole.prop_map(|v| WireValue::Varint(v as u64)).boxed(),
    }
}
