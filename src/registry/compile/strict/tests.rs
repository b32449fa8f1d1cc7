use crate::registry::tests::compile;
use crate::registry::tests::faults;

const OPTIONS: &str = "import \"google/protobuf/descriptor.proto\";";

fn of(text: &str) -> Vec<String> {
    let text = format!("syntax = \"proto3\";\npackage test.v1;\n{text}\n");
    faults(&[("test/v1/x.proto", &text)])
}

#[test]
fn what_protoc_refuses_in_proto3_is_refused_where_it_stands() {
    let rows = [
        (
            r#"message M { reserved "a"; string a = 1; }"#,
            "3:27: test.v1.M.a: the name `a` is reserved: something else was called so, and old records in JSON may have it; choose another",
        ),
        (
            r#"enum E { A = 0; B = 1; reserved "B"; }"#,
            "3:17: test.v1.B: the name `B` is reserved: something else was called so, and old records in JSON may have it; choose another",
        ),
        (
            r#"message M { reserved "a"; reserved "a"; }"#,
            "3:1: test.v1.M: the name `a` is reserved twice; leave one out",
        ),
        (
            r#"enum E { A = 0; reserved "b", "b"; }"#,
            "3:1: test.v1.E: the name `b` is reserved twice; leave one out",
        ),
        (
            "message M { reserved 10 to 5; }",
            "3:1: test.v1.M: `reserved 10 to 5` ends before it begins; turn it round",
        ),
        (
            "message M { reserved 1 to 10, 10 to 12; }",
            "3:1: test.v1.M: the number 10 is reserved twice; leave one out",
        ),
        (
            "enum E { A = 0; reserved 1 to 20; reserved 20 to 40; }",
            "3:1: test.v1.E: the number 20 is reserved twice; leave one out",
        ),
        (
            "message M { int32 a = 1 [packed = true]; }",
            "3:13: test.v1.M.a: `packed` is for repeated numbers, enums and truth values; leave it out",
        ),
        (
            "message M { repeated string a = 1 [packed = true]; }",
            "3:13: test.v1.M.a: `packed` is for repeated numbers, enums and truth values; leave it out",
        ),
        (
            "message M { map<int32, int32> a = 1 [packed = true]; }",
            "3:13: test.v1.M.a: `packed` is for repeated numbers, enums and truth values; leave it out",
        ),
        (
            "message M { string a = 1 [jstype = JS_STRING]; }",
            "3:13: test.v1.M.a: `jstype` is for integers of 64 bits; leave it out",
        ),
        (
            "message M { string a = 1 [lazy = true]; }",
            "3:13: test.v1.M.a: `lazy` is for messages; leave it out",
        ),
        (
            "message M { string a = 1 [unverified_lazy = true]; }",
            "3:13: test.v1.M.a: `unverified_lazy` is for messages; leave it out",
        ),
        (
            "message M { string a = 1 [features.field_presence = IMPLICIT]; }",
            "3:13: test.v1.M.a: proto3 has no option `features`; leave it out",
        ),
        (
            "enum E { A = 0 [features = {}]; }",
            "3:10: test.v1.A: proto3 has no option `features`; leave it out",
        ),
        (
            "message M { option map_entry = true; }",
            "3:1: test.v1.M: `map_entry` is set by the compiler alone; write `map<key, value>`",
        ),
        (
            "message M { option message_set_wire_format = true; }",
            "3:1: test.v1.M: proto3 has no message sets; leave the option out",
        ),
        (
            "message M { extensions 1 to max; }",
            "3:1: test.v1.M: a message of proto3 has no extensions; leave `extensions` out",
        ),
        (
            "message M { map<string, string> a = 1; } message N { M.AEntry b = 1; }",
            "3:54: test.v1.N.b: `test.v1.M.AEntry` is what the compiler makes of a map; write `map<key, value>`",
        ),
        (
            "enum E { BAR_BAZ = 0; E_Bar_Baz = 1; }",
            "3:23: test.v1.E_Bar_Baz: `E_Bar_Baz` and `BAR_BAZ` are one name in generated code, which leaves the enum's name out; rename one",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(of(text), [format!("test/v1/x.proto:{expected}")], "{text}");
    }
}

#[test]
fn extensions_extend_options_and_have_no_json_name() {
    let json_name = format!(
        "{OPTIONS} extend google.protobuf.MessageOptions {{ string a = 50001 [json_name = \"z\"]; }}"
    );
    let told = of(&json_name);
    assert!(
        told.concat().contains("an extension has no `json_name`"),
        "{told:?}"
    );
    let twice = of(&format!("{OPTIONS}\n{OPTIONS}"));
    assert_eq!(
        twice,
        [
            "test/v1/x.proto:4:1: `google/protobuf/descriptor.proto` is imported twice; leave one out"
        ]
    );
}

#[test]
fn what_only_looks_like_a_fault_compiles() {
    let text = r#"
        message M {
            reserved 2 to 3, 5, 7 to max;
            reserved "gone", "old";
            repeated int32 numbers = 1 [packed = true];
            int64 big = 4 [jstype = JS_STRING];
            map<string, M> by_name = 6;
        }
        enum E { option allow_alias = true; E_NONE = 0; NONE = 0; E_ONE = 1; reserved 3, 5 to 9; }
    "#;
    let text = format!("syntax = \"proto3\";\npackage test.v1;\n{text}\n");
    compile(&[("test/v1/x.proto", &text)]).unwrap();
    let head = "syntax = \"proto3\";\npackage test.v1beta1;\nmessage M { string a = 1; }";
    compile(&[("test/v1beta1/x.proto", head)]).unwrap();
}
