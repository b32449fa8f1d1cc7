//! What stands around a decision: its explanation, the catalogue, the revision.

use std::collections::BTreeSet;

use time::macros::datetime;

use super::*;
use crate::digest::hex;

#[test]
fn an_explanation_shows_every_grant_and_its_fate() {
    let two = format!(
        "{AGREEMENT}\n[[grant]]\nrecord = 'civil.v1.Resident'\nmodes = ['query']\nfields = ['phone']"
    );
    let policy = policy(&[&two], &[]);
    let question = filtered("").fields(&["phone"]).query();
    let explanation = policy.explain(&assessment(), &question, moment(NOON));
    assert_eq!(explanation.chosen, Some(1));
    let shown = serde_json::to_value(&explanation).unwrap();
    let considered = shown["considered"].as_array().unwrap();
    assert_eq!(considered[0]["outcome"]["refused"]["check"], "fields");
    assert_eq!(considered[0]["rows"], r#"address.district == "Nanming""#);
    assert_eq!(
        considered[1]["outcome"]["permitted"]["released"],
        serde_json::json!([{ "field": "phone", "mask": "keep-last:4" }])
    );
    assert_eq!(considered[1]["file"], "0.toml");
    assert_eq!(explanation.revision, hex(policy.revision()));
}

#[test]
fn only_grants_in_force_for_the_system_are_usable() {
    let policy = policy(&[AGREEMENT], &[]);
    let schema = registry().record("civil.v1.Resident").unwrap();
    let usable = |caller, at| policy.usable(&caller, schema, moment(at)).len();
    assert_eq!(usable(assessment(), NOON), 1);
    assert_eq!(usable(caller("tax", "portal"), NOON), 0);
    assert_eq!(usable(assessment(), datetime!(2028-01-01 0:00 +8)), 0);
}

#[test]
fn the_revision_changes_with_every_part_of_the_policy() {
    let night = "@id(\"night\") @reason(\"No access at night\") forbid(principal, action, resource) when { context.hour < 6 };";
    let revisions = [
        *policy(&[], &[]).revision(),
        *policy(&[AGREEMENT], &[]).revision(),
        *policy(&[AGREEMENT], &[night]).revision(),
        *policy(&[AGREEMENT], &[&night.replace('6', "7")]).revision(),
        *policy(&[AGREEMENT], &[&night.replace("at night", "then")]).revision(),
        *policy(&[&AGREEMENT.replace("100", "99")], &[night]).revision(),
    ];
    let distinct: BTreeSet<_> = revisions.iter().collect();
    assert_eq!(distinct.len(), revisions.len());
    let reformatted = format!("// a comment\n{}", night.replace(' ', "\n "));
    let again = policy(
        &[AGREEMENT],
        &[&reformatted.replace("No\n access\n at\n night", "No access at night")],
    );
    assert_eq!(again.revision(), &revisions[2]);
}
