use super::*;

// 23 November 2026.
const AT: Moment = Moment::from_micros(1_795_392_000_000_000);
const MONTH: i64 = 31 * 86_400 * 1_000_000;

fn keys() -> SubjectKeys {
    SubjectKeys::new(&std::array::from_fn(|n| n as u8))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

// Computed with Python's hmac from the description at `SubjectKeys::tag`.
#[test]
fn tags_are_those_that_others_compute() {
    let subject = keys().subject("civil.v1.Resident.national_id", "990101199001011234", AT);
    assert_eq!(subject.epoch, 682);
    assert_eq!(hex(&subject.tag), "e597885fd97a6df77112755f8c619771");
    let key = keys().record_key(&"civil.v1.Resident".parse().unwrap(), "R-1", AT);
    assert_eq!(hex(&key), "2287c3a39e264f2238feeca770b69fce");
}

#[test]
fn tags_of_two_months_or_two_departments_cannot_be_joined() {
    let now = keys().subject("scheme", "id", AT);
    let later = keys().subject("scheme", "id", Moment::from_micros(AT.micros() + MONTH));
    let theirs = SubjectKeys::new(&[1; 32]).subject("scheme", "id", AT);
    assert_ne!(now.tag, later.tag);
    assert_ne!(now.tag, theirs.tag);
    assert_ne!(now.tag, keys().subject("scheme2", "id", AT).tag);
}

#[test]
fn a_search_over_months_has_each_months_tag() {
    let later = Moment::from_micros(AT.micros() + 2 * MONTH);
    let tags = keys().subject_between("scheme", "id", AT, later);
    assert_eq!(
        tags.iter().map(|tag| tag.epoch).collect::<Vec<_>>(),
        [682, 683, 684]
    );
    assert_eq!(tags[2], keys().subject("scheme", "id", later));
    assert!(keys().subject_between("scheme", "id", later, AT).is_empty());
}

#[test]
fn a_month_begins_at_midnight_utc() {
    let midnight = 1_764_547_200_000_000; // 1 December 2025
    assert_eq!(epoch(Moment::from_micros(midnight - 1)), 670);
    assert_eq!(epoch(Moment::from_micros(midnight)), 671);
    assert_eq!(epoch(Moment::from_micros(0)), 0);
    assert_eq!(epoch(Moment::from_micros(-1)), 0);
}

#[test]
fn keys_do_not_show_in_debug_output() {
    assert_eq!(format!("{:?}", keys()), "SubjectKeys(..)");
}
