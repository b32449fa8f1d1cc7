//! Tests of the synthetic records.

mod sample;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use super::*;

const SEED: u64 = 2026;
const RESIDENTS: u32 = 3_000;

/// All records of one town, by type.
fn town() -> HashMap<&'static str, Vec<Value>> {
    let mut town = HashMap::<_, Vec<Value>>::new();
    for (record, value) in drafts(SEED, RESIDENTS) {
        town.entry(record).or_default().push(value);
    }
    town
}

fn texts<'a>(records: &'a [Value], pointer: &str) -> Vec<&'a str> {
    let text = |record: &'a Value| record.pointer(pointer).and_then(Value::as_str);
    records.iter().map(|record| text(record).unwrap()).collect()
}

fn part(code: &str, range: Range<usize>) -> &str {
    code.get(range).unwrap()
}

fn registry() -> Registry {
    Registry::compile(Path::new("proto/registry")).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let registry = registry();
    let bytes = |seed| -> Vec<Bytes> {
        generate(&registry, seed, 300)
            .map(|record| record.unwrap().1)
            .collect()
    };
    let first = bytes(SEED);
    assert!(first == bytes(SEED));
    assert!(first != bytes(SEED + 1));
}

#[test]
fn every_record_type_of_the_sample_registry_has_records_that_decode() {
    let registry = registry();
    let mut counts = BTreeMap::new();
    for record in generate(&registry, SEED, RESIDENTS) {
        let (name, bytes) = record.unwrap();
        let schema = registry.record(name.as_str()).unwrap();
        let message = DynamicMessage::decode(schema.descriptor().clone(), bytes).unwrap();
        assert_eq!(message.unknown_fields().count(), 0);
        *counts.entry(name).or_insert(0_u32) += 1;
    }
    let expected: Vec<_> = registry.records().map(|schema| schema.name()).collect();
    assert_eq!(counts.keys().collect::<Vec<_>>(), expected);
    assert_eq!(counts.get("civil.v1.Resident"), Some(&RESIDENTS));
    assert!(counts.values().all(|&count| count >= 3), "{counts:?}");
}

#[test]
fn there_are_as_many_residents_as_were_asked_for() {
    for residents in [0, 1, 2, 7, 500] {
        let made = drafts(SEED, residents)
            .filter(|(record, _)| *record == "civil.v1.Resident")
            .count();
        assert_eq!(made, residents as usize);
    }
}

#[test]
fn keys_are_unique() {
    let town = town();
    for schema in registry().records() {
        let key = schema.key().path().as_str();
        let records = &town[schema.name().as_str()];
        let keys: HashSet<String> = records.iter().map(|r| r[key].to_string()).collect();
        assert_eq!(keys.len(), records.len(), "{}", schema.name());
    }
}

#[test]
fn identity_numbers_are_valid_unique_and_fit_their_holders() {
    let town = town();
    let mut seen = HashSet::new();
    for resident in &town["civil.v1.Resident"] {
        let number = resident["national_id"].as_str().unwrap();
        assert!(seen.insert(number), "a number twice");
        assert_eq!(number.len(), 18);
        assert!(number.starts_with("99000"));
        assert!(number.ends_with(codes::mod_11_2(part(number, 0..17))));
        let birth = resident["birth_date"].as_str().unwrap().replace('-', "");
        assert_eq!(part(number, 6..14), birth);
        let odd = part(number, 14..17).parse::<u32>().unwrap() % 2 == 1;
        assert_eq!(odd, resident["gender"] == "GENDER_MALE");
    }
}

#[test]
fn credit_codes_are_valid_and_in_no_real_region() {
    let town = town();
    for code in texts(&town["market.v1.Business"], "/credit_code") {
        assert_eq!(code.len(), 18);
        assert_eq!(part(code, 2..7), "99000");
        assert!(part(code, 0..17).ends_with(codes::mod_11(part(code, 8..16))));
        assert!(code.ends_with(codes::mod_31(part(code, 0..17))));
    }
}

#[test]
fn check_characters_are_those_of_the_standards_examples() {
    assert_eq!(codes::mod_11_2("11010519491231002"), 'X');
    assert_eq!(codes::mod_11("D2143569"), 'X');
    assert_eq!(codes::mod_31("91350100M000100Y4"), '3');
}

#[test]
fn whoever_a_record_refers_to_has_a_record() {
    let town = town();
    let people: HashSet<_> = texts(&town["civil.v1.Resident"], "/national_id")
        .into_iter()
        .collect();
    let businesses: HashSet<_> = texts(&town["market.v1.Business"], "/credit_code")
        .into_iter()
        .collect();
    let known: HashSet<_> = people.union(&businesses).copied().collect();
    for (record, pointer, among) in [
        ("civil.v1.Household", "/head_national_id", &people),
        (
            "civil.v1.MarriageRecord",
            "/first_spouse/national_id",
            &people,
        ),
        (
            "civil.v1.MarriageRecord",
            "/second_spouse/national_id",
            &people,
        ),
        ("civil.v1.AdoptionRecord", "/child_national_id", &people),
        (
            "market.v1.Business",
            "/legal_representative/national_id",
            &people,
        ),
        ("market.v1.AnnualReport", "/credit_code", &businesses),
        ("tax.v1.Taxpayer", "/identity_number", &known),
        ("tax.v1.PaymentRecord", "/identity_number", &known),
    ] {
        for number in texts(&town[record], pointer) {
            assert!(among.contains(number), "{record}{pointer}");
        }
    }
    let taxpayers: HashSet<_> = texts(&town["tax.v1.Taxpayer"], "/tax_id")
        .into_iter()
        .collect();
    let paid = texts(&town["tax.v1.PaymentRecord"], "/tax_id");
    assert!(paid.iter().all(|tax_id| taxpayers.contains(tax_id)));
}

#[test]
fn every_member_of_a_household_says_so() {
    let town = town();
    let mut homes = HashMap::new();
    for resident in &town["civil.v1.Resident"] {
        homes.insert(
            resident["resident_id"].as_str().unwrap(),
            &resident["household_id"],
        );
    }
    let mut members = 0;
    for household in &town["civil.v1.Household"] {
        for member in household["members"].as_array().unwrap() {
            let home = homes[member["resident_id"].as_str().unwrap()];
            assert_eq!(home, &household["household_id"]);
            members += 1;
        }
    }
    let homeless = homes.values().filter(|home| home.is_null()).count();
    assert_eq!(members + homeless, RESIDENTS as usize);
    assert!(homeless > 0);
}

#[test]
fn what_is_optional_is_absent_for_some() {
    let town = town();
    for (record, field) in [
        ("civil.v1.Resident", "phone"),
        ("civil.v1.Resident", "height_cm"),
        ("civil.v1.MarriageRecord", "ended_at"),
        ("market.v1.Business", "employees"),
        ("market.v1.AnnualReport", "figures"),
        ("tax.v1.Taxpayer", "effective_rate"),
    ] {
        let absent = town[record].iter().filter(|r| r[field].is_null()).count();
        assert!(absent > 0, "{record}.{field} is never absent");
        assert!(
            absent < town[record].len(),
            "{record}.{field} is always absent"
        );
    }
}

#[test]
fn every_status_and_district_occurs() {
    let town = town();
    for (record, pointer, kinds) in [
        ("civil.v1.Resident", "/status", 4),
        ("civil.v1.Resident", "/address/district", 6),
        ("civil.v1.Household", "/kind", 2),
        ("civil.v1.MarriageRecord", "/status", 3),
        ("market.v1.Business", "/kind", 5),
        ("market.v1.Business", "/status", 4),
        ("tax.v1.Taxpayer", "/credit_rating", 6),
    ] {
        let seen: HashSet<_> = texts(&town[record], pointer).into_iter().collect();
        assert_eq!(seen.len(), kinds, "{record}{pointer}: {seen:?}");
    }
}

#[test]
fn income_is_taxed_by_the_tables_brackets() {
    let tax = |yuan| accounts::personal_income_tax(accounts::yuan(yuan));
    assert_eq!(tax(60_000), 0);
    assert_eq!(tax(96_000), accounts::yuan(1_080));
    assert_eq!(tax(100_000), accounts::yuan(1_480));
    assert_eq!(tax(2_000_000), accounts::yuan(691_080));
}

#[test]
fn another_registry_is_refused() {
    let error = |proto: &str| {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("civil/v1")).unwrap();
        std::fs::write(root.path().join("civil/v1/other.proto"), proto).unwrap();
        let registry = Registry::compile(root.path()).unwrap();
        generate(&registry, SEED, 1).next().unwrap().unwrap_err()
    };
    let without = error("syntax = \"proto3\"; package civil.v1; message Other {}");
    assert!(matches!(without, DemoError::RecordType(_)), "{without}");
    let unlike = error(
        r#"syntax = "proto3"; package civil.v1; import "landbridge/v1/annotations.proto";
        message Resident {
          option (landbridge.v1.record) = {
            owner: "civil" key: "id" title: "R" title_zh: "人" sharing: SHARING_CLASS_CONDITIONAL
          };
          string id = 1;
        }"#,
    );
    assert_eq!(
        unlike.to_string(),
        "the demo's records do not fit civil.v1.Resident"
    );
}
