//! Guardrails: what they can forbid, what their loader refuses, and that a failing one denies.

use cedar_policy::Context;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Occasion;
use super::TouchedField;
use super::vocabulary;
use crate::policy::decision::Denial;
use crate::policy::tests::AGREEMENT;
use crate::policy::tests::NOON;
use crate::policy::tests::Question;
use crate::policy::tests::What;
use crate::policy::tests::ask;
use crate::policy::tests::assessment;
use crate::policy::tests::caller;
use crate::policy::tests::compile_at;
use crate::policy::tests::filtered;
use crate::policy::tests::moment;
use crate::policy::tests::policy;
use crate::policy::tests::registry;

const NAMED: &str = "@id(\"g\") @reason(\"because\") ";

fn decide_at(guardrail: &str, question: &Question, at: OffsetDateTime) -> Result<(), Denial> {
    let policy = policy(&[AGREEMENT], &[&format!("{NAMED}{guardrail}")]);
    let decision = policy.decide(&assessment(), question.query(), moment(at));
    decision.map(drop)
}

/// Whether the sample agreement's permit stands under the guardrail.
fn permits(guardrail: &str, question: &Question) -> bool {
    match decide_at(guardrail, question, NOON) {
        Ok(()) => true,
        Err(denial) => {
            assert_eq!(
                denial,
                Denial::Guardrail {
                    id: "g".to_owned(),
                    reason: "because".to_owned(),
                },
                "{guardrail}"
            );
            false
        }
    }
}

fn faults(guardrail: &str) -> Vec<String> {
    let found = compile_at("civil", &[AGREEMENT], &[guardrail]).map(drop);
    found.unwrap_err().iter().map(ToString::to_string).collect()
}

/// The fault of one guardrail that has an id and a reason.
fn fault(guardrail: &str) -> String {
    let found = faults(&format!("{NAMED}\n{guardrail}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_guardrail_forbids_by_who_what_and_why() {
    let get = ask(What::Get);
    let table = [
        ("forbid(principal, action, resource);", false),
        (
            "forbid(principal in Department::\"tax\", action, resource);",
            false,
        ),
        (
            "forbid(principal in Department::\"market\", action, resource);",
            true,
        ),
        (
            "forbid(principal == System::\"tax/assessment\", action, resource);",
            false,
        ),
        (
            "forbid(principal == System::\"tax/portal\", action, resource);",
            true,
        ),
        ("forbid(principal is System, action, resource);", false),
        (
            "forbid(principal, action == Action::\"get\", resource);",
            false,
        ),
        (
            "forbid(principal, action in [Action::\"query\", Action::\"count\"], resource);",
            true,
        ),
        (
            "forbid(principal, action, resource == Record::\"civil.v1.Resident\");",
            false,
        ),
        (
            "forbid(principal, action, resource in Record::\"civil.v1.Resident\");",
            false,
        ),
        (
            "forbid(principal, action, resource == Record::\"civil.v1.Household\");",
            true,
        ),
        (
            "forbid(principal, action, resource) when { resource == Record::\"civil.v1.Resident\" };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.purpose == \"arrears\" };",
            false,
        ),
        (
            "forbid(principal, action, resource) unless { context.purpose == \"arrears\" };",
            true,
        ),
        (
            "forbid(principal, action, resource) when { context.owner == Department::\"civil\" };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.sharing == \"CONDITIONAL\" };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.agreement like \"CIV-*\" };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.max_records > 1 };",
            true,
        ),
        (
            "forbid(principal, action, resource) when { context.sensitivity >= 4 };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.unmasked_sensitivity >= 4 };",
            true,
        ),
        (
            "forbid(principal, action, resource) when { context.unmasked_sensitivity >= 3 };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.fields.contains(\"national_id\") };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.unmasked.contains(\"national_id\") };",
            true,
        ),
        (
            "forbid(principal, action, resource) when { context.unmasked.contains(\"address.city\") };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.fields.contains(\"address\") };",
            false,
        ),
        (
            "forbid(principal, action, resource) when { context.fields.contains(\"address.house\") };",
            true,
        ),
    ];
    for (guardrail, expected) in table {
        assert_eq!(permits(guardrail, &get), expected, "{guardrail}");
    }
}

#[test]
fn a_field_is_touched_by_every_way_of_asking_about_it() {
    let guardrail = |field: &str| {
        format!(
            "forbid(principal, action, resource) when {{ context.fields.contains(\"{field}\") }};"
        )
    };
    let only_name = |question: Question| question.fields(&["full_name"]);
    let status = "status == STATUS_MOVED";
    assert!(permits(&guardrail("status"), &only_name(filtered(""))));
    assert!(!permits(&guardrail("status"), &only_name(filtered(status))));
    assert!(!permits(
        &guardrail("status"),
        &only_name(crate::policy::tests::ordered("status"))
    ));
    assert!(!permits(
        &guardrail("status"),
        &ask(What::Count(status.to_owned()))
    ));
    assert!(permits(
        &guardrail("status"),
        &ask(What::Count(String::new()))
    ));
    assert!(!permits(
        &guardrail("birth_date"),
        &ask(What::Verify(vec!["birth_date"]))
    ));
    assert!(!permits(
        &guardrail("resident_id"),
        &only_name(ask(What::Get))
    ));
    assert!(permits(&guardrail("resident_id"), &only_name(filtered(""))));
}

#[test]
fn time_is_that_of_the_gateway() {
    let at = |condition: &str, at| {
        let guardrail = format!("forbid(principal, action, resource) when {{ {condition} }};");
        decide_at(&guardrail, &ask(What::Get), at).is_ok()
    };
    let night = "context.hour < 6";
    assert!(at(night, datetime!(2026-06-01 06:00 +8)));
    assert!(!at(night, datetime!(2026-06-01 05:59 +8)));
    // Half past eight in the evening in London, half past four in the morning in Beijing.
    assert!(!at(night, datetime!(2026-06-01 20:30 UTC)));
    assert!(!at("context.weekday == 1", NOON));
    assert!(!at("context.weekday == 7", datetime!(2026-06-07 23:00 +8)));
    assert!(!at("context.date == 20260601", NOON));
}

#[test]
fn what_passed_once_passes_again_only_unchanged() {
    let agreement = AGREEMENT.replace("systems     = [\"assessment\"]", "");
    let base = || filtered("").fields(&["full_name"]);
    let few = || {
        let what = What::Query {
            filter: String::new(),
            order: "",
            limit: 5,
        };
        ask(what).fields(&["full_name"])
    };
    let (same, other) = (assessment(), caller("tax", "audit"));
    let table = [
        (
            "context.purpose == \"tax-assessment\"",
            &same,
            base().purpose("tax-assessment"),
            NOON,
        ),
        ("context.max_records == 5", &same, few(), NOON),
        (
            "context.fields.contains(\"status\")",
            &same,
            base().fields(&["full_name", "status"]),
            NOON,
        ),
        (
            "context.hour == 13",
            &same,
            base(),
            datetime!(2026-06-01 13:00 +8),
        ),
        (
            "context.date == 20260608",
            &same,
            base(),
            datetime!(2026-06-08 12:00 +8),
        ),
        ("principal == System::\"tax/audit\"", &other, base(), NOON),
    ];
    for (condition, caller, question, at) in table {
        let guardrail =
            format!("{NAMED}forbid(principal, action, resource) when {{ {condition} }};");
        let policy = policy(&[&agreement], &[&guardrail]);
        let passes = |caller, question: &Question, at| {
            policy.decide(caller, question.query(), moment(at)).is_ok()
        };
        for _ in 0..2 {
            assert!(passes(&same, &base(), NOON), "{condition}");
            assert!(!passes(caller, &question, at), "{condition}");
        }
    }
}

#[test]
fn so_many_questions_may_pass_that_the_first_is_forgotten_and_passes_still() {
    let guardrail =
        format!("{NAMED}forbid(principal, action, resource) when {{ context.max_records == 77 }};");
    let policy = policy(&[AGREEMENT], &[&guardrail]);
    for limit in (1..=100).chain(1..=100) {
        let question = ask(What::Query {
            filter: String::new(),
            order: "",
            limit,
        });
        let decision = policy.decide(&assessment(), question.query(), moment(NOON));
        assert_eq!(decision.is_ok(), limit != 77, "{limit}");
    }
}

#[test]
fn a_guardrail_that_cannot_be_evaluated_denies() {
    // Cedar skips a policy that fails: by itself it would permit this.
    let overflow =
        "forbid(principal, action, resource) when { context.date * 9223372036854775807 > 0 };";
    let denial = decide_at(overflow, &ask(What::Get), NOON).unwrap_err();
    assert_eq!(denial.reason(), "GUARDRAIL_FAILED");
    assert!(denial.to_string().contains("overflow"), "{denial}");
    assert_eq!(denial.for_peer(), "a guardrail could not be evaluated");
}

#[test]
fn only_what_can_apply_is_considered() {
    let elsewhere = [
        "@id(\"a\") @reason(\"r\") forbid(principal, action, resource == Record::\"tax.v1.Taxpayer\");",
        "@id(\"b\") @reason(\"r\") forbid(principal in Department::\"market\", action, resource);",
        "@id(\"c\") @reason(\"r\") forbid(principal, action == Action::\"count\", resource);",
        "@id(\"d\") @reason(\"r\") forbid(principal in Department::\"tax\", action == Action::\"get\", resource) when { context.hour > 22 };",
    ];
    let policy = policy(&[AGREEMENT], &elsewhere);
    let considered = |question: Question| {
        let explanation = policy.explain(&assessment(), &question.query(), moment(NOON));
        explanation.considered[0].guardrails.clone()
    };
    assert_eq!(considered(ask(What::Get)), ["d"]);
    assert_eq!(considered(ask(What::Count(String::new()))), ["c"]);
    assert!(considered(filtered("")).is_empty());
}

#[test]
fn the_first_of_several_by_id_is_named() {
    let all = "forbid(principal, action, resource);";
    let text = format!("@id(\"b\") @reason(\"2\") {all} @id(\"a\") @reason(\"1\") {all}");
    let policy = policy(&[AGREEMENT], &[&text]);
    let decision = policy.decide(&assessment(), ask(What::Get).query(), moment(NOON));
    assert_eq!(
        decision.map(drop).unwrap_err().for_peer(),
        "guardrail `a` forbids it: 1"
    );
}

#[test]
fn a_guardrail_cannot_permit() {
    assert_eq!(
        fault("permit(principal, action, resource);"),
        "0.cedar:1:1: a guardrail can only forbid; what is permitted stands in agreements"
    );
    assert_eq!(
        fault("forbid(principal == ?principal, action, resource);"),
        "0.cedar:1:1: a guardrail cannot be a template; name what it covers instead of a `?` slot"
    );
}

#[test]
fn every_guardrail_has_an_id_of_its_own_and_a_reason() {
    let found = faults("\nforbid(principal, action, resource);");
    assert_eq!(
        found,
        [
            "0.cedar:2:1: @id: every guardrail needs an `@id(\"…\")` before it",
            "0.cedar:2:1: @reason: every guardrail needs an `@reason(\"…\")` before it",
        ]
    );
    let all = "forbid(principal, action, resource);";
    let found = compile_at(
        "civil",
        &[],
        &[&format!("{NAMED}{all}"), &format!("{NAMED}{all}")],
    );
    assert_eq!(
        found.unwrap_err()[0].to_string(),
        "1.cedar:1:1: @id: the id `g` is used already, at 0.cedar:1; every guardrail needs its own"
    );
}

#[test]
fn misspelt_words_fail_the_load() {
    let table = [
        (
            "forbid(principal in Department::\"taxx\", action, resource);",
            "0.cedar:2:21: ",
            "valid entity eids: \"civil\"",
        ),
        (
            "forbid(principal == Department::\"tax\", action, resource);",
            "0.cedar:1:1: ",
            "try replacing `==` with `in`",
        ),
        (
            "forbid(principal == System::\"taxx/portal\", action, resource);",
            "0.cedar:2:29: ",
            "write `System::\"department/system\"`",
        ),
        (
            "forbid(principal, action, resource == Record::\"civil.v1.Residnt\");",
            "0.cedar:2:39: ",
            "\"civil.v1.Resident\"",
        ),
        (
            "forbid(principal, action == Action::\"gett\", resource);",
            "0.cedar:2:29: ",
            "did you mean `Action::\"get\"`?",
        ),
        (
            "forbid(principal, action, resource) when { context.hours > 3 };",
            "0.cedar:2:44: ",
            "did you mean `hour`?",
        ),
        (
            "forbid(principal, action, resource) when { context.hour > \"3\" };",
            "0.cedar:2:59: ",
            "String",
        ),
        (
            "forbid(principal, action, resource) when { context.hour > 3 && false };",
            "",
            "impossible",
        ),
        (
            "forbid(principal, action, resource) when { context.sharing == \"CONDITIONEL\" };",
            "0.cedar:2:63: ",
            "did you mean `CONDITIONAL`?",
        ),
        (
            "forbid(principal, action, resource) when { context.fields.contains(\"natoinal_id\") };",
            "0.cedar:2:68: ",
            "no record type that the guardrail covers has a field `natoinal_id`",
        ),
        (
            "forbid(principal, action, resource == Record::\"civil.v1.Resident\") when { context.fields.containsAny([\"full_name\", \"natoinal_id\"]) };",
            "0.cedar:2:116: ",
            "did you mean `national_id`?",
        ),
        (
            "forbid(principal, action, resource) when { [\"full_name\", \"fullname\"].containsAny(context.unmasked) };",
            "0.cedar:2:58: ",
            "`fullname`",
        ),
        (
            "forbid(principal, action, resource) when { context.hour > };",
            "0.cedar:2:59: ",
            "unexpected token",
        ),
    ];
    for (guardrail, place, hint) in table {
        let fault = fault(guardrail);
        assert!(
            fault.starts_with(place) && fault.contains(hint),
            "{guardrail}\n{fault}"
        );
    }
}

#[test]
fn a_department_beside_other_conditions_is_found_too() {
    let guardrail = "forbid(principal, action, resource) when { context.hour > 22 || principal == Department::\"tax\" };";
    assert_eq!(
        fault(guardrail),
        "0.cedar:2:90: a principal is a system, never a department; write `principal in Department::\"tax\"`"
    );
}

/// At run time a context is not checked against the schema.
#[test]
fn every_context_fits_the_schema() {
    let departments = ["civil", "market", "tax"].map(|d| d.parse().unwrap());
    let names: Vec<_> = registry().records().map(|r| r.name().clone()).collect();
    let cedar = vocabulary::schema(&departments.into(), &names).unwrap();
    for schema in registry().records() {
        let touched = schema
            .leaves()
            .into_iter()
            .map(|field| TouchedField { field, clear: true });
        for touched in [Vec::new(), touched.collect()] {
            let query = ask(What::Get).query();
            let occasion = Occasion {
                caller: &assessment(),
                mode: query.selection.mode(),
                schema,
                purpose: &query.purpose,
                agreement: &"A".parse().unwrap(),
                max_records: u32::MAX,
                touched,
                at: NOON,
            };
            let context: Context = occasion.context().unwrap();
            let action = vocabulary::action(query.selection.mode());
            context.validate(&cedar, &action).unwrap();
        }
    }
}
