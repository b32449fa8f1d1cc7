use super::*;
use crate::cli::sample;

fn printed(format: Format, records: &[&str]) -> String {
    let fields = ["id".to_owned(), "full_name".to_owned()];
    let masked = ["full_name".to_owned()];
    let mut out = Vec::new();
    let mut rows = Rows::new(format, sample::person(), &fields, &masked, &mut out).unwrap();
    for record in records {
        rows.row(&sample::encode(record)).unwrap();
        rows.flush().unwrap();
    }
    rows.finish().unwrap();
    String::from_utf8(out).unwrap()
}

const RECORDS: [&str; 2] = [
    r#"{"id":"1","full_name":"王*"}"#,
    r#"{"id":"2","full_name":"a,\"b"}"#,
];

#[test]
fn a_table_marks_what_is_masked_and_says_so() {
    assert_eq!(
        printed(Format::Table, &RECORDS),
        " id  full_name*\n────────────────\n 1   王*\n 2   a,\"b\n* masked by the agreement\n"
    );
}

#[test]
fn csv_has_a_header_and_quotes() {
    assert_eq!(
        printed(Format::Csv, &RECORDS),
        "id,full_name\n1,王*\n2,\"a,\"\"b\"\n"
    );
    assert_eq!(printed(Format::Csv, &[]), "id,full_name\n");
}

#[test]
fn json_is_one_record_a_line() {
    assert_eq!(
        printed(Format::Json, &RECORDS),
        "{\"id\":\"1\",\"full_name\":\"王*\"}\n{\"id\":\"2\",\"full_name\":\"a,\\\"b\"}\n"
    );
}

#[test]
fn an_answer_without_records_is_an_empty_table() {
    assert_eq!(printed(Format::Table, &[]), "");
}

#[test]
fn a_long_table_is_printed_in_parts() {
    let record = sample::encode(r#"{"id":"1","full_name":"x"}"#);
    let mut out = Vec::new();
    let fields = ["full_name".to_owned()];
    let mut rows = Rows::new(Format::Table, sample::person(), &fields, &fields, &mut out).unwrap();
    for _ in 0..=TABLE_ROWS {
        rows.row(&record).unwrap();
    }
    rows.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("full_name*").count(), 2);
    assert_eq!(text.lines().count(), TABLE_ROWS + 1 + 4 + 1);
}

#[test]
fn one_record_for_people_has_a_line_for_each_field() {
    let fields = ["full_name".to_owned(), "address".to_owned()];
    let record = sample::encode(r#"{"full_name":"王芳","address":{"district":"南明"}}"#);
    let mut out = Vec::new();
    portrait(&sample::person(), &fields, &[], &record, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        " full_name         王芳\n address.district  南明\n address.street\n"
    );
}
