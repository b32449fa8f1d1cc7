//! What is found, and in which order.

use std::path::Path;

use crate::registry::Registry;

fn found(words: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/registry");
    let registry = Registry::compile(&root).unwrap();
    let found = registry.search(words);
    found.map(|record| record.name().to_string()).collect()
}

#[test]
fn words_of_both_languages_find_titles_fields_and_meanings() {
    let rows = [
        ("resident", "civil.v1.Resident"),
        ("常住人口", "civil.v1.Resident"),
        ("公民身份 常住", "civil.v1.Resident"),
        ("RESID number", "civil.v1.Resident"),
        ("taxpayer", "tax.v1.Taxpayer"),
        ("annual report", "market.v1.AnnualReport"),
        ("AnnualReport", "market.v1.AnnualReport"),
    ];
    for (words, first) in rows {
        assert_eq!(
            found(words).first().map(String::as_str),
            Some(first),
            "{words}"
        );
    }
}

#[test]
fn all_words_must_be_there() {
    assert_eq!(found("resident volcano"), [""; 0]);
    assert_eq!(found("人口火山"), [""; 0]);
    assert_eq!(found(" ,.; "), [""; 0]);
}

#[test]
fn characters_that_do_not_stand_together_are_no_word() {
    assert_eq!(found("人籍"), [""; 0]);
    assert!(!found("籍").is_empty());
}
