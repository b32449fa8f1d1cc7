//! What is remarked, and what is not.

use super::lint;
use crate::registry::Registry;

/// Rules and elements, of a file with that body in `odd.v1`.
fn remarks(body: &str) -> Vec<(&'static str, String)> {
    let text = format!("syntax = \"proto3\";\npackage odd.v1;\n{body}");
    let registry = Registry::compile_texts([("odd/v1/odd.proto".to_owned(), text)]).unwrap();
    let remarks = lint(registry.pool()).into_iter();
    remarks.map(|r| (r.rule, r.element)).collect()
}

fn remark(rule: &'static str, element: &str) -> (&'static str, String) {
    (rule, format!("odd.v1.{element}"))
}

#[test]
fn the_sample_registry_gives_no_cause() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/registry");
    assert_eq!(lint(Registry::compile(root.as_ref()).unwrap().pool()), []);
}

#[test]
fn names_are_written_as_generators_expect() {
    let body = "// A.\nmessage odd_name {\n// B.\nstring someName = 1;\n}\n// C.\nenum Mood { GOOD = 0; MOOD_bad = 1; }";
    assert_eq!(
        remarks(body),
        [
            remark("MESSAGE_PASCAL_CASE", "odd_name"),
            remark("FIELD_LOWER_SNAKE_CASE", "odd_name.someName"),
            remark("ENUM_VALUE_PREFIX", "GOOD"),
            remark("ENUM_VALUE_UPPER_SNAKE_CASE", "MOOD_bad"),
            remark("ENUM_ZERO_VALUE_SUFFIX", "GOOD"),
        ]
    );
}

#[test]
fn messages_fields_and_enums_have_comments() {
    let body =
        "message A {\nstring a = 1;\nstring b = 2; // Says.\n}\nenum E { E_UNSPECIFIED = 0; }";
    assert_eq!(
        remarks(body),
        [
            remark("COMMENT_MESSAGE", "A"),
            remark("COMMENT_FIELD", "A.a"),
            remark("COMMENT_ENUM", "E"),
        ]
    );
}

#[test]
fn numbers_that_are_skipped_are_reserved() {
    let body = |reserved| {
        format!("// A.\nmessage A {{\n{reserved}\n// B.\nstring a = 1;\n// C.\nstring b = 5;\n}}")
    };
    assert_eq!(remarks(&body("")), [remark("FIELD_NUMBERS_RESERVED", "A")]);
    assert_eq!(
        remarks(&body("reserved 2, 3;")),
        [remark("FIELD_NUMBERS_RESERVED", "A")]
    );
    assert_eq!(remarks(&body("reserved 2 to 4;")), []);
}

#[test]
fn files_stand_in_the_folder_of_their_package() {
    let text = "syntax = \"proto3\";\npackage odd.v1;\n".to_owned();
    let registry = Registry::compile_texts([("even/v1/odd.proto".to_owned(), text)]).unwrap();
    let remarks = lint(registry.pool());
    assert_eq!(remarks[0].rule, "PACKAGE_DIRECTORY_MATCH");
    assert_eq!((remarks[0].line, remarks.len()), (2, 1));
}
