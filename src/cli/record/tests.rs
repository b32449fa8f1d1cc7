use super::*;
use crate::cli::sample;

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn nested_fields_become_columns_joined_by_dots() {
    let columns = Columns::new(
        &sample::person(),
        &strings(&["full_name", "address", "seen_at", "former"]),
        &[],
    );
    assert_eq!(
        columns.names(),
        [
            "full_name",
            "address.district",
            "address.street",
            "seen_at",
            "former"
        ]
    );
}

#[test]
fn masked_fields_are_marked() {
    let fields = strings(&["full_name", "address", "status"]);
    let columns = Columns::new(
        &sample::person(),
        &fields,
        &strings(&["full_name", "address.street"]),
    );
    assert_eq!(
        columns.titles(),
        [
            "full_name*",
            "address.district",
            "address.street*",
            "status"
        ]
    );
    assert!(columns.has_masked());
}

#[test]
fn every_shape_of_value_has_a_cell() {
    let message = sample::person();
    let json = r#"{"id":"7","full_name":"王芳","address":{"district":"南明"},"status":"STATUS_ACTIVE",
        "phones":["1","2"],"points":{"a":1},"seen_at":"2026-05-01T10:00:00Z","balance":"-5",
        "former":[{"street":"x"}],"photo":"AAE="}"#;
    let record = to_json(&message, &sample::encode(json)).unwrap();
    let fields = strings(&[
        "id",
        "full_name",
        "address",
        "status",
        "phones",
        "points",
        "seen_at",
        "balance",
        "children",
        "former",
        "photo",
    ]);
    let columns = Columns::new(&message, &fields, &[]);
    assert_eq!(
        columns.cells(&record, Style::People),
        [
            "7",
            "王芳",
            "南明",
            "",
            "STATUS_ACTIVE",
            "1, 2",
            "a=1",
            "2026-05-01T10:00:00Z",
            "-5",
            "",
            r#"[{"street":"x"}]"#,
            "AAE="
        ]
    );
    assert_eq!(
        columns.cells(&record, Style::Programs)[5..7],
        [r#"["1","2"]"#, r#"{"a":1}"#]
    );
}

#[test]
fn json_has_the_names_of_the_schema() {
    let record = to_json(
        &sample::person(),
        &sample::encode(r#"{"full_name":"a","balance":"9"}"#),
    )
    .unwrap();
    assert_eq!(record.to_string(), r#"{"full_name":"a","balance":"9"}"#);
}

#[test]
fn bytes_that_are_no_record_are_an_error() {
    assert!(to_json(&sample::person(), b"\x0a\xff").is_err());
}
