//! The decision, sentence by sentence.

use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::policy::decision::Role;
use crate::registry::query::Selection;

#[test]
fn the_decision_table() {
    let policy = policy(&[AGREEMENT], &[]);
    let at = |when| move |c: &mut Case| c.at = when;
    let by = |department, system| move |c: &mut Case| c.caller = caller(department, system);
    struct Case {
        caller: Caller,
        at: OffsetDateTime,
        question: Question,
    }
    let asked = |question: Question| Case {
        caller: assessment(),
        at: NOON,
        question,
    };
    let but = |change: &dyn Fn(&mut Case)| {
        let mut case = asked(ask(What::Get));
        change(&mut case);
        case
    };
    let table = [
        (
            "a look-up by key is permitted",
            asked(ask(What::Get)),
            "permitted",
        ),
        (
            "every field may be named",
            asked(ask(What::Get).fields(&["full_name", "status"])),
            "permitted",
        ),
        (
            "a part of a granted message may be named",
            asked(ask(What::Get).fields(&["address.city"])),
            "permitted",
        ),
        (
            "a granted message may be named though it is divided",
            asked(ask(What::Get).fields(&["address"])),
            "permitted",
        ),
        (
            "a department without an agreement is refused",
            but(&by("market", "")),
            "NO_AGREEMENT",
        ),
        (
            "the provider itself has no agreement with itself",
            but(&by("civil", "")),
            "NO_AGREEMENT",
        ),
        (
            "another record type is refused",
            asked(Question {
                record: "civil.v1.Household",
                ..ask(What::Get)
            }),
            "NO_AGREEMENT",
        ),
        (
            "the day before the first is too early",
            but(&at(datetime!(2025-12-31 23:59:59 +8))),
            "AGREEMENT_NOT_YET_IN_FORCE",
        ),
        (
            "the first day begins at the gateway's midnight",
            but(&at(datetime!(2025-12-31 16:00 UTC))),
            "permitted",
        ),
        (
            "the last day is included",
            but(&at(datetime!(2027-12-31 23:59:59 +8))),
            "permitted",
        ),
        (
            "the day after the last is too late",
            but(&at(datetime!(2028-01-01 0:00 +8))),
            "AGREEMENT_ENDED",
        ),
        (
            "a purpose that is not agreed is refused",
            asked(ask(What::Get).purpose("curiosity")),
            "PURPOSE_NOT_AGREED",
        ),
        (
            "a system that is not named is refused",
            but(&by("tax", "portal")),
            "SYSTEM_NOT_GRANTED",
        ),
        (
            "a system that is not told is none of those named",
            but(&by("tax", "")),
            "SYSTEM_NOT_GRANTED",
        ),
        (
            "a field that is not granted is refused",
            asked(ask(What::Get).fields(&["phone"])),
            "FIELD_NOT_GRANTED",
        ),
        (
            "one such field among others is refused",
            asked(ask(What::Get).fields(&["status", "phone"])),
            "FIELD_NOT_GRANTED",
        ),
        (
            "a dropped part of a granted message is refused",
            asked(ask(What::Get).fields(&["address.house"])),
            "FIELD_NOT_GRANTED",
        ),
        (
            "a lookup field is not released",
            asked(ask(What::Get).fields(&["household_id"])),
            "FIELD_NOT_GRANTED",
        ),
        (
            "a query without a filter is permitted",
            asked(filtered("")),
            "permitted",
        ),
        (
            "a filter on a clear field is permitted",
            asked(filtered("status == STATUS_MOVED")),
            "permitted",
        ),
        (
            "a filter on a part of a clear field is permitted",
            asked(filtered("address.city.startsWith('G')")),
            "permitted",
        ),
        (
            "a filter on a field not asked for is permitted if the grant releases it",
            asked(filtered("status == STATUS_MOVED").fields(&["resident_id"])),
            "permitted",
        ),
        (
            "a masked field cannot be filtered",
            asked(filtered("birth_date == '1990-01-01'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a field masked by the grant cannot be filtered",
            asked(filtered("full_name == 'x'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a withheld field cannot be filtered",
            asked(filtered("phone == '1'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a dropped field cannot be filtered",
            asked(filtered("address.house == '1'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a field that only the row rule may use cannot be filtered by others",
            asked(filtered("ethnic_group == 'HA'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a withheld field hidden in a disjunction is found",
            asked(filtered("status == STATUS_MOVED || phone == '1'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "whether a withheld field is there cannot be asked",
            asked(filtered("has(phone)")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "whether a divided message is there cannot be asked",
            asked(filtered("has(address)")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup field may be compared by equality",
            asked(filtered("national_id == 'x'")),
            "permitted",
        ),
        (
            "a lookup field that is not granted may be so too",
            asked(filtered("household_id == 'a'")),
            "permitted",
        ),
        (
            "a lookup may be joined to the rest, and to another lookup",
            asked(filtered(
                "(status == STATUS_MOVED && national_id == 'x') && 'a' == household_id",
            )),
            "permitted",
        ),
        (
            "a lookup field cannot be compared with many values at once",
            asked(filtered("household_id in ['a', 'b']")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "nor with a list of one",
            asked(filtered("household_id in ['a']")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "nor with one value or another",
            asked(filtered("national_id == 'x' || national_id == 'y'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "nor with one value or something else",
            asked(filtered("national_id == 'x' || status == STATUS_MOVED")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "nor twice",
            asked(filtered("national_id == 'x' && national_id == 'x'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup field cannot be compared by inequality",
            asked(filtered("national_id != 'x'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup field cannot be compared by order",
            asked(filtered("national_id < 'x'")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup field cannot be compared by prefix",
            asked(filtered("national_id.startsWith('5')")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup under a negation is refused",
            asked(filtered("!(national_id == 'x')")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a lookup under two negations is refused",
            asked(filtered("!(!(national_id == 'x'))")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "whether a lookup field is there cannot be asked",
            asked(filtered("has(national_id)")),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a count follows the same rule",
            asked(ask(What::Count("phone == '1'".to_owned()))),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a count looks nobody up",
            asked(ask(What::Count("national_id == 'x'".to_owned()))),
            "FILTER_NOT_ALLOWED",
        ),
        (
            "a count by a clear field is permitted",
            asked(ask(What::Count("status == STATUS_MOVED".to_owned()))),
            "permitted",
        ),
        (
            "an order by a clear field is permitted",
            asked(ordered("status desc")),
            "permitted",
        ),
        (
            "an order by a masked field is refused",
            asked(ordered("status, birth_date")),
            "ORDER_NOT_ALLOWED",
        ),
        (
            "an order by a lookup field is refused",
            asked(ordered("national_id")),
            "ORDER_NOT_ALLOWED",
        ),
        (
            "a masked field may be verified",
            asked(ask(What::Verify(vec!["birth_date", "full_name"]))),
            "permitted",
        ),
        (
            "a lookup field may be verified",
            asked(ask(What::Verify(vec!["household_id"]))),
            "permitted",
        ),
        (
            "a part of a granted message may be verified",
            asked(ask(What::Verify(vec!["address.city"]))),
            "permitted",
        ),
        (
            "a withheld field cannot be verified",
            asked(ask(What::Verify(vec!["full_name", "phone"]))),
            "FIELD_NOT_GRANTED",
        ),
        (
            "a dropped field cannot be verified",
            asked(ask(What::Verify(vec!["address.house"]))),
            "FIELD_NOT_GRANTED",
        ),
    ];
    for (
        sentence,
        Case {
            caller,
            at,
            question,
        },
        expected,
    ) in table
    {
        let decision = policy.decide(&caller, question.query(), moment(at));
        let outcome = decision
            .as_ref()
            .map_or_else(Denial::reason, |_| "permitted");
        assert_eq!(outcome, expected, "{sentence}");
        let explanation = policy.explain(&caller, &question.query(), moment(at));
        let explained = explanation.denial.map_or("permitted", |d| d.reason);
        assert_eq!(explained, expected, "explain: {sentence}");
    }
}

#[test]
fn without_a_mode_or_a_key_a_query_is_refused() {
    let counted = AGREEMENT.replace(r#"["get", "query", "verify", "count"]"#, r#"["count"]"#);
    let denial = decide(&policy(&[&counted], &[]), &ask(What::Get)).unwrap_err();
    assert_eq!(denial.reason(), "MODE_NOT_GRANTED");

    let by_another_grant = format!(
        "{AGREEMENT}\n[[grant]]\nrecord = 'civil.v1.Household'\nmodes = ['query']\nfields = ['address']"
    );
    let policy = policy(&[&by_another_grant], &[]);
    let question = Question {
        record: "civil.v1.Household",
        ..filtered("")
    };
    let permit = decide(&policy, &question).unwrap();
    assert_eq!(
        (permit.grant_number(), permit.grant().max_records),
        (1, 1_000)
    );
}

#[test]
fn what_is_released_carries_the_masks_of_registry_and_grant() {
    let policy = policy(&[AGREEMENT], &[]);
    let permit = decide(&policy, &ask(What::Get)).unwrap();
    let all = [
        "resident_id",
        "full_name:keep-first:1",
        "national_id:keep-first:6",
        "birth_date:month",
        "address.province",
        "address.city",
        "address.district",
        "address.street",
        "address.postal_code",
        "status",
    ];
    assert_eq!(released(&permit), all);
    assert_eq!((permit.role(), permit.limit()), (Role::Provider, 1));

    let some = ["status", "address", "address.city", "birth_date", "status"];
    let permit = decide(&policy, &filtered("").fields(&some)).unwrap();
    let expected = [
        "address.city",
        "address.district",
        "address.postal_code",
        "address.province",
        "address.street",
        "birth_date:month",
        "status",
    ];
    assert_eq!(released(&permit), expected);
    assert_eq!(permit.limit(), 100);

    for what in [What::Verify(vec!["full_name"]), What::Count(String::new())] {
        let permit = decide(&policy, &ask(what)).unwrap();
        assert!(permit.released().is_empty());
    }
}

#[test]
fn a_part_of_a_message_released_whole_is_released_alone() {
    let agreement = AGREEMENT.replace("mask        =", "unmasked = ['address']\nmask        =");
    let policy = policy(&[&agreement], &[]);
    let permit = decide(&policy, &ask(What::Get)).unwrap();
    assert!(released(&permit).contains(&"address".to_owned()));
    let permit = decide(&policy, &ask(What::Get).fields(&["address.house"])).unwrap();
    assert_eq!(released(&permit), ["address.house"]);
    let permit = decide(
        &policy,
        &ask(What::Get).fields(&["address.house", "address"]),
    )
    .unwrap();
    assert_eq!(released(&permit), ["address"]);
}

#[test]
fn a_message_of_which_only_parts_are_granted_is_refused_by_its_name() {
    let agreement = AGREEMENT.replace("\"address\"", "\"address.city\", \"address.district\"");
    let policy = policy(&[&agreement], &[]);
    let denial = decide(&policy, &ask(What::Get).fields(&["address"])).unwrap_err();
    assert_eq!(
        denial,
        Denial::FieldNotGranted {
            agreement: "CIV-TAX-2026-01".parse().unwrap(),
            field: "address".parse().unwrap(),
        }
    );
    assert_eq!(
        denial.metadata(),
        [
            ("agreement", "CIV-TAX-2026-01".to_owned()),
            ("field", "address".to_owned())
        ]
    );
}

#[test]
fn the_limit_is_the_least_of_the_two() {
    let policy = policy(&[AGREEMENT], &[]);
    let limited = |limit| {
        let question = ask(What::Query {
            filter: String::new(),
            order: "",
            limit,
        });
        decide(&policy, &question).unwrap().limit()
    };
    assert_eq!([limited(0), limited(7), limited(u32::MAX)], [100, 7, 100]);
}

#[test]
fn the_gate_is_the_row_rule_and_the_filter() {
    let policy = policy(&[AGREEMENT], &[]);
    let tested = |question: &Question| -> Vec<String> {
        let permit = decide(&policy, question).unwrap();
        let uses = permit.gate().unwrap().uses();
        uses.iter().map(|u| u.field.path().to_string()).collect()
    };
    assert_eq!(tested(&ask(What::Get)), ["address.district"]);
    let both = ["address.district", "status"];
    assert_eq!(tested(&filtered("status == STATUS_MOVED")), both);
    let count = ask(What::Count("status == STATUS_MOVED".to_owned()));
    assert_eq!(tested(&count), both);
}

#[test]
fn the_consumers_gateway_checks_the_same_and_masks_nothing() {
    let consumer = compile_at("tax", &[AGREEMENT], &[]).unwrap();
    let permit = decide(&consumer, &filtered("")).unwrap();
    assert_eq!(permit.role(), Role::Consumer);
    assert!(permit.gate().is_none());
    assert!(permit.released().iter().all(|r| r.mask.is_none()));
    assert_eq!(permit.released().len(), permit.grant().released.len());
    let permit = decide(&consumer, &filtered("").fields(&["birth_date"])).unwrap();
    assert_eq!(released(&permit), ["birth_date"]);
    let denial = decide(&consumer, &filtered("birth_date > '1990'")).unwrap_err();
    assert_eq!(denial.reason(), "FILTER_NOT_ALLOWED");
}

#[test]
fn a_department_may_have_an_agreement_with_itself() {
    let own = AGREEMENT.replace("\"tax\"", "\"civil\"");
    let decision = policy(&[&own], &[]).decide(
        &caller("civil", "assessment"),
        ask(What::Get).query(),
        moment(NOON),
    );
    assert_eq!(decision.unwrap().role(), Role::Provider);
}

#[test]
fn agreements_of_others_are_left_out() {
    let others = compile_at("market", &[AGREEMENT], &[]).unwrap();
    assert_eq!(others.agreements().count(), 0);
    let denial = decide(&others, &ask(What::Get)).unwrap_err();
    assert_eq!(denial.reason(), "NO_AGREEMENT");
}

#[test]
fn the_first_grant_that_permits_wins_and_otherwise_the_furthest_denial_is_told() {
    let narrow = "[[grant]]\nrecord = 'civil.v1.Resident'\nmodes = ['query']\nfields = ['phone']";
    let two = format!("{AGREEMENT}\n{narrow}");
    let ended = AGREEMENT
        .replace("2027-12-31", "2026-01-31")
        .replace("2026-01\"", "2026-00\"");
    let policy = policy(&[&two, &ended], &[]);
    let permit = decide(&policy, &filtered("").fields(&["phone"])).unwrap();
    assert_eq!(permit.grant_number(), 1);
    assert_eq!(permit.agreement().id.as_str(), "CIV-TAX-2026-01");
    // The ended agreement is asked first, by its id; the filter is the later check.
    let denial = decide(&policy, &filtered("height_cm == 170u")).unwrap_err();
    assert_eq!(denial.reason(), "FILTER_NOT_ALLOWED");
    let denial = decide(&policy, &ask(What::Get).purpose("curiosity")).unwrap_err();
    assert_eq!(denial.reason(), "PURPOSE_NOT_AGREED");
}

#[test]
fn a_filter_that_is_refused_is_told_what_to_write() {
    let policy = policy(&[AGREEMENT], &[]);
    let told = |question: Question| decide(&policy, &question).unwrap_err().to_string();
    assert_eq!(
        told(filtered("national_id in ['x', 'y']")),
        "agreement CIV-TAX-2026-01 does not let `national_id` be used in this way: as a lookup it is compared with one value in a \
         question; write `national_id == \"…\"` once, alone or joined to the rest by `&&`, not with `in`, `!=`, `!` or `||`"
    );
    assert_eq!(
        told(ask(What::Count("national_id == 'x'".to_owned()))),
        "agreement CIV-TAX-2026-01 does not let `national_id` be used in a count, which looks nobody up; query for the record \
         by `national_id == \"…\"`, or verify it"
    );
    assert_eq!(
        told(filtered("birth_date == 'x'")),
        "agreement CIV-TAX-2026-01 does not let `birth_date` be used in a filter: it is not released unmasked"
    );
}

#[test]
fn a_question_guesses_at_what_its_asker_could_not_have_read() {
    let by_key = AGREEMENT
        .replace("\"resident_id\", ", "")
        .replace("[\"national_id\"", "[\"resident_id\", \"national_id\"");
    let verify_only = AGREEMENT.replace(r#"["get", "query", "verify", "count"]"#, r#"["verify"]"#);
    let claims = || {
        ask(What::Verify(vec![
            "address.city",
            "full_name",
            "household_id",
        ]))
    };
    for (sentence, agreement, question, guesses) in [
        ("by a clear key", AGREEMENT, ask(What::Get), 0),
        ("by a key to look up", &by_key, ask(What::Get), 1),
        (
            "by clear fields",
            AGREEMENT,
            filtered("status == STATUS_MOVED"),
            0,
        ),
        ("by a lookup", AGREEMENT, filtered("national_id == 'x'"), 1),
        (
            "by two lookups that must both hold",
            AGREEMENT,
            filtered("national_id == 'x' && household_id == 'y' && status == STATUS_MOVED"),
            1,
        ),
        ("a count", AGREEMENT, ask(What::Count(String::new())), 0),
        ("a masked and a hidden value", AGREEMENT, claims(), 2),
        ("values of a key to look up", &by_key, claims(), 3),
        ("values that no record shows", &verify_only, claims(), 3),
    ] {
        let permit = decide(&policy(&[agreement], &[]), &question).unwrap();
        assert_eq!(permit.guesses(), guesses, "{sentence}");
    }
    let further = Query {
        selection: Selection::Query {
            filter: filtered("national_id == 'x'")
                .query()
                .selection
                .filter()
                .cloned(),
            order: Vec::new(),
            limit: None,
            cursor: Some(bytes::Bytes::from_static(b"sealed")),
        },
        ..filtered("").query()
    };
    let policy = policy(&[AGREEMENT], &[]);
    let permit = policy.decide(&assessment(), further, moment(NOON)).unwrap();
    assert_eq!(permit.guesses(), 0, "a further page");
}
