use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::InvalidQuery;
use super::Query;
use super::Raw;
use super::RawSelection;
use super::Selection;
use crate::pb;
use crate::registry::Registry;
use crate::registry::schema::RecordSchema;

fn resident() -> Arc<RecordSchema> {
    let registry = Registry::compile(Path::new("proto/registry")).unwrap();
    Arc::clone(registry.record("civil.v1.Resident").unwrap())
}

fn check(fields: &[&str], selection: RawSelection<'_>) -> Result<Query, InvalidQuery> {
    let fields: Vec<_> = fields.iter().map(|&f| f.to_owned()).collect();
    Query::check(
        &resident(),
        &Raw {
            purpose: "arrears",
            fields: &fields,
            selection,
        },
    )
}

fn get(fields: &[&str]) -> Result<Query, InvalidQuery> {
    check(fields, RawSelection::Get { key: "R1" })
}

fn order(order_by: &str) -> Result<Vec<(String, bool)>, String> {
    let cursor = Bytes::new();
    let query = check(
        &[],
        RawSelection::Query {
            filter: "",
            order_by,
            limit: 0,
            cursor: &cursor,
        },
    );
    let Selection::Query { order, limit, .. } = query.map_err(|e| e.to_string())?.selection else {
        panic!("not a query");
    };
    assert_eq!(limit, None);
    Ok(order
        .iter()
        .map(|o| (o.field.path().to_string(), o.descending))
        .collect())
}

fn text(value: &str) -> Option<pb::Value> {
    Some(pb::Value {
        kind: Some(pb::value::Kind::Text(value.to_owned())),
    })
}

fn verify(claims: &[(&str, Option<pb::Value>)]) -> Result<Query, InvalidQuery> {
    let claims: Vec<_> = claims
        .iter()
        .map(|(field, value)| pb::Claim {
            field: (*field).to_owned(),
            value: value.clone(),
        })
        .collect();
    check(
        &[],
        RawSelection::Verify {
            key: "R1",
            claims: &claims,
        },
    )
}

fn refusal(result: Result<Query, InvalidQuery>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_field_within_another_is_left_out() {
    let query = get(&[
        "address.district",
        "full_name",
        "address",
        "address.city",
        "full_name",
    ])
    .unwrap();
    let paths: Vec<_> = query.fields.iter().map(|f| f.path().as_str()).collect();
    assert_eq!(paths, ["full_name", "address"]);
}

#[test]
fn an_unknown_field_is_named_with_its_place_and_hint() {
    assert_eq!(
        refusal(get(&["full_name", "adress.district"])),
        "fields[1]: unknown field `adress.district` in civil.v1.Resident; did you mean `address.district`?"
    );
}

#[test]
fn a_million_fields_are_refused_unread() {
    let fields = vec!["full_name"; 1_000_000];
    assert_eq!(refusal(get(&fields)), "fields: at most 256 are allowed");
}

#[test]
fn a_purpose_is_compulsory_and_a_name() {
    let schema = resident();
    let with = |purpose| {
        let raw = Raw {
            purpose,
            fields: &[],
            selection: RawSelection::Get { key: "R1" },
        };
        refusal(Query::check(&schema, &raw))
    };
    assert_eq!(with(""), "grounds.purpose: it is compulsory");
    assert!(
        with("Tax Assessment").starts_with("grounds.purpose: `Tax Assessment` is not a purpose")
    );
}

#[test]
fn a_key_is_compulsory_and_bounded() {
    let with = |key| refusal(check(&[], RawSelection::Get { key }));
    assert_eq!(with(""), "key: it is compulsory");
    assert_eq!(
        with(&"9".repeat(1025)),
        "key: at most 1024 bytes are allowed"
    );
}

#[test]
fn an_order_names_single_values_once() {
    assert_eq!(
        order("address.district desc, birth_date asc,resident_id"),
        Ok(vec![
            ("address.district".into(), true),
            ("birth_date".into(), false),
            ("resident_id".into(), false)
        ])
    );
    assert_eq!(order("  "), Ok(vec![]));
    let rows = [
        (
            "birth_date down",
            "write a field path, alone or followed by `asc` or `desc`",
        ),
        (
            "birth_date,",
            "write a field path, alone or followed by `asc` or `desc`",
        ),
        (
            "birth_date desc desc",
            "write a field path, alone or followed by `asc` or `desc`",
        ),
        ("birth_date, birth_date desc", "`birth_date` is named twice"),
        (
            "former_names",
            "`former_names` has no single value to compare: it is a repeated string",
        ),
        (
            "address",
            "`address` has no single value to compare: it is a civil.v1.Address",
        ),
        ("a,b,c,d,e,f,g,h,i", "at most 8 are allowed"),
    ];
    for (given, expected) in rows {
        assert_eq!(order(given).unwrap_err(), format!("order_by: {expected}"));
    }
}

#[test]
fn a_claim_needs_a_single_field_and_a_fitting_value() {
    let query = verify(&[
        ("full_name", text("张三")),
        ("status", text("STATUS_ACTIVE")),
    ])
    .unwrap();
    let Selection::Verify { claims, .. } = query.selection else {
        panic!("not a verification");
    };
    assert_eq!(claims.len(), 2);

    assert_eq!(refusal(verify(&[])), "claims: it is compulsory");
    assert_eq!(
        refusal(verify(&[("full_name", None)])),
        "claims[0].value: it is compulsory"
    );
    assert_eq!(
        refusal(verify(&[
            ("full_name", text("a")),
            ("full_name", text("b"))
        ])),
        "claims[1].field: `full_name` is named twice"
    );
    assert_eq!(
        refusal(verify(&[("height_cm", text("secret"))])),
        "claims[0].value: `height_cm` takes a whole number from 0 to 4294967295"
    );
    assert!(refusal(verify(&[("former_names", text("a"))])).starts_with("claims[0].field:"));
}

#[test]
fn a_cursor_is_bounded() {
    let cursor = Bytes::from(vec![0; 4097]);
    let selection = RawSelection::Query {
        filter: "",
        order_by: "",
        limit: u32::MAX,
        cursor: &cursor,
    };
    assert_eq!(
        refusal(check(&[], selection)),
        "cursor: at most 4096 bytes are allowed"
    );
}

#[test]
fn debug_shows_neither_key_nor_claim() {
    let query = verify(&[("full_name", text("张三"))]).unwrap();
    let shown = format!("{query:?}");
    assert!(shown.contains("civil.v1.Resident") && shown.contains("verify"));
    assert!(!shown.contains("R1") && !shown.contains("张三"));
}

#[test]
fn a_filter_is_checked_and_a_blank_one_is_none() {
    let count = |filter| check(&[], RawSelection::Count { filter });
    assert!(count("  ").unwrap().selection.filter().is_none());
    let of_agreement = "status == STATUS_ACTIVE && address.district == \"Nanming\"";
    assert!(count(of_agreement).unwrap().selection.filter().is_some());
    let refused = count("adress.district == \"Nanming\"").unwrap_err();
    assert_eq!(refused.location, "filter");
    let long = format!("full_name == \"{}\"", "x".repeat(20_000));
    assert_eq!(count(&long).unwrap_err().location, "filter");
}
