use std::path::Path;

use super::*;
use crate::journal::retention::DEFAULT;

fn check(text: &str) -> Result<Retention, Vec<String>> {
    #[derive(Deserialize)]
    struct Settings {
        #[serde(default)]
        retention: RawRetention,
    }
    let settings: Settings = toml::from_str(text).unwrap();
    let mut faults = Faults::of(Path::new("civil.toml"), text);
    let retention = settings.retention.check(&mut faults);
    let told = |found: Vec<Fault>| found.iter().map(ToString::to_string).collect();
    faults.unless(retention).map_err(told)
}

#[test]
fn without_a_word_records_are_kept_for_three_years() {
    let retention = check("").unwrap();
    assert_eq!(
        (retention.default, retention.classes),
        (Keep::Years(3), vec![])
    );
}

#[test]
fn classes_keep_their_order() {
    let text = r#"
[retention]
default = "2y"
[[retention.class]]
name = "tax"
keep = "7y"
record_types = ["tax.v1.Assessment"]
[[retention.class]]
name = "enquiries"
keep = "180d"
purposes = ["enquiry"]
"#;
    let retention = check(text).unwrap();
    let classes: Vec<_> = retention
        .classes
        .iter()
        .map(|c| (c.name.as_str(), c.keep))
        .collect();
    assert_eq!(
        classes,
        [("tax", Keep::Years(7)), ("enquiries", Keep::Days(180))]
    );
    assert_eq!(retention.default, Keep::Years(2));
}

#[test]
fn every_fault_is_told_with_its_place_and_hint() {
    let text = r#"
[retention]
default = "29d"
[[retention.class]]
name = "Tax"
keep = "7 years"
purposes = ["arrears"]
[[retention.class]]
name = "all"
keep = "7y"
[[retention.class]]
name = "all"
keep = "1d"
purposes = ["arrears"]
"#;
    let told = check(text).unwrap_err();
    let expected = [
        "civil.toml:5:8: retention.class[0].name: a class's name has 1 to 64 lower-case letters, digits and hyphens, e.g. `tax`",
        "civil.toml:6:8: retention.class[0].keep: `7 years` is not a term such as `3y` or `180d`: a number of years or days",
        "civil.toml:8:1: retention.class[1]: it fits every exchange; name `record_types` or `purposes`, or set `retention.default`",
        "civil.toml:12:8: retention.class[2].name: there is a class `all` already; give it another name",
        "civil.toml:13:8: retention.class[2].keep: `1d` is too short: records are kept for 30d at least",
        "civil.toml:3:11: retention.default: `29d` is too short: records are kept for 30d at least",
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_default_is_no_class() {
    let text = format!(
        "[[retention.class]]\nname = \"{DEFAULT}\"\nkeep = \"1y\"\npurposes = [\"arrears\"]"
    );
    let told = check(&text).unwrap_err();
    assert!(
        told[0].contains("there is a class `default` already"),
        "{told:?}"
    );
}
