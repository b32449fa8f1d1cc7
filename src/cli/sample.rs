//! A schema for tests: every shape that a field can have.

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::DynamicMessage;
use prost_reflect::MessageDescriptor;

const SCHEMA: &str = r#"
syntax = "proto3";
package sample.v1;
import "google/protobuf/timestamp.proto";

message Person {
  string id = 1;
  string full_name = 2;
  Address address = 3;
  Status status = 4;
  repeated string phones = 5;
  map<string, int32> points = 6;
  google.protobuf.Timestamp seen_at = 7;
  int64 balance = 8;
  optional uint32 children = 9;
  repeated Address former = 10;
  bool alive = 11;
  double height = 12;
  bytes photo = 13;
  uint64 serial = 14;
}

message Address {
  string district = 1;
  string street = 2;
}

enum Status {
  STATUS_UNSPECIFIED = 0;
  STATUS_ACTIVE = 1;
}
"#;

pub(super) fn person() -> MessageDescriptor {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("person.proto"), SCHEMA).unwrap();
    let files = protox::compile(["person.proto"], [folder.path()]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    pool.get_message_by_name("sample.v1.Person").unwrap()
}

/// The bytes of a person that is given in JSON.
pub(super) fn encode(json: &str) -> Vec<u8> {
    let mut json = serde_json::Deserializer::from_str(json);
    DynamicMessage::deserialize(person(), &mut json)
        .unwrap()
        .encode_to_vec()
}
