use proptest::prelude::*;

use super::*;
use crate::journal::testing::exchange_record;
use crate::journal::testing::record_of;

fn moment(text: &str) -> Moment {
    let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
    Moment::from_micros(at.unix_timestamp() * 1_000_000)
}

fn class(name: &str, keep: &str, types: &[&str], purposes: &[&str]) -> Class {
    Class {
        name: name.to_owned(),
        keep: keep.parse().unwrap(),
        record_types: types.iter().map(|name| name.parse().unwrap()).collect(),
        purposes: purposes.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn rules() -> Retention {
    Retention {
        classes: vec![
            class("arrears", "180d", &["civil.v1.Resident"], &["arrears"]),
            class("civil", "10y", &["civil.v1.Resident"], &[]),
            class("fraud", "7y", &[], &["fraud"]),
        ],
        default: Keep::Years(3),
    }
}

#[test]
fn a_term_is_years_or_days_in_one_form() {
    for (text, keep) in [
        ("3y", Some(Keep::Years(3))),
        ("180d", Some(Keep::Days(180))),
        ("100y", Some(Keep::Years(100))),
        ("101y", None),
        ("36500d", Some(Keep::Days(36_500))),
        ("36501d", None),
        ("0y", None),
        ("03y", None),
        ("+3y", None),
        ("3 y", None),
        ("3m", None),
        ("y", None),
        ("3年", None),
        ("", None),
    ] {
        assert_eq!(text.parse().ok(), keep, "{text}");
    }
}

#[test]
fn a_record_is_due_at_the_end_of_its_terms_last_day() {
    for (time, keep, due) in [
        ("2026-05-01T00:00:00Z", "1y", "2027-05-02T00:00:00Z"),
        ("2026-05-01T23:59:59Z", "1y", "2027-05-02T00:00:00Z"),
        ("2028-02-29T12:00:00Z", "1y", "2029-03-02T00:00:00Z"),
        ("2028-02-29T12:00:00Z", "4y", "2032-03-01T00:00:00Z"),
        ("2026-12-31T12:00:00Z", "30d", "2027-01-31T00:00:00Z"),
        // At the offset that was given it is the next day already.
        ("2026-05-01T23:00:00-02:00", "1d", "2026-05-04T00:00:00Z"),
    ] {
        let keep: Keep = keep.parse().unwrap();
        assert_eq!(keep.due(moment(time)), moment(due), "{time} {keep}");
    }
}

#[test]
fn the_first_class_that_fits_counts() {
    let of = |record_type: &str, purpose: &str| {
        let record = record_of(pb::ExchangeRecord {
            record_type: record_type.to_owned(),
            purpose: purpose.to_owned(),
            ..exchange_record(1)
        });
        rules()
            .of(&record)
            .map(|(name, _)| name.to_owned())
            .unwrap()
    };
    assert_eq!(of("civil.v1.Resident", "arrears"), "arrears");
    assert_eq!(of("civil.v1.Resident", "fraud"), "civil");
    assert_eq!(of("civil.v1.Household", "fraud"), "fraud");
    assert_eq!(of("civil.v1.Household", "arrears"), "default");
}

#[test]
fn a_streams_end_is_of_its_openings_class() {
    let end = pb::StreamEndRecord {
        record_type: "civil.v1.Resident".to_owned(),
        purpose: "arrears".to_owned(),
        ..Default::default()
    };
    let record = pb::JournalRecord {
        kind: Some(Kind::StreamEnd(end)),
    };
    assert_eq!(rules().of(&record), Some(("arrears", Keep::Days(180))));
}

#[test]
fn what_is_no_exchange_is_kept_as_long_as_the_default_and_erasures_for_ever() {
    let of = |kind| {
        let record = pb::JournalRecord { kind: Some(kind) };
        rules().of(&record).map(|(_, keep)| keep)
    };
    assert_eq!(of(Kind::Access(Default::default())), Some(Keep::Years(3)));
    assert_eq!(of(Kind::Erasure(Default::default())), None);
}

#[test]
fn a_class_that_is_gone_permits_what_the_shortest_does() {
    let noon = moment("2026-05-01T12:00:00Z");
    assert_eq!(
        rules().due_in("civil", noon),
        moment("2036-05-02T00:00:00Z")
    );
    assert_eq!(
        rules().due_in("default", noon),
        moment("2029-05-02T00:00:00Z")
    );
    assert_eq!(rules().due_in("gone", noon), rules().earliest_due(noon));
    assert_eq!(rules().earliest_due(noon), moment("2026-10-29T00:00:00Z"));
}

proptest! {
    #[test]
    fn later_records_are_never_due_earlier(
        micros in 0..4_000_000_000_000_000i64,
        later in 0..90_000_000_000_000i64,
        keep in prop_oneof![(1..=100u16).prop_map(Keep::Years), (1..=36_500u16).prop_map(Keep::Days)],
    ) {
        let (first, second) = (Moment::from_micros(micros), Moment::from_micros(micros + later));
        prop_assert!(keep.due(first) <= keep.due(second));
        let days = i64::from(keep.least_days());
        prop_assert!(keep.due(first).micros() > first.micros() + days * 86_400_000_000);
        prop_assert_eq!(keep.to_string().parse(), Ok(keep));
    }
}
