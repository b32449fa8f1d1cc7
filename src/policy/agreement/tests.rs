//! Agreement files: every fault is found, with its place and hint; the meaning alone is hashed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::fault::Fault;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;
use crate::policy::tests::AGREEMENT;
use crate::policy::tests::NOON;
use crate::policy::tests::compile_at;
use crate::policy::tests::faults;
use crate::policy::tests::file;
use crate::policy::tests::policy;
use crate::policy::tests::registry;
use crate::registry::Registry;

fn digest(agreement: &str) -> Digest {
    let policy = policy(&[agreement], &[]);
    policy.agreements().next().unwrap().digest
}

/// The faults of the sample agreement after one change.
fn after(from: &str, to: &str) -> Vec<String> {
    assert!(AGREEMENT.contains(from), "{from}");
    faults(&AGREEMENT.replace(from, to))
}

#[test]
fn every_fault_of_a_file_is_reported_at_once() {
    let text = r#"id = "CIV TAX"
title = ""
provider = "civl"
consumer = "tax"
legal_base = "Law"
valid_from = "2026-01-01"
valid_until = 2027-02-28T10:00:00
purposes = ["tax-assessment", "Arrears", "tax-assessment"]

[[grant]]
record = "civil.v1.Resident"
modes = ["get", "querry"]
fields = [
    "full_name",
    "adress.district",
    "full_name",
    "address",
    "address.city",
]
unmasked = ["phone"]
mask = { birth_date = "yeer", "address.street" = "round:3" }
lookup = ["former_names"]
rows = 'status == STATUS_ACTIV'
rate = "200"
daily = 0

[[grant]]
record = "civil.v1.Residnt"
systems = "assessment"

[[grants]]
"#;
    let expected = [
        "0.toml:1:1: accountable: the key `accountable` is missing; name the office that answers for it",
        "0.toml:1:1: legal_basis: the key `legal_basis` is missing; name the law and the article",
        "0.toml:1:6: id: `CIV TAX` is not an agreement id: 1 to 64 of letters, digits, `-`, `_` and `.`",
        "0.toml:2:9: title: this is empty; write a text",
        "0.toml:3:12: provider: the directory has no department `civl`; did you mean `civil`?",
        "0.toml:5:1: legal_base: unknown key `legal_base`; did you mean `legal_basis`?",
        "0.toml:6:14: valid_from: this is not a date; write a day of the calendar without quotes and without a time, such as 2026-01-31",
        "0.toml:7:15: valid_until: this has a time; write a day of the calendar without quotes and without a time, such as 2026-01-31",
        "0.toml:8:31: purposes[1]: `Arrears` is not a purpose: 1 to 64 of a-z, 0-9 and -, beginning with a letter",
        "0.toml:8:42: purposes[2]: `tax-assessment` stands at `purposes[0]` already; leave one out",
        "0.toml:12:17: grant[0].modes[1]: unknown mode `querry`; write some of `get`, `query`, `verify` and `count`; did you mean `query`?",
        "0.toml:12:10: grant[0].modes[0]: `get` asks for a record by its key `resident_id`, which is neither released unmasked nor in `lookup`; add `lookup = [\"resident_id\"]`",
        "0.toml:15:5: grant[0].fields[1]: unknown field `adress.district` in civil.v1.Resident; did you mean `address.district`?",
        "0.toml:16:5: grant[0].fields[2]: `full_name` stands at `grant[0].fields[0]` already; leave one out",
        "0.toml:18:5: grant[0].fields[4]: `address.city` lies within `address`, which is granted as a whole; leave one out",
        "0.toml:20:13: grant[0].unmasked[0]: `phone` stands in `unmasked` but is not granted; add it to `fields`, or leave it out here",
        "0.toml:21:10: grant[0].mask.birth_date: unknown mask `yeer`; write one of `drop`, `pseudonym`, `year`, `month`, `keep-first:N`, `keep-last:N`, `round:N`, with N from 1",
        "0.toml:21:31: grant[0].mask.address.street: the mask `round:3` does not fit a field of type string: it needs a number; `drop` fits any field",
        "0.toml:22:11: grant[0].lookup[0]: `former_names` has no single value that could be asked for; name a field that is neither a message nor repeated",
        "0.toml:24:8: grant[0].rate: `200` is not a rate; write exchanges a second, such as `\"200/s\"`, from 1 to 1000000",
        "0.toml:25:9: grant[0].daily: this is out of range; write a whole number from 1 to 1000000000000",
        "0.toml:27:1: grant[1].modes: the key `modes` is missing; write some of `get`, `query`, `verify` and `count`",
        "0.toml:28:10: grant[1].record: unknown record type `civil.v1.Residnt`; did you mean `civil.v1.Resident`?",
        "0.toml:29:11: grant[1].systems: this is a text; write a list of texts, such as `[\"a\", \"b\"]`",
        "0.toml:31:3: grants: unknown key `grants`; did you mean `grant`?",
    ];
    let mut found = faults(text);
    let rows = found
        .iter()
        .position(|f| f.contains("grant[0].rows"))
        .unwrap();
    let rows = found.remove(rows);
    // After the quote, at the name that the enum does not have.
    assert!(rows.starts_with("0.toml:23:19: grant[0].rows: "), "{rows}");
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn faults_of_syntax_name_their_line() {
    let found = faults("id = \"a\"\ntitle = = 3\nprovider = 'civil\n");
    assert!(found.len() >= 2, "{found:?}");
    assert!(found[0].starts_with("0.toml:2:"), "{found:?}");
}

#[test]
fn an_agreement_needs_purpose_grant_and_end() {
    let end = "valid_until = 2027-12-31\n";
    assert_eq!(
        after(end, ""),
        [
            "0.toml:1:1: valid_until: the key `valid_until` is missing; every agreement ends: write its last day, such as `valid_until = 2027-12-31`"
        ]
    );
    let found = after("2027-12-31", "2025-12-31");
    assert_eq!(
        found,
        ["0.toml:9:15: valid_until: the agreement ends before it begins, on 2026-01-01"]
    );
    let found = after(r#"["tax-assessment", "arrears"]"#, "[]");
    assert_eq!(
        found,
        [
            "0.toml:10:15: purposes: the list is empty; write one or more, such as `purposes = [\"tax-assessment\"]`"
        ]
    );
    let found = faults(AGREEMENT.split("[[grant]]").next().unwrap());
    assert_eq!(
        found,
        [
            "0.toml:1:1: grant: the key `grant` is missing; write one or more, each under `[[grant]]`"
        ]
    );
}

#[test]
fn an_id_is_used_once_over_all_files() {
    let found = compile_at("civil", &[AGREEMENT, AGREEMENT], &[]).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "1.toml:2:15: id: the id `CIV-TAX-2026-01` is used already, at 0.toml:2; every agreement needs its own"
    );
}

#[test]
fn only_the_owner_can_provide_and_prohibited_records_stay() {
    let found = after("\"civil\"", "\"market\"");
    assert!(
        found[0].contains("civil.v1.Resident is provided by `civil`; name it as the provider"),
        "{found:?}"
    );
    let prohibited = r#"
        [[grant]]
        record = "civil.v1.AdoptionRecord"
        modes = ["count"]
    "#;
    let found = faults(&format!("{AGREEMENT}{prohibited}"));
    assert!(
        found[0].contains("the registry prohibits the sharing of civil.v1.AdoptionRecord"),
        "{found:?}"
    );
}

#[test]
fn agreements_of_others_are_checked_too() {
    let found = compile_at(
        "market",
        &[&AGREEMENT.replace("\"status\"", "\"statuss\"")],
        &[],
    );
    assert!(
        found.unwrap_err()[0]
            .message
            .contains("did you mean `status`?")
    );
}

#[test]
fn a_field_is_masked_or_unmasked_never_both() {
    let found = after("lookup      =", "unmasked = ['full_name']\nlookup =");
    assert_eq!(
        found,
        [
            "0.toml:16:17: grant[0].mask.full_name: `full_name` is masked here, but `full_name` stands in `unmasked`; decide for one"
        ]
    );
    let found = after(
        "{ full_name = \"keep-first:1\" }",
        "{ 'address.city' = 'year', address = 'drop' }",
    );
    assert!(
        found.iter().any(|f| f.contains("`address.city` lies within `address`, which is masked as a whole")),
        "{found:?}"
    );
}

#[test]
fn a_field_of_which_nothing_would_be_left_is_not_granted() {
    let found = after("\"status\"]", "\"ethnic_group\"]");
    assert!(
        found[0].contains(
            "`ethnic_group` is masked with `drop`, so that nothing of it would be released"
        ),
        "{found:?}"
    );
    let unmasked = AGREEMENT.replace(
        "\"status\"]",
        "\"ethnic_group\"]\nunmasked = ['ethnic_group']",
    );
    let policy = policy(&[&unmasked], &[]);
    let released = &policy.agreements().next().unwrap().grants[0].released;
    assert!(
        released
            .iter()
            .any(|r| r.field.path().as_str() == "ethnic_group" && r.mask.is_none())
    );
}

#[test]
fn a_key_that_is_masked_must_be_a_lookup() {
    let found = after(
        "full_name = \"keep-first:1\"",
        "resident_id = \"keep-first:1\"",
    );
    assert_eq!(found.len(), 2, "for get and for verify: {found:?}");
    assert!(
        found[0].contains("add `lookup = [\"resident_id\"]`"),
        "{found:?}"
    );
}

#[test]
fn paths_under_mask_may_be_quoted_or_not() {
    let quoted = AGREEMENT.replace("full_name =", "'address.street' =");
    let dotted = AGREEMENT.replace("full_name =", "address.street =");
    assert_eq!(digest(&quoted), digest(&dotted));
}

#[test]
fn the_digest_is_of_the_meaning_alone() {
    let first = digest(AGREEMENT);
    let rewritten = r#"
# The same, written by someone else.
grant = [{ record = "civil.v1.Resident", modes = ["count", "verify", "query", "get"], verify_tries = 3, daily = 1_0,
  fields = ["status", "address", "birth_date", "national_id", "full_name", "resident_id"],
  rate = "5/s", max_records = 0x64, systems = ["assessment"], smallest_group = 10, unmasked = [],
  rows = "  address.district   ==   'Nanming'", lookup = ["household_id", "national_id"], mask.full_name = "keep-first:1" }]
purposes    = ["arrears", "tax-assessment"]
valid_until = 2027-12-31
valid_from  = 2026-01-01
accountable = "Data Office, Civil Affairs"
legal_basis = "Tax Collection Administration Law, art. 6"
consumer    = "tax"
provider    = "civil"
title       = "Resident look-up for tax assessment"
id          = "CIV-TAX-2026-01"
"#;
    assert_eq!(digest(rewritten), first);
}

#[test]
fn the_digest_changes_with_every_part() {
    let changes = [
        ("2026-01\"", "2026-02\""),
        ("Resident look-up", "Look-up"),
        ("art. 6", "art. 7"),
        ("Data Office", "Office"),
        ("2026-01-01", "2026-01-02"),
        ("2027-12-31", "2027-12-30"),
        ("\"arrears\"", "\"audit\""),
        ("\"query\", ", ""),
        ("\"birth_date\", ", ""),
        ("keep-first:1", "keep-first:2"),
        (", \"household_id\"", ""),
        ("Nanming", "Yunyan"),
        ("== \"Nanming\"", "!= \"Nanming\""),
        ("[\"assessment\"]", "[]"),
        ("= 100", "= 101"),
        ("5/s", "6/s"),
        ("= 10\n", "= 11\n"),
        ("tries = 3", "tries = 4"),
        ("tries = 3", "tries = 3\nsmallest_group = 3"),
        ("tries = 3", "tries = 3\ncount_step = 5"),
        ("tries = 3", "tries = 3\ndistinct_counts = 3"),
        ("tries = 3", "tries = 3\nlookup_misses = 3"),
        ("tries = 3", "tries = 3\nunmasked = [\"birth_date\"]"),
    ];
    let mut seen = vec![digest(AGREEMENT)];
    for (from, to) in changes {
        assert!(AGREEMENT.contains(from), "{from}");
        let changed = digest(&AGREEMENT.replace(from, to));
        assert!(!seen.contains(&changed), "{from} -> {to}");
        seen.push(changed);
    }
}

/// The grant's release under `fields` and further keys, as `path` or `path:mask`.
fn released(input: &PolicyInput<'_>) -> Result<Vec<String>, Vec<Fault>> {
    let policy = PolicySet::compile(input)?;
    let agreement = policy.agreements().next().unwrap();
    let parts = agreement.grants[0].released.iter().map(|r| match r.mask {
        Some(mask) => format!("{}:{mask}", r.field.path()),
        None => r.field.path().to_string(),
    });
    Ok(parts.collect())
}

#[test]
fn a_message_is_divided_where_a_part_is_masked() {
    let header = AGREEMENT.split("[[grant]]").next().unwrap();
    let household = |more: &str| {
        let grant = format!("[[grant]]\nrecord = 'civil.v1.Household'\nmodes = ['query']\n{more}");
        released(&PolicyInput {
            department: &"civil".parse().unwrap(),
            departments: &["civil", "tax"].map(|d| d.parse().unwrap()),
            registry: registry(),
            agreements: &[file("a.toml", &format!("{header}{grant}"))],
            guardrails: &[],
            offset: NOON.offset(),
            before: None,
        })
        .unwrap()
    };
    let divided = [
        "members.resident_id",
        "members.full_name",
        "members.relation",
        "members.joined_on:year",
    ];
    assert_eq!(household("fields = ['members']"), divided);
    for unmasked in ["members", "members.joined_on"] {
        let grant = format!("fields = ['members']\nunmasked = ['{unmasked}']");
        assert_eq!(household(&grant), ["members"]);
    }
    let masked = household("fields = ['members']\nmask = { members.joined_on = 'drop' }");
    assert_eq!(masked, divided[..3]);
}

const OUT_OF_REACH: &str = r#"
syntax = "proto3";
package civil.v1;
import "landbridge/v1/annotations.proto";
message Unit {
  option (landbridge.v1.record) = {
    owner: "civil"
    key: "id"
    title: "Unit"
    sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1;
  Part part = 2;
  map<string, Secret> secrets = 3;
  map<string, int64> counts = 4;
}
message Part {
  Secret secret = 1;
  repeated Part parts = 2;
}
message Secret {
  string text = 1 [(landbridge.v1.field) = { mask: "keep-first:1" }];
}
"#;

#[test]
fn messages_that_no_mask_reaches_are_released_by_name_only() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("unit.proto"), OUT_OF_REACH).unwrap();
    let registry = Registry::compile(tree.path()).unwrap();
    let header = AGREEMENT.split("[[grant]]").next().unwrap();
    let unit = |more: &str| {
        let grant = format!("[[grant]]\nrecord = 'civil.v1.Unit'\nmodes = ['query']\n{more}");
        released(&PolicyInput {
            department: &"civil".parse().unwrap(),
            departments: &["civil", "tax"].map(|d| d.parse().unwrap()),
            registry: &registry,
            agreements: &[file("a.toml", &format!("{header}{grant}"))],
            guardrails: &[],
            offset: NOON.offset(),
            before: None,
        })
    };
    let found = unit("fields = ['part', 'secrets', 'counts']").unwrap_err();
    let keys: Vec<_> = found.iter().map(|f| f.key.as_str()).collect();
    assert_eq!(keys, ["grant[0].fields[0]", "grant[0].fields[1]"]);
    assert!(
        found[0]
            .message
            .contains("no mask reaches into `part.parts`"),
        "{found:?}"
    );

    let dropped = "mask = { part.parts = 'drop' }";
    let parts = unit(&format!("fields = ['part', 'counts']\n{dropped}")).unwrap();
    assert_eq!(parts, ["part.secret.text:keep-first:1", "counts"]);
    let parts = unit("fields = ['part', 'secrets']\nunmasked = ['part.parts', 'secrets']").unwrap();
    assert_eq!(
        parts,
        ["part.secret.text:keep-first:1", "part.parts", "secrets"]
    );
}

#[test]
fn what_is_not_stated_has_its_default() {
    let grant = "[[grant]]\nrecord = 'civil.v1.Resident'\nmodes = ['count']\n";
    let header = AGREEMENT.split("[[grant]]").next().unwrap();
    let policy = policy(&[&format!("{header}{grant}")], &[]);
    let agreement = policy.agreements().next().unwrap();
    let grant = &agreement.grants[0];
    assert_eq!(
        (grant.max_records, grant.rate, grant.daily),
        (1_000, None, None)
    );
    assert_eq!((grant.smallest_group, grant.verify_tries), (10, 5));
    assert_eq!((grant.count_step, grant.distinct_counts), (10, Some(50)));
    assert_eq!(grant.lookup_misses, 100);
    assert!(grant.fields.is_empty() && grant.released.is_empty() && grant.rows.is_none());
}

#[test]
fn an_agreement_is_compiled_again_only_when_its_file_or_what_it_rests_on_has_changed() {
    let of = |files: &[PolicyFile], departments: &[&str], registry: &Registry, before| {
        let departments: Vec<_> = departments.iter().map(|d| d.parse().unwrap()).collect();
        PolicySet::compile(&PolicyInput {
            department: &"civil".parse().unwrap(),
            departments: &departments,
            registry,
            agreements: files,
            guardrails: &[],
            offset: NOON.offset(),
            before,
        })
    };
    let second = AGREEMENT.replace("CIV-TAX-2026-01", "CIV-TAX-2026-02");
    let files = [file("1.toml", AGREEMENT), file("2.toml", &second)];
    let everybody = ["civil", "tax"];
    let before = of(&files, &everybody, registry(), None).unwrap();
    let taken_over = |after: &PolicySet| {
        let pairs = before.agreements().zip(after.agreements());
        pairs.map(|(a, b)| Arc::ptr_eq(a, b)).collect::<Vec<_>>()
    };

    let same = of(&files, &everybody, registry(), Some(&before)).unwrap();
    assert_eq!(taken_over(&same), [true, true]);
    assert_eq!(same.revision(), before.revision());

    let amended = [
        files[0].clone(),
        file(
            "2.toml",
            &second.replace("daily       = 10", "daily       = 11"),
        ),
    ];
    let one = of(&amended, &everybody, registry(), Some(&before)).unwrap();
    assert_eq!(taken_over(&one), [true, false]);
    let afresh = of(&amended, &everybody, registry(), None).unwrap();
    assert_eq!(one.revision(), afresh.revision());

    let other_schemas = Registry::compile(Path::new("proto/registry")).unwrap();
    let all = of(&files, &everybody, &other_schemas, Some(&before)).unwrap();
    assert_eq!(taken_over(&all), [false, false]);

    let gone = of(&files, &["civil"], registry(), Some(&before)).unwrap_err();
    assert!(gone[0].message.contains("`tax`"), "{gone:?}");
    let twice = [files[0].clone(), file("2.toml", AGREEMENT)];
    let twice = of(&twice, &everybody, registry(), Some(&before)).unwrap_err();
    assert_eq!(twice.len(), 1);
    assert!(twice[0].message.contains("1.toml:"), "{twice:?}");
}

#[test]
fn counts_are_exact_only_where_the_records_may_be_queried() {
    let of = |modes: &str, more: &str| {
        let header = AGREEMENT.split("[[grant]]").next().unwrap();
        let grant = format!("[[grant]]\nrecord = 'civil.v1.Resident'\nmodes = [{modes}]\n{more}");
        let agreement = format!("{header}{grant}");
        let compiled = compile_at("civil", &[&agreement], &[]);
        compiled.map(|policy| {
            let grant = &policy.agreements().next().unwrap().grants[0];
            (
                grant.smallest_group,
                grant.count_step,
                grant.distinct_counts,
            )
        })
    };
    let fields = "fields = ['full_name']\n";
    for (modes, more, told) in [
        ("'count', 'query'", fields, (10, 1, None)),
        (
            "'count', 'query'",
            "fields = ['full_name']\ncount_step = 20",
            (20, 20, None),
        ),
        (
            "'count', 'query'",
            "fields = ['full_name']\ndistinct_counts = 9",
            (10, 1, Some(9)),
        ),
        ("'count'", fields, (10, 10, Some(50))),
        ("'count'", "smallest_group = 3", (3, 3, Some(50))),
        (
            "'count'",
            "count_step = 100\ndistinct_counts = 9",
            (100, 100, Some(9)),
        ),
        ("'count'", "smallest_group = 1", (1, 1, Some(50))),
    ] {
        assert_eq!(of(modes, more).unwrap(), told, "{modes} {more}");
    }
    let faults = of("'count'", "smallest_group = 20\ncount_step = 19").unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].key, "grant[0].count_step");
    assert!(faults[0].message.contains("write 20 or more"), "{faults:?}");
}

#[test]
fn a_lookup_that_may_be_queried_for_has_more_values_than_one_can_try() {
    let with = |from: &str, to: &str| {
        assert!(AGREEMENT.contains(from), "{from}");
        faults(&AGREEMENT.replace(from, to))
    };
    let found = with("lookup      = [", "lookup      = [\"gender\", ");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("grant[0].lookup[0]: `gender` has so few values"),
        "{found:?}"
    );
    // What is released anyway is read by nobody, and a verification has its tries.
    let fine = [
        AGREEMENT.replace("lookup      = [", "lookup      = [\"status\", "),
        AGREEMENT
            .replace("lookup      = [", "lookup      = [\"gender\", ")
            .replace(r#"["get", "query", "verify", "count"]"#, r#"["verify"]"#),
    ];
    for agreement in fine {
        compile_at("civil", &[&agreement], &[]).unwrap();
    }
}
