use proptest::prelude::*;
use time::macros::offset;

use super::*;

fn of(query: &str) -> Parameters {
    Parameters::read(query).ok().unwrap()
}

fn why<T>(outcome: Result<T, ReadingError>) -> String {
    outcome.err().unwrap().to_string()
}

#[test]
fn a_parameter_is_decoded_and_comes_once() {
    let parameters = of("userCode=EE%31%32%c3%b5&limit=5&limit=6&&flag");
    assert_eq!(parameters.one("userCode").unwrap(), Some("EE12õ"));
    assert_eq!(parameters.one("flag").unwrap(), Some(""));
    assert_eq!(parameters.one("offset").unwrap(), None);
    assert_eq!(why(parameters.one("limit")), "limit: comes twice");
    for query in ["a=%", "a=%2", "a=%zz", "a=%ff", "%+1=2"] {
        assert_eq!(
            why(Parameters::read(query)),
            "query: is not percent-encoded UTF-8",
            "{query}"
        );
    }
}

#[test]
fn a_number_is_within_its_range() {
    let number = |query: &str| of(query).number("limit", 1..=1_000);
    assert_eq!(number("").unwrap(), None);
    assert_eq!(number("limit=1").unwrap(), Some(1));
    assert_eq!(number("limit=1000").unwrap(), Some(1_000));
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=",
        "limit=ten",
        "limit=1.5",
    ] {
        assert_eq!(
            why(number(query)),
            "limit: expected a number from 1 to 1000",
            "{query}"
        );
    }
}

#[test]
fn a_time_without_an_offset_is_the_departments() {
    let moment =
        |value: &str| of(&format!("periodStart={value}")).moment("periodStart", offset!(+8));
    for (value, seconds) in [
        ("1970-01-01T08:00:01", 1),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T02:00:01+02:00", 1),
        ("1970-01-01T02:00:01%2B02:00", 1),
    ] {
        let expected = Some(Moment::from_micros(seconds * 1_000_000));
        assert_eq!(moment(value).unwrap(), expected, "{value}");
    }
    for value in ["", "1970-01-01", "yesterday", "1970-13-01T00:00:00Z"] {
        assert_eq!(
            why(moment(value)),
            "periodStart: expected a time such as `2026-01-31T10:20:30` or `2026-01-31T10:20:30Z`",
            "{value}"
        );
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_what_is_read(value in ".{0,40}") {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let parameters = of(&format!("a={encoded}"));
        prop_assert_eq!(parameters.one("a").unwrap(), Some(value.as_str()));
    }

    #[test]
    fn no_query_breaks_the_reading(query in "\\PC{0,60}") {
        let _ = Parameters::read(&query).and_then(|read| read.moment("a", UtcOffset::UTC));
    }
}
