//! Pairs of schemas, before and after a change: each kind of change by itself, each change of type, and random mixtures.

use std::fs;
use std::path::Path;

use proptest::strategy::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

pub(super) struct Pair {
    /// Such as `pair007`: its folder and the head of its package.
    pub(super) name: String,
    /// The change, in words.
    pub(super) what: String,
    before: Files,
    after: Files,
}

/// The texts of the two files; one may be missing.
type Files = [Option<String>; 2];

const NAMES: [&str; 2] = ["person.proto", "lookup.proto"];

const PERSON: &str = r#"syntax = "proto3";

package PAIR.v1;

import "google/protobuf/descriptor.proto";

option go_package = "example.org/PAIR";
option java_package = "org.example.PAIR";
option optimize_for = SPEED;

message Person {
  reserved 20 to 25, 30;
  reserved "old", "older";
  string name = 1;
  optional string nick = 2;
  repeated string tags = 3;
  map<string, int32> scores = 4;
  oneof contact {
    string mail = 5;
    string phone = 6;
  }
  Kind kind = 7;
  Address address = 8;
  enum Level {
    LEVEL_UNSPECIFIED = 0;
    LEVEL_HIGH = 1;
  }
  Level level = 9;
  message Inner {
    string a = 1;
    message Deep {
      int32 n = 1;
    }
  }
  Inner inner = 10;
  int64 big = 11;
  bytes raw = 12;
  repeated Address addresses = 13;
  optional int32 height = 14;
  map<string, Address> places = 15;
}

message Address {
  string street = 1;
  string city_name = 2;
}

message Unused {
  string text = 1;
}

enum Kind {
  reserved 10 to 12, 15;
  reserved "KIND_OLD";
  KIND_UNSPECIFIED = 0;
  KIND_A = 1;
  KIND_B = 2;
}

enum Doubled {
  option allow_alias = true;
  DOUBLED_UNSPECIFIED = 0;
  DOUBLED_ONE = 1;
  DOUBLED_UNO = 1;
}

extend google.protobuf.FieldOptions {
  string note = EXTENSION_NUMBER;
}
"#;

const LOOKUP: &str = r#"syntax = "proto3";

package PAIR.v1;

message FindRequest {
  string key = 1;
}

message FindResponse {
  string value = 1;
}

message Moved {
  string value = 1;
}

service Lookup {
  rpc Find(FindRequest) returns (FindResponse);
  rpc Watch(FindRequest) returns (stream FindResponse);
}

service Spare {
  rpc Look(FindRequest) returns (FindResponse);
}
"#;

/// What is written instead of what, in either file.
const EDITS: &[(&str, &str)] = &[
    // Nothing, and what adds.
    ("string name = 1;", "string name = 1; // The full name."),
    ("bytes raw = 12;", "bytes raw = 12;\n  string added = 40;"),
    ("string mail = 5;", "string mail = 5;\n    string fax = 41;"),
    ("KIND_B = 2;", "KIND_B = 2;\n  KIND_C = 3;"),
    ("service Spare {", "message Added {}\nservice Spare {"),
    (
        "service Spare {",
        "service Spare {\n  rpc More(FindRequest) returns (FindResponse);",
    ),
    // Fields deleted, with and without reservations.
    ("  string name = 1;\n", ""),
    ("  string name = 1;\n", "  reserved 1;\n"),
    ("  string name = 1;\n", "  reserved \"name\";\n"),
    (
        "  string name = 1;\n",
        "  reserved 1;\n  reserved \"name\";\n",
    ),
    (
        "  repeated string tags = 3;\n",
        "  reserved 2000 to 3000;\n",
    ),
    ("  map<string, int32> scores = 4;\n", ""),
    ("    string phone = 6;\n", ""),
    ("  Address address = 8;\n", "  reserved 8;\n"),
    // Names.
    ("string name = 1;", "string full_name = 1;"),
    (
        "string name = 1;",
        "string full_name = 1 [json_name = \"name\"];",
    ),
    ("string name = 1;", "string name = 1 [json_name = \"n\"];"),
    ("string city_name = 2;", "string cityName = 2;"),
    (
        "map<string, int32> scores = 4;",
        "map<string, int32> marks = 4;",
    ),
    // Numbers.
    ("string name = 1;", "string name = 42;"),
    (
        "string street = 1;\n  string city_name = 2;",
        "string street = 2;\n  string city_name = 1;",
    ),
    // Labels and oneofs.
    ("  string name = 1;", "  optional string name = 1;"),
    ("  string name = 1;", "  repeated string name = 1;"),
    ("optional string nick = 2;", "string nick = 2;"),
    ("repeated string tags = 3;", "string tags = 3;"),
    ("repeated string tags = 3;", "optional string tags = 3;"),
    ("repeated string tags = 3;", "map<string, string> tags = 3;"),
    (
        "map<string, int32> scores = 4;",
        "repeated ScoresEntry scores = 4;\n  message ScoresEntry {\n    string key = 1;\n    int32 value = 2;\n  }",
    ),
    (
        "map<string, int32> scores = 4;",
        "map<string, int64> scores = 4;",
    ),
    (
        "map<string, int32> scores = 4;",
        "map<int32, int32> scores = 4;",
    ),
    (
        "map<string, int32> scores = 4;",
        "map<string, string> scores = 4;",
    ),
    (
        "map<string, Address> places = 15;",
        "map<string, Inner> places = 15;",
    ),
    (
        "map<string, Address> places = 15;",
        "repeated Address places = 15;",
    ),
    ("  Address address = 8;", "  optional Address address = 8;"),
    ("  Address address = 8;", "  repeated Address address = 8;"),
    (
        "  repeated Address addresses = 13;",
        "  Address addresses = 13;",
    ),
    (
        "  oneof contact {\n    string mail = 5;\n    string phone = 6;\n  }",
        "  string mail = 5;\n  string phone = 6;",
    ),
    ("  oneof contact {", "  oneof reach {"),
    ("    string phone = 6;\n  }", "  }\n  string phone = 6;"),
    (
        "    string phone = 6;\n  }",
        "  }\n  optional string phone = 6;",
    ),
    (
        "    string phone = 6;\n  }",
        "  }\n  oneof other {\n    string phone = 6;\n  }",
    ),
    (
        "  oneof contact {",
        "  oneof contact {\n    string extra = 43;",
    ),
    (
        "  optional int32 height = 14;",
        "  oneof size {\n    int32 height = 14;\n  }",
    ),
    // Types that are named.
    ("Kind kind = 7;", "Doubled kind = 7;"),
    ("Kind kind = 7;", "int32 kind = 7;"),
    ("Kind kind = 7;", "string kind = 7;"),
    ("Level level = 9;", "Kind level = 9;"),
    (
        "  Level level = 9;",
        "  Other.Level level = 9;\n  message Other {\n    enum Level {\n      LEVEL_UNSPECIFIED = 0;\n      LEVEL_HIGH = 1;\n      LEVEL_MORE = 2;\n    }\n  }",
    ),
    (
        "  Level level = 9;",
        "  Other.Level level = 9;\n  message Other {\n    enum Level {\n      LEVEL_UNSPECIFIED = 0;\n      LEVEL_TALL = 1;\n    }\n  }",
    ),
    ("Address address = 8;", "Inner address = 8;"),
    ("Address address = 8;", "string address = 8;"),
    ("Address address = 8;", "bytes address = 8;"),
    ("Inner inner = 10;", "Inner.Deep inner = 10;"),
    ("bytes raw = 12;", "Address raw = 12;"),
    ("bytes raw = 12;", "Kind raw = 12;"),
    // Options of fields.
    ("int64 big = 11;", "int64 big = 11 [jstype = JS_STRING];"),
    ("int64 big = 11;", "int64 big = 11 [jstype = JS_NORMAL];"),
    ("int64 big = 11;", "sint64 big = 11 [jstype = JS_NUMBER];"),
    ("int64 big = 11;", "int64 big = 11 [deprecated = true];"),
    ("bytes raw = 12;", "bytes raw = 12 [ctype = CORD];"),
    ("bytes raw = 12;", "string raw = 12 [ctype = STRING_PIECE];"),
    ("string name = 1;", "string name = 1 [ctype = STRING];"),
    // Reservations.
    ("reserved 20 to 25, 30;", "reserved 20 to 30;"),
    ("reserved 20 to 25, 30;", "reserved 20, 21, 22 to 25, 30;"),
    ("reserved 20 to 25, 30;", "reserved 20 to 24, 30;"),
    ("reserved 20 to 25, 30;", "reserved 30;"),
    ("reserved 20 to 25, 30;", "reserved 20 to 25;"),
    ("  reserved 20 to 25, 30;\n", ""),
    ("reserved 20 to 25, 30;", "reserved 20 to 22, 24 to 25, 30;"),
    ("reserved \"old\", \"older\";", "reserved \"old\";"),
    ("  reserved \"old\", \"older\";\n", ""),
    (
        "reserved \"old\", \"older\";",
        "reserved \"old\", \"older\", \"oldest\";",
    ),
    ("reserved 10 to 12, 15;", "reserved 10 to 15;"),
    ("reserved 10 to 12, 15;", "reserved 10, 11, 12, 15;"),
    ("reserved 10 to 12, 15;", "reserved 10 to 11, 15;"),
    ("reserved 10 to 12, 15;", "reserved 10 to max;"),
    ("  reserved 10 to 12, 15;\n", ""),
    ("  reserved \"KIND_OLD\";\n", ""),
    // Enums.
    ("  KIND_B = 2;\n", ""),
    ("  KIND_B = 2;\n", "  reserved 2;\n"),
    ("  KIND_B = 2;\n", "  reserved \"KIND_B\";\n"),
    ("  KIND_B = 2;\n", "  reserved 2;\n  reserved \"KIND_B\";\n"),
    ("KIND_B = 2;", "KIND_BEE = 2;"),
    ("KIND_B = 2;", "KIND_B = 5;"),
    ("KIND_A = 1;\n  KIND_B = 2;", "KIND_A = 2;\n  KIND_B = 1;"),
    (
        "  DOUBLED_UNO = 1;\n",
        "  DOUBLED_TWO = 2;\n  DOUBLED_DUE = 2;\n",
    ),
    ("DOUBLED_UNO = 1;", "DOUBLED_UNO = 1;\n  DOUBLED_EIN = 1;"),
    (
        "  DOUBLED_ONE = 1;\n  DOUBLED_UNO = 1;\n",
        "  DOUBLED_NIL = 0;\n",
    ),
    (
        "  DOUBLED_ONE = 1;\n  DOUBLED_UNO = 1;\n",
        "  DOUBLED_NIL = 0;\n  reserved 1;\n  reserved \"DOUBLED_ONE\";\n",
    ),
    (
        "  DOUBLED_ONE = 1;\n  DOUBLED_UNO = 1;\n",
        "  DOUBLED_NIL = 0;\n  reserved \"DOUBLED_ONE\", \"DOUBLED_UNO\";\n",
    ),
    ("KIND_UNSPECIFIED = 0;", "KIND_NONE = 0;"),
    // Whole declarations.
    ("message Unused {\n  string text = 1;\n}\n", ""),
    ("message Unused {", "message Used {"),
    ("    message Deep {\n      int32 n = 1;\n    }\n", ""),
    (
        "  enum Level {\n    LEVEL_UNSPECIFIED = 0;\n    LEVEL_HIGH = 1;\n  }\n  Level level = 9;\n",
        "  reserved 9;\n  reserved \"level\";\n",
    ),
    (
        "  message Inner {\n    string a = 1;\n    message Deep {\n      int32 n = 1;\n    }\n  }\n  Inner inner = 10;\n",
        "",
    ),
    ("enum Doubled {", "enum Twofold {"),
    ("message Moved {\n  string value = 1;\n}\n", ""),
    ("message Moved {", "message Gone {"),
    ("message Unused {", "message Moved2 {"),
    (
        "  string text = 1;\n",
        "  option no_standard_descriptor_accessor = true;\n  string text = 1;\n",
    ),
    // Extensions.
    (
        "string note = EXTENSION_NUMBER;",
        "string remark = EXTENSION_NUMBER;",
    ),
    (
        "string note = EXTENSION_NUMBER;",
        "bytes note = EXTENSION_NUMBER;",
    ),
    (
        "string note = EXTENSION_NUMBER;",
        "int32 note = EXTENSION_NUMBER;",
    ),
    (
        "string note = EXTENSION_NUMBER;",
        "repeated string note = EXTENSION_NUMBER;",
    ),
    (
        "string note = EXTENSION_NUMBER;",
        "optional string note = EXTENSION_NUMBER;",
    ),
    (
        "extend google.protobuf.FieldOptions {\n  string note = EXTENSION_NUMBER;\n}\n",
        "",
    ),
    (
        "google.protobuf.FieldOptions {",
        "google.protobuf.MessageOptions {",
    ),
    // Services.
    (
        "service Spare {\n  rpc Look(FindRequest) returns (FindResponse);\n}\n",
        "",
    ),
    ("service Spare {", "service Extra {"),
    (
        "  rpc Watch(FindRequest) returns (stream FindResponse);\n",
        "",
    ),
    (
        "rpc Watch(FindRequest) returns (stream FindResponse);",
        "rpc Watch(FindRequest) returns (FindResponse);",
    ),
    ("rpc Watch(FindRequest)", "rpc Watch(stream FindRequest)"),
    ("rpc Find(FindRequest)", "rpc Find(Moved)"),
    (
        "rpc Find(FindRequest) returns (FindResponse);",
        "rpc Find(FindRequest) returns (Moved);",
    ),
    (
        "rpc Find(FindRequest) returns (FindResponse);",
        "rpc Find(stream FindRequest) returns (stream Moved);",
    ),
    (
        "rpc Find(FindRequest) returns (FindResponse);",
        "rpc Find(FindRequest) returns (FindResponse) {\n    option idempotency_level = IDEMPOTENT;\n  }",
    ),
    ("rpc Find(FindRequest)", "rpc Seek(FindRequest)"),
    // Files.
    ("option go_package = \"example.org/PAIR\";\n", ""),
    ("example.org/PAIR", "example.com/PAIR"),
    ("org.example.PAIR", "com.example.PAIR"),
    ("optimize_for = SPEED", "optimize_for = CODE_SIZE"),
    ("option optimize_for = SPEED;\n", ""),
    (
        "option optimize_for = SPEED;",
        "option java_multiple_files = true;",
    ),
    (
        "option optimize_for = SPEED;",
        "option java_outer_classname = \"Outer\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option csharp_namespace = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option objc_class_prefix = \"PRS\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option swift_prefix = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option php_class_prefix = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option php_namespace = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option php_metadata_namespace = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option ruby_package = \"Pairs\";",
    ),
    (
        "option optimize_for = SPEED;",
        "option cc_generic_services = true;",
    ),
    (
        "option optimize_for = SPEED;",
        "option java_generic_services = true;",
    ),
    (
        "option optimize_for = SPEED;",
        "option py_generic_services = true;",
    ),
    (
        "option optimize_for = SPEED;",
        "option cc_enable_arenas = false;",
    ),
    (
        "option optimize_for = SPEED;",
        "option cc_enable_arenas = true;",
    ),
    (
        "option optimize_for = SPEED;",
        "option java_multiple_files = false;",
    ),
];

const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes",
];

/// How many random mixtures of several edits there are.
const MIXTURES: usize = 120;

pub(super) fn pairs() -> Vec<Pair> {
    let base = [Some(PERSON.to_owned()), Some(LOOKUP.to_owned())];
    let mut changes = vec![
        (
            "a file deleted".to_owned(),
            base.clone(),
            [base[0].clone(), None],
        ),
        (
            "a package renamed".to_owned(),
            base.clone(),
            base.clone()
                .map(|text| Some(text?.replace("PAIR.v1", "PAIR.v2"))),
        ),
        (
            "one file of a package renamed".to_owned(),
            base.clone(),
            [base[0].clone(), Some(LOOKUP.replace("PAIR.v1", "PAIR.v2"))],
        ),
        (
            "all services deleted".to_owned(),
            base.clone(),
            [
                base[0].clone(),
                LOOKUP.split("service Lookup").next().map(str::to_owned),
            ],
        ),
        (
            "a message moved to another file".to_owned(),
            base.clone(),
            moved(),
        ),
    ];
    for edit in EDITS {
        changes.push((format!("{edit:?}"), base.clone(), edited(&base, &[*edit])));
    }
    for old in SCALARS {
        for new in SCALARS.into_iter().filter(|new| *new != old) {
            let with = |scalar: &str| {
                edited(
                    &base,
                    &[("string name = 1;", &format!("{scalar} name = 1;"))],
                )
            };
            changes.push((format!("{old} to {new}"), with(old), with(new)));
        }
    }
    let mut runner = TestRunner::deterministic();
    for _ in 0..MIXTURES {
        let some = proptest::sample::subsequence(EDITS.to_vec(), 2..6);
        let edits = some.new_tree(&mut runner).unwrap().current();
        let after = edited(&base, &edits);
        if is_valid(&after) {
            changes.push((format!("{edits:?}"), base.clone(), after));
        }
    }
    let numbered = changes.into_iter().enumerate();
    numbered
        .map(|(i, (what, before, after))| Pair {
            name: format!("pair{i:03}"),
            what,
            before: before.map(|text| Some(named(&text?, i))),
            after: after.map(|text| Some(named(&text?, i))),
        })
        .collect()
}

fn named(text: &str, i: usize) -> String {
    let text = text.replace("PAIR", &format!("pair{i:03}"));
    text.replace("EXTENSION_NUMBER", &(60_000 + i).to_string())
}

/// With what each edit says; one whose place another edit took changes nothing.
fn edited(base: &Files, edits: &[(&str, &str)]) -> Files {
    base.clone().map(|text| {
        let change = |text: String, (old, new): &(&str, &str)| text.replacen(old, new, 1);
        Some(edits.iter().fold(text?, change))
    })
}

fn moved() -> Files {
    let message = "message Unused {\n  string text = 1;\n}\n";
    [
        Some(PERSON.replace(message, "")),
        Some(format!("{LOOKUP}\n{message}")),
    ]
}

/// Two edits together may use a number twice, or what a third deleted.
fn is_valid(files: &Files) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair {
        name: "pair999".to_owned(),
        what: String::new(),
        before: files.clone().map(|text| Some(named(&text?, 999))),
        after: files.clone().map(|text| Some(named(&text?, 999))),
    };
    pair.write(folder.path(), folder.path());
    landbridge::registry::Registry::compile(folder.path()).is_ok()
}

impl Pair {
    pub(super) fn write(&self, before: &Path, after: &Path) {
        for (tree, files) in [(before, &self.before), (after, &self.after)] {
            let folder = tree.join(&self.name).join("v1");
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in NAMES.iter().zip(files) {
                if let Some(text) = text {
                    fs::write(folder.join(name), text).unwrap();
                }
            }
        }
    }
}
