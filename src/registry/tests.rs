use std::fs;
use std::path::Path;

use proptest::proptest;

use super::Registry;
use super::mask::Mask;
use crate::fault::Fault;
use crate::pb::Sensitivity;
use crate::pb::SharingClass;

fn sample() -> Registry {
    Registry::compile(Path::new("proto/registry")).unwrap()
}

/// A record type with one field more than its key.
pub(super) const THING: &str = r#"syntax = "proto3";
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

pub(super) fn compile(files: &[(&str, &str)]) -> Result<Registry, Vec<Fault>> {
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
pub(super) fn faults(files: &[(&str, &str)]) -> Vec<String> {
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
fn the_agreement_of_the_handbook_fits_the_sample() {
    let registry = sample();
    let resident = registry.record("civil.v1.Resident").unwrap();
    for path in [
        "resident_id",
        "full_name",
        "national_id",
        "birth_date",
        "address.district",
    ] {
        assert_eq!(resident.field(path).unwrap().path().as_str(), path);
    }
    let birth_date = resident.field("birth_date").unwrap();
    assert_eq!(Mask::Year.fits(birth_date.descriptor()), Ok(()));
    let status = resident.field("status").unwrap();
    let kind = status.descriptor().kind();
    let active = kind.as_enum().unwrap().get_value_by_name("STATUS_ACTIVE");
    assert_eq!(active.unwrap().number(), 1);
}

#[test]
fn every_record_and_field_of_the_sample_is_titled_and_described() {
    for record in sample().records() {
        assert!(!record.title_zh().is_empty() && !record.description().is_empty());
        let mut fields = record.fields(None);
        fields.extend(record.leaves());
        for field in fields {
            let place = format!("{} of {}", field.path(), record.name());
            assert!(!field.title().is_empty(), "{place}");
            assert!(!field.title_zh().is_empty(), "{place}");
            assert!(!field.description().is_empty(), "{place}");
        }
    }
}

#[test]
fn an_unknown_record_type_is_told_with_a_hint() {
    let registry = sample();
    let hint = |name| registry.record(name).unwrap_err().suggestion;
    assert_eq!(hint("civil.v1.Residnet").unwrap(), "civil.v1.Resident");
    assert_eq!(hint("Resident").unwrap(), "civil.v1.Resident");
    assert_eq!(hint("taxpayer").unwrap(), "tax.v1.Taxpayer");
    assert_eq!(hint("Busines").unwrap(), "market.v1.Business");
    assert_eq!(hint("weather").as_deref(), None);
    assert_eq!(
        registry
            .record("civil.v1.Residents")
            .unwrap_err()
            .to_string(),
        "unknown record type `civil.v1.Residents`; did you mean `civil.v1.Resident`?"
    );
}

#[test]
fn a_hostile_name_is_shortened_and_escaped() {
    let registry = sample();
    let name = format!("a\n\u{1b}[31m{}", "x".repeat(1_000_000));
    let shown = registry.record(&name).unwrap_err().to_string();
    assert!(shown.starts_with("unknown record type `a\\n\\u{1b}[31m"));
    assert!(shown.len() < 200);
    let resident = registry.record("civil.v1.Resident").unwrap();
    assert!(resident.field(&name).unwrap_err().to_string().len() < 200);
}

#[test]
fn an_unknown_field_is_told_with_a_hint() {
    let registry = sample();
    let resident = registry.record("civil.v1.Resident").unwrap();
    let hint = |path| resident.field(path).unwrap_err().suggestion;
    assert_eq!(hint("adress.district").unwrap(), "address.district");
    assert_eq!(hint("district").unwrap(), "address.district");
    assert_eq!(hint("zzz"), None);
}

#[test]
fn paths_stop_at_maps_lists_of_scalars_and_well_known_types() {
    let registry = sample();
    let resident = registry.record("civil.v1.Resident").unwrap();
    for path in [
        "attributes.key",
        "attributes.value",
        "registered_at.seconds",
        "full_name.x",
        "address.",
        ".address",
        "address..district",
        "",
        "*",
    ] {
        assert!(resident.field(path).is_err(), "{path}");
    }
    assert!(
        resident
            .fields(Some(&"full_name".parse().unwrap()))
            .is_empty()
    );
    assert!(
        resident
            .fields(Some(&"nothing".parse().unwrap()))
            .is_empty()
    );
}

#[test]
fn a_path_may_pass_through_a_list_of_messages() {
    let registry = sample();
    let household = registry.record("civil.v1.Household").unwrap();
    let name = household.field("members.full_name").unwrap();
    assert_eq!(name.type_name(), "string");
    assert!(name.is_repeated());
    assert!(!name.is_single_value());
}

#[test]
fn leaves_come_in_the_order_of_declaration() {
    let registry = sample();
    let household = registry.record("civil.v1.Household").unwrap();
    let paths = |fields: Vec<super::field::Field>| {
        let paths: Vec<_> = fields.iter().map(|f| f.path().to_string()).collect();
        paths.join(" ")
    };
    assert_eq!(
        paths(household.leaves()),
        "household_id head_national_id kind \
         address.province address.city address.district address.street address.house address.postal_code \
         members.resident_id members.full_name members.relation members.joined_on established_at"
    );
    let members = household.field("members").unwrap();
    assert_eq!(
        paths(household.fields(Some(members.path()))),
        paths(household.leaves_of(&members))
    );
    let kind = household.field("kind").unwrap();
    assert_eq!(household.leaves_of(&kind), [kind]);
}

#[test]
fn types_are_named_as_one_writes_them() {
    let registry = sample();
    let name = |record, path| {
        let schema = registry.record(record).unwrap();
        schema.field(path).unwrap().type_name()
    };
    assert_eq!(
        name("market.v1.Business", "shareholdings"),
        "map<string, int64>"
    );
    assert_eq!(
        name("market.v1.Business", "licences"),
        "repeated market.v1.Licence"
    );
    assert_eq!(
        name("market.v1.Business", "status"),
        "market.v1.BusinessStatus"
    );
    assert_eq!(
        name("market.v1.Business", "updated_at"),
        "google.protobuf.Timestamp"
    );
    assert_eq!(name("civil.v1.Resident", "phone"), "string");
}

#[test]
fn a_message_that_contains_itself_can_be_named_at_any_level() {
    let text = THING.replace(
        "string name = 2;",
        "Thing part = 2; repeated Thing parts = 3;",
    );
    let registry = compile(&[("test/v1/thing.proto", &text)]).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    let leaves: Vec<_> = thing
        .leaves()
        .iter()
        .map(|f| f.path().to_string())
        .collect();
    assert_eq!(leaves, ["id", "part", "parts"]);
    let deep = thing.field("part.parts.part.id").unwrap();
    assert_eq!(deep.numbers(), [2, 3, 2, 1]);
    assert!(deep.is_repeated());
    assert_eq!(thing.fields(Some(&"part.part".parse().unwrap())).len(), 3);
    assert!(thing.field(&"part.".repeat(200)).is_err());
    let part = thing.field("part.part").unwrap();
    assert_eq!(thing.leaves_of(&part), [part]);
}

#[test]
fn what_is_dropped_is_dropped_with_all_in_it() {
    let text = THING.replace(
        "string name = 2;",
        r#"Inner inner = 2 [(landbridge.v1.field).mask = "drop"];"#,
    ) + r#"message Inner { string a = 1 [(landbridge.v1.field).mask = "keep-first:1"]; }"#;
    let registry = compile(&[("test/v1/thing.proto", &text)]).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    assert_eq!(
        thing.field("inner.a").unwrap().default_mask(),
        Some(Mask::Drop)
    );
}

#[test]
fn an_unmarked_field_is_internal() {
    let registry = compile(&[("test/v1/thing.proto", THING)]).unwrap();
    let thing = registry.record("test.v1.Thing").unwrap();
    let name = thing.field("name").unwrap();
    assert_eq!(name.sensitivity(), Sensitivity::Internal);
    assert_eq!(name.default_mask(), None);
}

proptest! {
    #[test]
    fn resolving_never_panics_and_keeps_the_path(path in "([a-z_]{1,12}\\.?){0,8}|.{0,40}") {
        thread_local!(static SAMPLE: Registry = sample());
        SAMPLE.with(|registry| {
            for record in registry.records() {
                if let Ok(field) = record.field(&path) {
                    assert_eq!(field.path().as_str(), path);
                }
            }
        });
    }
}
