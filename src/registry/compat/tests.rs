//! What agreements rest on, and where findings are placed. What buf tells, too, is compared with it in `tests/suite`.

use super::Finding;
use super::compare;
use super::rule::Rule;
use crate::registry::Registry;

const TEXT: &str = r#"syntax = "proto3";
package civil.v1;
import "landbridge/v1/annotations.proto";
message Resident {
  option (landbridge.v1.record) = {
    owner: "civil" key: "id" subject: "national_id" title: "Resident" sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_INTERNAL }];
  string national_id = 2 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_SENSITIVE mask: "keep-first:6" }];
  string born = 3 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_PERSONAL mask: "month" }];
  int64 income = 4 [(landbridge.v1.field) = { mask: "round:100" }];
}
"#;

fn findings(old: &str, new: &str) -> Vec<Finding> {
    assert!(TEXT.contains(old), "`{old}` is not in the text");
    let compiled = |text: String| {
        Registry::compile_texts([("civil/v1/resident.proto".to_owned(), text)]).unwrap()
    };
    let (before, after) = (compiled(TEXT.to_owned()), compiled(TEXT.replace(old, new)));
    compare(before.pool(), after.pool())
}

/// The rules that are broken, each with its line.
fn broken(old: &str, new: &str) -> Vec<(Rule, usize)> {
    let findings = findings(old, new).into_iter();
    findings
        .map(|finding| (finding.rule, finding.line))
        .collect()
}

#[test]
fn a_record_keeps_its_owner_key_and_subject() {
    let rows = [
        ("owner: \"civil\"", "owner: \"tax\"", Rule::RecordSameOwner),
        ("key: \"id\"", "key: \"born\"", Rule::RecordSameKey),
        ("subject: \"national_id\"", "", Rule::RecordSameSubject),
        (
            "subject: \"national_id\"",
            "subject: \"id\"",
            Rule::RecordSameSubject,
        ),
    ];
    for (old, new, rule) in rows {
        assert_eq!(broken(old, new), [(rule, 4)], "{old} to {new}");
    }
    let unmarked = broken(
        "(landbridge.v1.record) = {\n    owner: \"civil\" key: \"id\" subject: \"national_id\" title: \"Resident\" sharing: SHARING_CLASS_CONDITIONAL\n  }",
        "deprecated = true",
    );
    assert_eq!(unmarked, [(Rule::RecordNoUnmark, 4)]);
    assert_eq!(broken("title: \"Resident\"", "title: \"Inhabitant\""), []);
}

#[test]
fn a_field_keeps_its_sensitivity() {
    let internal = "string id = 1 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_INTERNAL }]";
    let personal = "string id = 1 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_PERSONAL }]";
    assert_eq!(
        broken(internal, personal),
        [(Rule::FieldSameSensitivity, 8)]
    );
    // What states none counts as internal.
    assert_eq!(broken(internal, "string id = 1"), []);
}

#[test]
fn a_field_keeps_its_format() {
    let decimal = "mask: \"month\" format: TEXT_FORMAT_DECIMAL";
    assert_eq!(
        broken("mask: \"month\"", decimal),
        [(Rule::FieldSameFormat, 10)]
    );
}

#[test]
fn a_default_mask_is_not_weakened() {
    let weaker = [(Rule::FieldMaskNotWeakened, 9)];
    let rows: [(&str, &[(Rule, usize)]); 7] = [
        ("mask: \"keep-first:6\"", &[]),
        ("mask: \"keep-first:4\"", &[]),
        ("mask: \"drop\"", &[]),
        ("mask: \"keep-first:7\"", &weaker),
        ("mask: \"keep-last:4\"", &weaker),
        ("mask: \"pseudonym\"", &weaker),
        ("", &weaker),
    ];
    for (mask, wanted) in rows {
        assert_eq!(broken("mask: \"keep-first:6\"", mask), wanted, "{mask}");
    }
    assert_eq!(broken("mask: \"month\"", "mask: \"year\""), []);
    assert_eq!(broken("round:100", "round:1000"), []);
    assert_eq!(
        broken("round:100", "round:150"),
        [(Rule::FieldMaskNotWeakened, 11)]
    );
    assert_eq!(
        broken("round:100", "round:10"),
        [(Rule::FieldMaskNotWeakened, 11)]
    );
}

#[test]
fn a_finding_names_file_line_element_and_what_breaks() {
    let wanted = Finding {
        file: "civil/v1/resident.proto".to_owned(),
        line: 10,
        rule: Rule::FieldSameName,
        element: "civil.v1.Resident.birth_date".to_owned(),
        message: "the field was named `born`".to_owned(),
    };
    let named = findings(
        "string born = 3 [",
        "string birth_date = 3 [json_name = \"born\", ",
    );
    assert_eq!(named, [wanted]);
}
