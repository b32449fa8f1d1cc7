use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::proptest;

use crate::digest::Digest;
use crate::registry::Registry;
use crate::registry::identifier::IdentifierForm;
use crate::registry::tests::THING;
use crate::registry::tests::compile;
use crate::registry::tests::faults;

/// The faults of `THING` with one part of it replaced.
fn faults_with(part: &str, replacement: &str) -> Vec<String> {
    assert!(THING.contains(part));
    faults(&[("thing.proto", &THING.replace(part, replacement))])
}

#[test]
fn a_field_says_which_spellings_of_its_values_are_one() {
    let form = |text: &str| {
        let registry = compile(&[("test/v1/thing.proto", text)]).unwrap();
        registry
            .record("test.v1.Thing")
            .unwrap()
            .key()
            .identifier_form()
    };
    assert_eq!(form(THING), IdentifierForm::Plain);
    let exact = "string id = 1 [(landbridge.v1.field) = { identifier: IDENTIFIER_FORM_EXACT }]";
    assert_eq!(
        form(&THING.replace("string id = 1", exact)),
        IdentifierForm::Exact
    );
    assert_eq!(
        form(&THING.replace("string id = 1", "int64 id = 1")),
        IdentifierForm::Number
    );
}

#[test]
fn a_fault_of_an_option_is_told_at_its_declaration() {
    let rows = [
        (
            r#"owner: "test""#,
            r#"owner: "Tax Office""#,
            "thing.proto:5:1: test.v1.Thing: owner: `Tax Office` is not a department id: 1 to 32 of a-z, 0-9 and -, beginning with a letter",
        ),
        (
            r#"owner: "test""#,
            "",
            "thing.proto:5:1: test.v1.Thing: the record names no `owner`; write such as `owner: \"civil\"`",
        ),
        (
            r#"key: "id""#,
            "",
            "thing.proto:5:1: test.v1.Thing: the record names no `key`; write such as `key: \"id\"`",
        ),
        (
            r#"key: "id""#,
            r#"key: "nam""#,
            "thing.proto:5:1: test.v1.Thing: the key names the unknown field `nam`; did you mean `name`?",
        ),
        (
            "string id",
            "bool id",
            "thing.proto:5:1: test.v1.Thing: the key `id` must be a single string or integer, not bool",
        ),
        (
            "string id",
            "repeated string id",
            "thing.proto:5:1: test.v1.Thing: the key `id` must be a single string or integer, not repeated string",
        ),
        (
            r#"key: "id""#,
            r#"key: "id" deprecated: { until: "soon" }"#,
            "thing.proto:5:1: test.v1.Thing: deprecated: `until` must be a day such as \"2027-12-31\"",
        ),
        (
            r#"key: "id""#,
            r#"key: "id" deprecated: { until: "2027-12-31" replaced_by: "test.v2.Thing" }"#,
            "thing.proto:5:1: test.v1.Thing: deprecated: `test.v2.Thing` in `replaced_by` is no other record type of the registry",
        ),
        (
            r#"key: "id""#,
            r#"key: "id" subject: "name.x""#,
            "thing.proto:5:1: test.v1.Thing: the subject names the unknown field `name.x`; did you mean `name`?",
        ),
        (
            r#"title: "Thing""#,
            "",
            "thing.proto:5:1: test.v1.Thing: the record has no `title`",
        ),
        (
            "sharing: SHARING_CLASS_CONDITIONAL",
            "",
            "thing.proto:5:1: test.v1.Thing: the record states no `sharing`: SHARING_CLASS_UNCONDITIONAL, SHARING_CLASS_CONDITIONAL or SHARING_CLASS_PROHIBITED",
        ),
        (
            "string name = 2",
            r#"bool name = 2 [(landbridge.v1.field).mask = "year"]"#,
            "thing.proto:11:3: test.v1.Thing.name: the mask `year` does not fit a field of type bool: it needs a string with an ISO 8601 date, a google.protobuf.Timestamp or a google.type.Date; `drop` fits any field",
        ),
        (
            "string name = 2",
            r#"string name = 2 [(landbridge.v1.field).mask = "blur"]"#,
            "thing.proto:11:3: test.v1.Thing.name: unknown mask `blur`; write one of `drop`, `pseudonym`, `year`, `month`, `keep-first:N`, `keep-last:N`, `round:N`, with N from 1",
        ),
        (
            "package test.v1;",
            "package test;",
            "thing.proto:2:1: test: the package `test` ends with no version; name it `test.v1`, or with `v1beta1` while it is tried",
        ),
        (
            "package test.v1;",
            "package landbridge.v1;",
            "thing.proto:2:1: landbridge.v1: the package `landbridge.v1` is the gateway's own; choose another name",
        ),
    ];
    for (part, replacement, expected) in rows {
        assert_eq!(faults_with(part, replacement), [expected]);
    }
}

#[test]
fn all_faults_of_a_record_are_told_at_once() {
    let told = faults_with(
        r#"owner: "test" key: "id" title: "Thing" sharing: SHARING_CLASS_CONDITIONAL"#,
        r#"subject: "who""#,
    );
    assert_eq!(told.len(), 5);
}

#[test]
fn a_record_within_a_message_is_refused() {
    let text = THING.replace("message Thing {", "message Box { message Thing {") + "}";
    let told = faults(&[("thing.proto", &text)]);
    assert_eq!(
        told,
        [
            "thing.proto:5:15: test.v1.Box.Thing: a record type stands by itself: move it out of the message around it"
        ]
    );
}

#[test]
fn a_fault_of_the_language_is_told_with_line_column_and_hint() {
    assert_eq!(
        faults_with("string name", "strng name"),
        ["thing.proto:11:3: name `strng` is not defined; did you mean `string`?"]
    );
    assert_eq!(
        faults_with(
            "landbridge/v1/annotations.proto",
            "landbridge/v1/annotation.proto"
        ),
        [
            "thing.proto:3:1: import `landbridge/v1/annotation.proto` not found; did you mean `landbridge/v1/annotations.proto`?"
        ]
    );
    assert_eq!(
        faults_with("name = 2", "name = 1"),
        ["thing.proto:11:17: field number `1` is already used"]
    );
    assert_eq!(
        faults_with("sharing: SHARING", "sharnig: SHARING"),
        [
            "thing.proto:6:3: invalid value of type `landbridge.v1.RecordOptions` for option `(landbridge.v1.record)`: field `sharnig` not found for message `landbridge.v1.RecordOptions`; did you mean `sharing`?"
        ]
    );
}

#[test]
fn one_fault_of_each_file_is_told_and_none_of_its_importers() {
    let user = r#"syntax = "proto3"; package test.v1; import "a.proto"; message User { A a = 1; }"#;
    let told = faults(&[
        (
            "a.proto",
            "syntax = \"proto3\"; package test.v1;\nmessage A { Nope n = 1; }",
        ),
        (
            "b.proto",
            "syntax = \"proto3\"; package test.v1;\nmessage B { string = 1; }",
        ),
        ("c.proto", user),
    ]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .any(|f| f.starts_with("a.proto:2:13: name `Nope` is not defined"))
    );
    assert!(
        told.iter()
            .any(|f| f.starts_with("b.proto:2:20: expected an identifier"))
    );
}

#[test]
fn editions_and_proto2_are_refused_readably() {
    assert_eq!(
        faults_with(r#"syntax = "proto3""#, r#"edition = "2023""#),
        [
            "thing.proto:1:1: protobuf editions are not read; write `syntax = \"proto3\";` at the head of the file instead of `edition`"
        ]
    );
    assert_eq!(
        faults(&[("a.proto", "// old\nsyntax = \"proto2\";\npackage test.v1;")]),
        ["a.proto:2:1: proto2 is not read; write `syntax = \"proto3\";` at the head of the file"]
    );
    assert_eq!(
        faults(&[("a.proto", "package test.v1;")]),
        ["a.proto:1:1: proto2 is not read; write `syntax = \"proto3\";` at the head of the file"]
    );
}

#[test]
fn files_that_import_one_another_are_named() {
    let file = |import: &str| format!("syntax = \"proto3\"; package test.v1; import \"{import}\";");
    let told = faults(&[
        ("a.proto", &file("b.proto")),
        ("b.proto", &file("c.proto")),
        ("c.proto", &file("b.proto")),
    ]);
    assert_eq!(
        told,
        [
            "b.proto: files import one another: b.proto -> c.proto -> b.proto; move what both need to a third file"
        ]
    );
    assert_eq!(faults(&[("a.proto", &file("a.proto"))]).len(), 1);
}

#[test]
fn the_gateways_own_annotations_win_over_the_trees() {
    let other = "syntax = \"proto3\"; package landbridge.v1; message Other {}";
    let registry = compile(&[
        ("landbridge/v1/annotations.proto", other),
        ("thing.proto", THING),
    ])
    .unwrap();
    assert!(registry.record("test.v1.Thing").is_ok());
    assert!(
        registry
            .pool()
            .get_message_by_name("landbridge.v1.Other")
            .is_none()
    );
}

#[test]
fn a_missing_or_empty_tree_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let told = Registry::compile(root.path()).unwrap_err();
    assert_eq!(
        told[0].message,
        "there is no `.proto` file below this folder"
    );
    let told = Registry::compile(&root.path().join("nothing")).unwrap_err();
    assert!(told[0].message.contains("No such file"), "{told:?}");
}

#[test]
fn a_link_loop_is_refused_and_a_plain_link_followed() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("..data");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("thing.proto"), THING).unwrap();
    symlink("..data", root.path().join("v1")).unwrap();
    let registry = Registry::compile(root.path()).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    assert_eq!(thing.descriptor().parent_file().name(), "v1/thing.proto");

    symlink(root.path(), inner.join("up")).unwrap();
    let told = Registry::compile(root.path()).unwrap_err();
    assert_eq!(
        told[0].message,
        "the link leads back to a folder that it stands in; remove it"
    );
}

#[test]
fn a_file_that_is_not_utf8_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.proto"), b"// \xff").unwrap();
    let told = Registry::compile(root.path()).unwrap_err();
    assert_eq!(told[0].message, "the file is not UTF-8; save it as UTF-8");
}

#[test]
fn brackets_without_end_do_not_overflow_the_stack() {
    let nested = |open: &str| open.repeat(200_000);
    for text in [
        format!(
            "message A {{ option (landbridge.v1.record) = {}",
            nested("{ a: ")
        ),
        nested("message A { "),
        format!("message A {{ option (x) = {{ # /*\n {}", nested("a { ")),
        nested("message A { map<"),
        nested("option (x) = [ "),
    ] {
        let text = format!("syntax = \"proto3\"; package test.v1;\n{text}");
        let told = faults(&[("a.proto", &text)]);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].ends_with("brackets nest deeper than 100 levels"),
            "{}",
            told[0]
        );
    }
}

#[test]
fn brackets_in_comments_and_texts_do_not_nest() {
    let many = "{[(<".repeat(100);
    let text = format!("{THING}\n// {many}\n/* {many} */\nmessage B {{ reserved \"a\"; }}");
    assert!(compile(&[("thing.proto", &text)]).is_ok());
}

#[test]
fn a_long_chain_of_imports_does_not_overflow_the_stack() {
    let files: Vec<_> = (0..1_000)
        .map(|i| {
            let import = match i {
                0 => String::new(),
                _ => format!("import \"f{:04}.proto\";", i - 1),
            };
            let text = format!("syntax = \"proto3\"; package test.v1; {import} message M{i} {{}}");
            (format!("f{i:04}.proto"), text)
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let registry = compile(&files).unwrap();
    assert_eq!(registry.records().count(), 0);
}

#[test]
fn messages_that_multiply_are_refused() {
    let mut text = THING.replace("string name = 2;", "M0 a = 2; M0 b = 3;");
    for i in 0..30 {
        text += &format!("message M{i} {{ M{} a = 1; M{} b = 2; }}\n", i + 1, i + 1);
    }
    text += "message M30 { string s = 1; }";
    assert_eq!(
        faults(&[("thing.proto", &text)]),
        [
            "thing.proto:5:1: test.v1.Thing: the record has more than 10000 fields, nested ones counted; divide it"
        ]
    );
}

#[test]
fn a_path_too_long_to_be_named_is_refused() {
    let name = "n".repeat(251);
    let text = THING.replace("string name = 2;", "Inner inner = 2;")
        + &format!("message Inner {{ string {name} = 1; }}");
    let told = faults(&[("thing.proto", &text)]);
    assert!(
        told[0].ends_with("is longer than a field path may be; nest it less deep"),
        "{told:?}"
    );
}

#[test]
fn many_faulty_files_are_told_up_to_a_hundred() {
    let files: Vec<_> = (0..150)
        .map(|i| {
            (
                format!("f{i}.proto"),
                format!("syntax = \"proto3\"; package test.v1; message M{i} {{ No n = 1; }}"),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    assert_eq!(faults(&files).len(), 100);
}

fn digests(text: &str) -> (Digest, Digest) {
    let registry = compile(&[("thing.proto", text)]).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    (*thing.digest(), *registry.digest())
}

const WITH_PART: &str = r#"
message Part { Colour colour = 1; map<string, Deep> deep = 2; }
message Deep { int32 depth = 1; }
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
message Other { string s = 1; }
"#;

#[test]
fn a_schema_digest_ignores_comments_order_and_strangers() {
    let text = THING.replace("string name = 2;", "Part name = 2;") + WITH_PART;
    let (record, registry) = digests(&text);
    for (part, replacement) in [
        ("// Its name.", "// Another comment."),
        (
            "Colour colour = 1; map<string, Deep> deep = 2;",
            "map<string, Deep> deep = 2; Colour colour = 1;",
        ),
        (
            "message Other { string s = 1; }",
            "message Other { bytes s = 1; }",
        ),
    ] {
        assert!(text.contains(part));
        let (changed, tree) = digests(&text.replace(part, replacement));
        assert_eq!(changed, record, "{part}");
        assert_ne!(tree, registry, "{part}");
    }
}

#[test]
fn a_schema_digest_covers_all_that_the_record_refers_to() {
    let text = THING.replace("string name = 2;", "Part name = 2;") + WITH_PART;
    let (record, _) = digests(&text);
    for (part, replacement) in [
        ("string id = 1", "int64 id = 1"),
        ("Part name = 2", "repeated Part name = 2"),
        ("Part name = 2", "Part named = 2"),
        ("Part name = 2", "Part name = 3"),
        ("int32 depth = 1", "int64 depth = 1"),
        ("int32 depth = 1", "optional int32 depth = 1"),
        ("COLOUR_RED = 1", "COLOUR_RED = 2"),
        ("COLOUR_RED = 1", "COLOUR_BLUE = 1"),
        ("SHARING_CLASS_CONDITIONAL", "SHARING_CLASS_PROHIBITED"),
        (
            "int32 depth = 1",
            r#"int32 depth = 1 [(landbridge.v1.field).mask = "drop"]"#,
        ),
        (
            "int32 depth = 1",
            "int32 depth = 1 [(landbridge.v1.field).sensitivity = SENSITIVITY_PUBLIC]",
        ),
    ] {
        assert!(text.contains(part));
        let (changed, _) = digests(&text.replace(part, replacement));
        assert_ne!(changed, record, "{replacement}");
    }
}

#[test]
fn a_schema_digest_does_not_depend_on_the_files() {
    let head = "syntax = \"proto3\"; package test.v1;";
    let importing = THING.replace("string name = 2;", "Part name = 2;").replace(
        "package test.v1;",
        "package test.v1; import \"part.proto\";",
    );
    let registry = compile(&[
        ("thing.proto", &importing),
        ("part.proto", &format!("{head}{WITH_PART}")),
    ])
    .unwrap();
    let one_file = THING.replace("string name = 2;", "Part name = 2;") + WITH_PART;
    assert_eq!(
        *registry.record("test.v1.Thing").unwrap().digest(),
        digests(&one_file).0
    );
}

#[test]
fn two_compilations_give_the_same_digests() {
    let first = Registry::compile(Path::new("proto/registry")).unwrap();
    let second = Registry::compile(Path::new("proto/registry")).unwrap();
    assert_eq!(first.digest(), second.digest());
    let digests = |registry: &Registry| {
        let digests = registry
            .records()
            .map(|record| (record.name().to_owned(), *record.digest()));
        digests.collect::<Vec<_>>()
    };
    assert_eq!(digests(&first), digests(&second));
}

const SNIPPETS: [&str; 24] = [
    "{",
    "}",
    ";",
    "=",
    "\"",
    "(landbridge.v1.field)",
    "option",
    "extend google.protobuf.FieldOptions {",
    "map<string, Thing>",
    "repeated",
    "oneof x {",
    "enum E {",
    "message M {",
    "2147483648",
    "-1",
    "/*",
    "import \"google/protobuf/descriptor.proto\";",
    "Thing",
    "reserved",
    "[",
    "]",
    "\u{feff}",
    "\0",
    "mask: \"round:1\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_garbled_file_is_told_and_never_panics(
        edits in vec((0..THING.len(), 0..20_usize, 0..SNIPPETS.len()), 1..6)
    ) {
        let mut text = THING.to_owned();
        for (at, cut, snippet) in edits {
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, SNIPPETS[snippet]);
            }
        }
        if let Err(told) = compile(&[("thing.proto", &text)]) {
            assert!(told.iter().all(|fault| fault.file == "thing.proto"));
        }
    }
}

#[test]
fn a_package_is_of_one_department() {
    let other = THING
        .replace("message Thing", "message Other")
        .replace(r#"owner: "test""#, r#"owner: "civil""#);
    assert_eq!(
        faults(&[("thing.proto", THING), ("other.proto", &other)]),
        [
            "thing.proto:5:1: test.v1.Thing: is of `test`, but `test.v1.Other` of the same package is of `civil`; give each department a package of its own"
        ]
    );
}
