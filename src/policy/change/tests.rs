use std::collections::BTreeSet;

use super::Effect::Alters;
use super::Effect::Narrows;
use super::Effect::Widens;
use super::*;
use crate::policy::agreement::keys;
use crate::policy::tests::AGREEMENT;
use crate::policy::tests::policy;

const FORBIDDEN: &str =
    r#"@id("no-nights") @reason("Nobody works then.") forbid (principal, action, resource);"#;

/// A key, what stands there, what comes in its place, and what that does.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(Effect, &'static str, &'static str)],
);

const ROWS: &[Row] = &[
    (
        "id",
        "CIV-TAX-2026-01",
        "CIV-TAX-2026-02",
        &[(Widens, "", WHOLE), (Narrows, WHOLE, "")],
    ),
    (
        "title",
        "Resident look-up",
        "Anything",
        &[(
            Alters,
            "Resident look-up for tax assessment",
            "Anything for tax assessment",
        )],
    ),
    (
        "consumer",
        "consumer    = \"tax\"",
        "consumer    = \"market\"",
        &[(Widens, "tax", "market")],
    ),
    (
        "legal_basis",
        "art. 6",
        "art. 7",
        &[(
            Alters,
            "Tax Collection Administration Law, art. 6",
            "Tax Collection Administration Law, art. 7",
        )],
    ),
    (
        "accountable",
        "Data Office, ",
        "",
        &[(Alters, "Data Office, Civil Affairs", "Civil Affairs")],
    ),
    (
        "valid_from",
        "2026-01-01",
        "2025-01-01",
        &[(Widens, "2026-01-01", "2025-01-01")],
    ),
    (
        "valid_from",
        "2026-01-01",
        "2026-05-01",
        &[(Narrows, "2026-01-01", "2026-05-01")],
    ),
    (
        "valid_until",
        "2027-12-31",
        "2099-12-31",
        &[(Widens, "2027-12-31", "2099-12-31")],
    ),
    (
        "valid_until",
        "2027-12-31",
        "2026-12-31",
        &[(Narrows, "2027-12-31", "2026-12-31")],
    ),
    (
        "purposes",
        "\"arrears\"]",
        "\"anything\"]",
        &[(Widens, "", "anything"), (Narrows, "arrears", "")],
    ),
    (
        "grant",
        "[[grant]]",
        "[[grant]]\nrecord = \"civil.v1.Household\"\nmodes = [\"count\"]\n\n[[grant]]",
        &[(Widens, "", "count: ")],
    ),
    (
        "record",
        "\"civil.v1.Resident\"\nmodes       = [\"get\", \"query\", \"verify\", \"count\"]\nfields      = [\"resident_id\", \"full_name\", \"national_id\", \"birth_date\", \"address\", \"status\"]\nmask        = { full_name = \"keep-first:1\" }\nlookup      = [\"national_id\", \"household_id\"]\nrows        = 'address.district == \"Nanming\"'",
        "\"civil.v1.Household\"\nmodes = [\"count\"]",
        &[(Widens, "", "count: "), (Narrows, WHOLE, "")],
    ),
    ("modes", "\"verify\", ", "", &[(Narrows, "verify", "")]),
    (
        "fields",
        ", \"status\"",
        ", \"status\", \"gender\"",
        &[(Widens, "", "gender")],
    ),
    ("fields", ", \"status\"", "", &[(Narrows, "status", "")]),
    (
        "unmasked",
        "lookup      =",
        "unmasked = [\"national_id\"]\nlookup =",
        &[(Widens, "national_id (keep-first:6)", "national_id")],
    ),
    (
        "mask",
        "keep-first:1",
        "keep-first:2",
        &[(
            Widens,
            "full_name (keep-first:1)",
            "full_name (keep-first:2)",
        )],
    ),
    (
        "mask",
        "keep-first:1",
        "pseudonym",
        &[(Alters, "full_name (keep-first:1)", "full_name (pseudonym)")],
    ),
    (
        "lookup",
        ", \"household_id\"]",
        "]",
        &[(Narrows, "household_id", "")],
    ),
    (
        "rows",
        "rows        = 'address.district == \"Nanming\"'",
        "",
        &[(Widens, "address.district == \"Nanming\"", "")],
    ),
    (
        "rows",
        "'address.district == \"Nanming\"'",
        "'address.district != \"Nanming\"'",
        &[(
            Alters,
            "address.district == \"Nanming\"",
            "address.district != \"Nanming\"",
        )],
    ),
    (
        "systems",
        "systems     = [\"assessment\"]",
        "",
        &[(Widens, "assessment", "-")],
    ),
    (
        "systems",
        "[\"assessment\"]",
        "[\"other\"]",
        &[(Widens, "", "other"), (Narrows, "assessment", "")],
    ),
    (
        "max_records",
        "max_records = 100",
        "max_records = 100000",
        &[(Widens, "100", "100000")],
    ),
    ("rate", "rate        = \"5/s\"", "", &[(Widens, "5", "-")]),
    (
        "daily",
        "daily       = 10",
        "daily = 9",
        &[(Narrows, "10", "9")],
    ),
    (
        "smallest_group",
        "daily       = 10",
        "daily = 10\nsmallest_group = 2",
        &[(Widens, "10", "2")],
    ),
    (
        "verify_tries",
        "verify_tries = 3",
        "verify_tries = 3000",
        &[(Widens, "3", "3000")],
    ),
    (
        "count_step",
        "daily       = 10",
        "daily = 10\ncount_step = 5",
        &[(Narrows, "1", "5")],
    ),
    (
        "distinct_counts",
        "daily       = 10",
        "daily = 10\ndistinct_counts = 7",
        &[(Narrows, "-", "7")],
    ),
    (
        "lookup_misses",
        "verify_tries = 3",
        "verify_tries = 3\nlookup_misses = 1000",
        &[(Widens, "100", "1000")],
    ),
];

/// Of another provider's records nothing compiles: the key is judged all the same.
const NOT_CHANGED: &[&str] = &["provider"];

const WHOLE: &str = "get, query, verify, count: ";

fn judged(after: &str, guardrails: &[&str]) -> Vec<Change> {
    let (before, after) = (
        policy(&[AGREEMENT], guardrails),
        policy(&[after], guardrails),
    );
    changes(&before, &after)
}

#[test]
fn each_change_of_each_key_is_told_and_judged() {
    for (key, from, to, expected) in ROWS {
        assert!(AGREEMENT.contains(from), "{from}");
        let found = judged(&AGREEMENT.replace(from, to), &[]);
        let told: Vec<_> = found
            .iter()
            .map(|change| {
                let short = |text: &str| match text.starts_with(WHOLE) {
                    true => WHOLE.to_owned(),
                    false => text.to_owned(),
                };
                (change.effect, short(&change.before), short(&change.after))
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(effect, before, after)| (*effect, (*before).to_owned(), (*after).to_owned()))
            .collect();
        assert_eq!(told, expected, "{key}: {from} -> {to}");
    }
}

#[test]
fn no_key_of_an_agreement_is_without_a_judgement() {
    let judged: BTreeSet<_> = ROWS
        .iter()
        .map(|(key, ..)| *key)
        .chain(NOT_CHANGED.iter().copied())
        .collect();
    assert_eq!(judged, keys().into_iter().collect());
}

#[test]
fn a_policy_that_grants_the_same_has_no_changes() {
    let other_layout = AGREEMENT
        .replace("daily       = 10\n", "")
        .replace("rate ", "daily = 10\nrate ");
    assert_ne!(other_layout, AGREEMENT);
    assert_eq!(judged(&other_layout, &[FORBIDDEN]), []);
}

#[test]
fn a_guardrail_that_goes_widens_and_one_that_comes_narrows() {
    let effects = |before: &[&str], after: &[&str]| -> Vec<_> {
        let (before, after) = (policy(&[AGREEMENT], before), policy(&[AGREEMENT], after));
        let found = changes(&before, &after);
        found
            .into_iter()
            .map(|change| (change.effect, change.place, change.key))
            .collect()
    };
    let id = || ("no-nights".to_owned(), "guardrail");
    assert_eq!(effects(&[FORBIDDEN], &[]), [(Widens, id().0, id().1)]);
    assert_eq!(effects(&[], &[FORBIDDEN]), [(Narrows, id().0, id().1)]);
    let other = FORBIDDEN.replace(
        "principal, action, resource",
        "principal, action == Action::\"get\", resource",
    );
    assert_eq!(effects(&[FORBIDDEN], &[&other]), [(Alters, id().0, id().1)]);
}
