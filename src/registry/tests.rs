use std::fs;
use std::path::Path;

use super::Registry;
use super::mask::Mask;
use crate::fault::Fault;
use crate::pb::Sensitivity;
use crate::pb::SharingClass;

fn sample() -> Registry {
    Registry::compile(Path::new("proto/registry")).unwrap()
}

/// A record type with one field more than its key.
const THING: &str = r#"syntax = "proto3";
package test.v1;
import "landbridge/v1/annotations.proto";
// A thing.
message Thing {
  option (landbridge.v1.record) = {
    owner: "test" key: "id" title: "Thing" sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1;
  // Its name.
  string name = 2;
}
"#;

fn compile(files: &[(&str, &str)]) -> Result<Registry, Vec<Fault>> {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let relative = |mut fault: Fault| {
        fault.file = fault
            .file
            .split_off(root.path().to_str().unwrap().len() + 1);
        fault
    };
    Registry::compile(root.path()).map_err(|faults| faults.into_iter().map(relative).collect())
}

/// Each fault as an administrator reads it.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let faults = compile(files).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn the_sample_registry_has_record_types_of_three_departments() {
    let registry = sample();
    let names: Vec<_> = registry
        .records()
        .map(|r| (r.name().as_str(), r.owner().as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("civil.v1.AdoptionRecord", "civil"),
            ("civil.v1.Household", "civil"),
            ("civil.v1.MarriageRecord", "civil"),
            ("civil.v1.Resident", "civil"),
            ("market.v1.AnnualReport", "market"),
            ("market.v1.Business", "market"),
            ("tax.v1.PaymentRecord", "tax"),
            ("tax.v1.Taxpayer", "tax"),
        ]
    );
}

#[test]
fn options_and_comments_are_read() {
    let registry = sample();
    let resident = registry.record("civil.v1.Resident").unwrap();
    assert_eq!(resident.key().path().as_str(), "resident_id");
    assert_eq!(resident.subject().unwrap().path().as_str(), "national_id");
    assert_eq!(resident.title_zh(), "常住人口");
    assert_eq!(resident.sharing(), SharingClass::Conditional);
    assert_eq!(
        resident.description(),
        "A natural person registered with the civil affairs department."
    );
    let birth_date = resident.field("birth_date").unwrap();
    assert_eq!(birth_date.default_mask(), Some(Mask::Month));
    assert_eq!(birth_date.sensitivity(), Sensitivity::Personal);
    assert_eq!(birth_date.title_zh(), "出生日期");
    assert_eq!(
        birth_date.description(),
        "An ISO 8601 date, \"YYYY-MM-DD\"."
    );
}

#[test]
fn a_nested_field_has_the_highest_sensitivity_along_its_path() {
    let registry = sample();
    let resident = registry.record("civil.v1.Resident").unwrap();
    let district = resident.field("address.district").unwrap();
    assert_eq!(district.numbers(), [8, 3]);
    assert_eq!(district.descriptor().name(), "district");
    assert_eq!(district.sensitivity(), Sensitivity::Personal);
    assert!(!district.is_repeated());
}

#[test]
fn a_file_with_one_record_type_is_enough() {
    let registry = compile(&[("test/v1/thing.proto", THING)]).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    assert_eq!(thing.field("name").unwrap().description(), "Its name.");
}

#[test]
fn faults_smoke() {
    assert_eq!(
        faults(&[(
            "test/v1/thing.proto",
            &THING.replace("string name", "strng name")
        )]),
        ["test/v1/thing.proto:11:3: name `strng` is not defined; did you mean `string`?"]
    );
}
