//! Layouts, before and after.

use super::formatted;

#[test]
fn lines_are_indented_by_what_they_stand_in() {
    let text = "message A {\n      // Says.\n\tstring a = 1 [(f) = {\n x: \"}\"\n }];\n}\n";
    let wanted = "message A {\n  // Says.\n  string a = 1 [(f) = {\n    x: \"}\"\n  }];\n}\n";
    assert_eq!(formatted(text), wanted);
}

#[test]
fn empty_lines_and_blanks_at_the_end_go() {
    let text = "\n\nsyntax = \"proto3\";  \r\n\n\n\npackage a.v1;\n\n";
    assert_eq!(formatted(text), "syntax = \"proto3\";\n\npackage a.v1;\n");
}

#[test]
fn brackets_in_comments_and_texts_count_for_nothing() {
    let text = "enum A {\n// [ {\n/* {\n   kept as it is\n*/\nA_B = 0; // {\n}\n";
    let wanted = "enum A {\n  // [ {\n  /* {\n   kept as it is\n*/\n  A_B = 0; // {\n}\n";
    assert_eq!(formatted(text), wanted);
}

#[test]
fn what_is_laid_out_stays() {
    let text = include_str!("../../../proto/registry/civil/v1/resident.proto");
    assert_eq!(formatted(text), text);
}
