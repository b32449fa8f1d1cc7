use std::path::Path;

use super::*;
use crate::clock::Moment;
use crate::reading::visibility::Disclosure;

fn checked(text: &str) -> Result<Visibility, Vec<String>> {
    let raw: RawSubjects = toml::from_str(text).unwrap();
    let mut faults = Faults::of(Path::new("civil.toml"), "");
    let visibility = raw.check(&mut faults);
    let told = |found: Vec<Fault>| found.iter().map(ToString::to_string).collect();
    faults.unless(visibility).map_err(told)
}

#[test]
fn a_rule_delays_by_days() {
    let visibility = checked(
        "schemes = [\"national_id\"]\n[[hide]]\npurposes = [\"inspection\"]\nuntil = \"90d\"\nreason = \"Rules, art. 3\"",
    )
    .unwrap();
    let used = Disclosure {
        at: Moment::from_micros(0),
        purpose: "inspection",
        consumer: "tax",
        record_type: "civil.v1.Resident",
    };
    let hidden = visibility.hides(&used, Moment::from_micros(0)).unwrap();
    assert_eq!(hidden.until, Some(Moment::from_micros(90 * 86_400_000_000)));
    assert_eq!(hidden.reason, "Rules, art. 3");
}

#[test]
fn what_would_hide_everything_or_give_no_reason_is_a_fault_with_its_hint() {
    let found = checked("schemes = []\n[[hide]]\nreason = \" \"\nuntil = \"soon\"").unwrap_err();
    assert_eq!(
        found,
        [
            "civil.toml: subjects.schemes: names no field; give the fields that say whose record it is, such as [\"national_id\"]",
            "civil.toml: subjects.hide: a rule that says nothing of purposes, consumers and record_types would hide everything; name those that it is about",
            "civil.toml: subjects.hide: `reason` must say by what law, in 1 to 256 characters: auditors are shown it",
            "civil.toml: subjects.hide: `soon` is not a delay such as `90d`: a number with d, h, m or s",
        ]
    );
    let found = checked("schemes = [\"first_spouse.national_id\"]").unwrap_err();
    assert!(
        found[0].contains("is a path; give the field's own name"),
        "{found:?}"
    );
}
