use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::prelude::any;
use proptest::proptest;
use serde_json::Value;
use serde_json::json;

use prost::Message;
use prost_reflect::DynamicMessage;

use super::FieldSet;
use crate::registry::Registry;
use crate::registry::tests::THING;
use crate::registry::tests::compile;
use crate::registry::tests::faults;

const IMPORTS: &str = "import \"landbridge/v1/annotations.proto\";";

/// `THING` with rules on its name, and with more declarations.
fn with(name: &str, more: &str) -> String {
    let imports = format!("{IMPORTS}\nimport \"buf/validate/validate.proto\";");
    let text = THING.replace(IMPORTS, &imports);
    text.replace("string name = 2;", name) + more
}

fn registry(name: &str, more: &str) -> Registry {
    compile(&[("thing.proto", &with(name, more))]).unwrap()
}

/// What the covered part of a thing breaks, as an operator reads it.
fn broken(registry: &Registry, thing: Value, fields: Option<&[&str]>) -> Vec<String> {
    let schema = registry.record("test.v1.Thing").unwrap();
    let covered = match fields {
        None => FieldSet::All,
        Some(paths) => {
            let fields: Vec<_> = paths.iter().map(|p| schema.field(p).unwrap()).collect();
            FieldSet::by(&fields)
        }
    };
    let thing = DynamicMessage::deserialize(schema.descriptor().clone(), thing).unwrap();
    let mut told = Vec::new();
    let rules = schema.rules().unwrap();
    rules
        .each_violation(&thing.encode_to_vec(), &covered, &mut |violation| {
            told.push(violation.to_string());
        })
        .unwrap();
    told
}

#[test]
fn a_rule_that_is_not_enforced_or_does_not_fit_keeps_the_registry_from_loading() {
    let rows = [
        (
            "string name = 2 [(buf.validate.field).string.email = true];",
            "thing.proto:12:20: option field `(buf.validate.field).string.email` is not defined; docs/registry.md lists the rules of `buf/validate/validate.proto` that a gateway enforces, and it loads no other",
        ),
        (
            "string name = 2 [(buf.validate.field).string = { uuid: true }];",
            "thing.proto:12:20: invalid value of type `buf.validate.StringRules` for option `(buf.validate.field).string`: field `uuid` not found for message `buf.validate.StringRules`; docs/registry.md lists the rules of `buf/validate/validate.proto` that a gateway enforces, and it loads no other",
        ),
        (
            "string name = 2 [(buf.validate.field).int32.gt = 3];",
            "thing.proto:12:3: test.v1.Thing.name: the rules are of another type than string",
        ),
        (
            "string name = 2 [(buf.validate.field).string.pattern = \"(\"];",
            "thing.proto:12:3: test.v1.Thing.name: the pattern `(` is no RE2 expression",
        ),
        (
            "repeated string name = 2 [(buf.validate.field).string.len = 3];",
            "thing.proto:12:3: test.v1.Thing.name: the rules do not fit a list, whose elements have theirs under `repeated.items`",
        ),
        (
            "int32 name = 2 [(buf.validate.field).int32 = { gt: 3, gte: 4 }];",
            "thing.proto:12:3: test.v1.Thing.name: `gt and gte` exclude one another",
        ),
    ];
    for (name, fault) in rows {
        assert_eq!(faults(&[("thing.proto", &with(name, ""))]), [fault]);
    }
}

#[test]
fn an_example_demands_nothing() {
    let registry = registry(
        "string name = 2 [(buf.validate.field).string = { example: \"Wang\" max_len: 3 }];",
        "",
    );
    assert_eq!(broken(&registry, json!({"name": "Li"}), None), [""; 0]);
    assert_eq!(
        broken(&registry, json!({"name": "secret"}), None),
        ["`name` is not at most 3 characters (string.max_len)"]
    );
}

#[test]
fn a_violation_names_the_field_and_the_demand_and_never_the_value() {
    let registry = registry(
        "string name = 2 [(buf.validate.field).string.max_len = 3]; Part part = 3;",
        "message Part { repeated int32 sizes = 1 [(buf.validate.field).repeated.items.int32 = { gte: 1, lte: 9 }]; }",
    );
    assert_eq!(
        broken(
            &registry,
            json!({"name": "secret", "part": {"sizes": [3, 77]}}),
            None
        ),
        [
            "`name` is not at most 3 characters (string.max_len)",
            "`part.sizes` is not at least 1 and at most 9 (int32.gte_lte)",
        ]
    );
}

#[test]
fn what_was_not_read_is_not_judged() {
    let registry = registry(
        "string name = 2 [(buf.validate.field).required = true]; Part part = 3;",
        "message Part { string code = 1 [(buf.validate.field).string.len = 2]; string town = 2 [(buf.validate.field).string.min_len = 1]; }",
    );
    let thing = json!({"part": {"code": "x"}});
    let of = |fields: &[&str]| broken(&registry, thing.clone(), Some(fields));
    assert_eq!(of(&["id"]), [""; 0]);
    assert_eq!(of(&["name"]), ["`name` is not set (required)"]);
    assert_eq!(
        of(&["part.code"]),
        ["`part.code` is not 2 characters (string.len)"]
    );
    assert_eq!(
        of(&["part"]),
        [
            "`part.code` is not 2 characters (string.len)",
            "`part.town` is not at least 1 characters (string.min_len)",
        ]
    );
}

#[test]
fn a_record_type_without_rules_has_none_also_where_others_have_some() {
    let plain = "message Plain { option (landbridge.v1.record) = { owner: \"test\" key: \"id\" title: \"Plain\" sharing: SHARING_CLASS_CONDITIONAL }; string id = 1; Plain plain = 2; }";
    let registry = registry(
        "string name = 2 [(buf.validate.field).string.len = 3];",
        plain,
    );
    assert!(registry.record("test.v1.Thing").unwrap().rules().is_some());
    assert!(registry.record("test.v1.Plain").unwrap().rules().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bytes_that_are_no_record_are_told_as_such(bytes in vec(any::<u8>(), 0..64)) {
        let registry = registry(
            "string name = 2 [(buf.validate.field).string.len = 3]; repeated int32 n = 3 [(buf.validate.field).repeated.unique = true]; map<string, Thing> more = 4 [(buf.validate.field).map.max_pairs = 1];",
            "",
        );
        let schema = registry.record("test.v1.Thing").unwrap();
        // It ends; what it says of such bytes does not matter.
        _ = schema.rules().unwrap().violation(&bytes, &FieldSet::All);
    }
}
