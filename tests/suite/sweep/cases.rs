//! The kinds of refusal, and how each RPC comes to them.

use std::fs;

use landbridge::pb;
use landbridge::registry::query::question::Question;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::claim;
use crate::harness::records::Resident;

pub(super) const RPCS: [&str; 4] = ["GetRecord", "QueryRecords", "VerifyRecord", "CountRecords"];
const ALL: &[&str] = &RPCS;
pub(super) const GET: &str = "GetRecord";
pub(super) const QUERY: &str = "QueryRecords";
pub(super) const VERIFY: &str = "VerifyRecord";
pub(super) const COUNT: &str = "CountRecords";

/// One kind of refusal, and how each RPC comes to it.
pub(super) struct Case {
    pub(super) reason: &'static str,
    pub(super) code: Code,
    pub(super) rpcs: &'static [&'static str],
    pub(super) spoil: fn(Asked) -> Asked,
    /// Where `google.rpc.BadRequest` says the fault is; empty when it is not of the request.
    pub(super) location: &'static str,
    pub(super) doors: Doors,
    /// Whether the consumer's gateway cannot know, so that the provider's refuses.
    pub(super) by_provider: bool,
    /// What is asked first, to use something up.
    pub(super) before: Option<fn() -> Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doors {
    Both,
    Systems,
    Peers,
}

const DENIED: Case = Case {
    reason: "",
    code: Code::PermissionDenied,
    rpcs: ALL,
    spoil: |asked| asked,
    location: "",
    doors: Doors::Both,
    by_provider: false,
    before: None,
};

const INVALID: Case = Case {
    code: Code::InvalidArgument,
    ..DENIED
};

const EXHAUSTED: Case = Case {
    code: Code::ResourceExhausted,
    ..DENIED
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            reason: "NO_AGREEMENT",
            spoil: |asked| of(asked, "civil.v1.AdoptionRecord", "adoption_id"),
            ..DENIED
        },
        Case {
            reason: "AGREEMENT_ENDED",
            spoil: |asked| of(asked, "civil.v1.MarriageRecord", "registry_office"),
            ..DENIED
        },
        Case {
            reason: "AGREEMENT_NOT_YET_IN_FORCE",
            spoil: |asked| of(asked, "civil.v1.Household", "household_id"),
            ..DENIED
        },
        Case {
            reason: "PURPOSE_NOT_AGREED",
            spoil: |asked| asked.purpose("curiosity"),
            ..DENIED
        },
        Case {
            reason: "MODE_NOT_GRANTED",
            rpcs: &[QUERY, VERIFY, COUNT],
            spoil: |asked| asked.purpose("get-only"),
            ..DENIED
        },
        Case {
            reason: "MODE_NOT_GRANTED",
            rpcs: &[GET],
            spoil: |asked| asked.purpose("count-only"),
            ..DENIED
        },
        Case {
            reason: "SYSTEM_NOT_GRANTED",
            spoil: |asked| asked.purpose("other-system"),
            ..DENIED
        },
        Case {
            reason: "FIELD_NOT_GRANTED",
            rpcs: &[GET, QUERY],
            spoil: |asked| asked.fields(&["resident_id", "phone"]),
            ..DENIED
        },
        Case {
            reason: "FIELD_NOT_GRANTED",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("phone", "13900000007")]),
            ..DENIED
        },
        Case {
            reason: "FILTER_NOT_ALLOWED",
            rpcs: &[QUERY, COUNT],
            spoil: |asked| filter(asked, "birth_date > \"1960\""),
            ..DENIED
        },
        Case {
            reason: "FILTER_NOT_ALLOWED",
            rpcs: &[QUERY, COUNT],
            spoil: |asked| filter(asked, "!(national_id == \"99010100000000007X\")"),
            ..DENIED
        },
        Case {
            reason: "ORDER_NOT_ALLOWED",
            rpcs: &[QUERY],
            spoil: |asked| asked.order("birth_date desc"),
            ..DENIED
        },
        Case {
            reason: "GUARDRAIL",
            spoil: |asked| asked.purpose("forbidden"),
            ..DENIED
        },
        Case {
            reason: "QUOTA_EXHAUSTED",
            spoil: |asked| asked.purpose("few"),
            before: Some(|| Asked::get(&Resident(7).key()).purpose("few")),
            ..EXHAUSTED
        },
        Case {
            reason: "TOO_MANY_TRIES",
            rpcs: &[VERIFY],
            spoil: |asked| asked.purpose("one-try"),
            before: Some(|| {
                Asked::verify(&Resident(7).key(), &[("full_name", "wrong")]).purpose("one-try")
            }),
            ..EXHAUSTED
        },
        Case {
            reason: "LOOKUP_MISSES_EXHAUSTED",
            rpcs: &[GET, QUERY, VERIFY],
            spoil: |asked| filter(asked.purpose("one-guess"), "national_id == \"99\""),
            before: Some(|| Asked::get("R9999999999").purpose("one-guess")),
            ..EXHAUSTED
        },
        Case {
            reason: "DISTINCT_COUNTS_EXHAUSTED",
            rpcs: &[COUNT],
            spoil: |asked| filter(asked.purpose("one-count"), "full_name == \"x\""),
            before: Some(|| Asked::count("").purpose("one-count")),
            ..EXHAUSTED
        },
        Case {
            reason: "RECORD_TYPE_UNKNOWN",
            spoil: |asked| asked.record_type("civil.v1.Residnet"),
            location: "record_type",
            ..INVALID
        },
        Case {
            reason: "FIELD_UNKNOWN",
            rpcs: &[GET, QUERY],
            spoil: |asked| asked.fields(&["resident_id", "fullname"]),
            location: "fields[1]",
            ..INVALID
        },
        Case {
            reason: "FIELD_UNKNOWN",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("fullname", "x")]),
            location: "claims[0].field",
            ..INVALID
        },
        Case {
            reason: "FIELD_UNKNOWN",
            rpcs: &[QUERY],
            spoil: |asked| asked.order("fullname"),
            location: "order_by",
            ..INVALID
        },
        Case {
            reason: "FILTER_INVALID",
            rpcs: &[QUERY, COUNT],
            spoil: |asked| filter(asked, "status =="),
            location: "filter",
            ..INVALID
        },
        Case {
            reason: "FILTER_INVALID",
            rpcs: &[QUERY, COUNT],
            spoil: |asked| filter(asked, "height_cm == \"tall\""),
            location: "filter",
            ..INVALID
        },
        Case {
            reason: "VALUE_INVALID",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("gender", "GENDER_OTHERWISE")]),
            location: "claims[0].value",
            ..INVALID
        },
        Case {
            reason: "VALUE_INVALID",
            rpcs: &[GET],
            spoil: |asked| asked.record_type("tax.v1.PaymentRecord"),
            location: "key",
            // At civil's peers door it would be another department's record type first of all.
            doors: Doors::Systems,
            ..INVALID
        },
        Case {
            reason: "VALUE_MISSING",
            spoil: |asked| asked.purpose(""),
            location: "grounds.purpose",
            ..INVALID
        },
        Case {
            reason: "VALUE_MISSING",
            rpcs: &[GET, VERIFY],
            spoil: without_key,
            location: "key",
            ..INVALID
        },
        Case {
            reason: "VALUE_MISSING",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[]),
            location: "claims",
            ..INVALID
        },
        Case {
            reason: "PURPOSE_INVALID",
            spoil: |asked| asked.purpose("Tax Assessment"),
            location: "grounds.purpose",
            ..INVALID
        },
        Case {
            reason: "GROUNDS_INVALID",
            spoil: |mut asked| {
                asked.grounds.officer = "x".repeat(129);
                asked
            },
            location: "grounds.officer",
            ..INVALID
        },
        Case {
            reason: "REQUEST_TOO_LARGE",
            rpcs: &[GET, QUERY],
            spoil: |asked| asked.fields(&["full_name"; 257]),
            location: "fields",
            ..INVALID
        },
        Case {
            reason: "REQUEST_TOO_LARGE",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("full_name", "x"); 65]),
            location: "claims",
            ..INVALID
        },
        Case {
            reason: "FIELD_TWICE",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("full_name", "x"), ("full_name", "y")]),
            location: "claims[1].field",
            ..INVALID
        },
        Case {
            reason: "FIELD_TWICE",
            rpcs: &[QUERY],
            spoil: |asked| asked.order("full_name, full_name desc"),
            location: "order_by",
            ..INVALID
        },
        Case {
            reason: "FIELD_NOT_SINGLE",
            rpcs: &[VERIFY],
            spoil: |asked| claims(asked, &[("former_names", "x")]),
            location: "claims[0].field",
            ..INVALID
        },
        Case {
            reason: "FIELD_NOT_SINGLE",
            rpcs: &[QUERY],
            spoil: |asked| asked.order("address"),
            location: "order_by",
            ..INVALID
        },
        Case {
            reason: "ORDER_INVALID",
            rpcs: &[QUERY],
            spoil: |asked| asked.order("full_name upwards"),
            location: "order_by",
            ..INVALID
        },
        Case {
            reason: "NOT_THE_PROVIDER",
            spoil: |mut asked| {
                asked.provider = "market".to_owned();
                asked
            },
            location: "provider",
            ..INVALID
        },
        Case {
            reason: "RELAY_NOT_ALLOWED",
            spoil: |asked| asked.relayed_for("assessment"),
            location: "relay",
            doors: Doors::Systems,
            ..INVALID
        },
        Case {
            reason: "RELAY_INVALID",
            spoil: |mut asked| {
                asked.relay = Some(pb::Relay {
                    nonce: vec![1; 31].into(),
                    ..asked.relay.unwrap()
                });
                asked
            },
            location: "relay",
            doors: Doors::Peers,
            ..INVALID
        },
        // Another department's journal.
        Case {
            reason: "RELAY_INVALID",
            spoil: |mut asked| {
                asked.relay = Some(pb::Relay {
                    journal: "gov.example/market/1".to_owned(),
                    ..asked.relay.unwrap()
                });
                asked
            },
            location: "relay",
            doors: Doors::Peers,
            ..INVALID
        },
        // Neither may make the entry too long to be written.
        Case {
            reason: "RELAY_INVALID",
            spoil: |mut asked| {
                asked.relay = Some(pb::Relay {
                    nonce: vec![1; 100_000].into(),
                    ..asked.relay.unwrap()
                });
                asked
            },
            location: "relay",
            doors: Doors::Peers,
            ..INVALID
        },
        Case {
            reason: "RELAY_INVALID",
            spoil: |mut asked| {
                asked.relay = Some(pb::Relay {
                    agreement_digest: vec![1; 100_000].into(),
                    ..asked.relay.unwrap()
                });
                asked
            },
            location: "relay",
            doors: Doors::Peers,
            ..INVALID
        },
        Case {
            reason: "RELAY_INVALID",
            spoil: |mut asked| {
                asked.relay = None;
                asked
            },
            location: "relay",
            doors: Doors::Peers,
            ..INVALID
        },
        Case {
            reason: "CURSOR_INVALID",
            rpcs: &[QUERY],
            spoil: |asked| asked.after(&vec![5; 64].into()),
            location: "cursor",
            by_provider: true,
            ..INVALID
        },
        Case {
            reason: "NOT_FOUND",
            code: Code::NotFound,
            rpcs: &[GET],
            spoil: |mut asked| {
                asked.question = Asked::get("R9999999999").question;
                asked
            },
            by_provider: true,
            ..DENIED
        },
    ]
}

/// Asks for another record type, of which a verification claims that one field.
fn of(asked: Asked, record_type: &str, field: &str) -> Asked {
    claims(asked.record_type(record_type), &[(field, "x")])
}

fn claims(mut asked: Asked, list: &[(&str, &str)]) -> Asked {
    if let Question::Verify { claims, .. } = &mut asked.question {
        *claims = list
            .iter()
            .map(|(field, text)| claim(field, text))
            .collect();
    }
    asked
}

fn filter(mut asked: Asked, text: &str) -> Asked {
    if let Question::Query { filter, .. } | Question::Count { filter } = &mut asked.question {
        *filter = text.to_owned();
    }
    asked
}

fn without_key(mut asked: Asked) -> Asked {
    if let Question::Get { key } | Question::Verify { key, .. } = &mut asked.question {
        key.clear();
    }
    asked
}

/// Agreements, each for a purpose of its own, with which to come to a refusal; and a guardrail.
pub(super) fn extend(world: &World) {
    const MODES: &str = "modes = [\"get\", \"query\", \"verify\", \"count\"]";
    const RESIDENT: &str =
        "fields = [\"resident_id\", \"full_name\"]\nrecord = \"civil.v1.Resident\"";
    let now = "valid_from = 2026-01-01\nvalid_until = 2035-12-31";
    let modes = |modes: &str| format!("modes = [\"{modes}\"]\n{RESIDENT}");
    let resident = |more: &str| format!("{MODES}\n{RESIDENT}\n{more}");
    let of =
        |record: &str, key: &str| format!("{MODES}\nrecord = \"{record}\"\nfields = [\"{key}\"]");
    let agreements = [
        (
            "ended",
            "valid_from = 2020-01-01\nvalid_until = 2020-12-31",
            of("civil.v1.MarriageRecord", "certificate_number"),
        ),
        (
            "early",
            "valid_from = 2035-01-01\nvalid_until = 2035-12-31",
            of("civil.v1.Household", "household_id"),
        ),
        ("get-only", now, modes("get")),
        ("count-only", now, modes("count")),
        ("other-system", now, resident("systems = [\"audit\"]")),
        ("forbidden", now, resident("")),
        ("few", now, resident("daily = 1")),
        ("one-try", now, resident("verify_tries = 1")),
        (
            "one-guess",
            now,
            "modes = [\"get\", \"query\", \"verify\"]\nrecord = \"civil.v1.Resident\"\nfields = [\"full_name\"]\n\
             lookup = [\"resident_id\", \"national_id\"]\nlookup_misses = 1"
                .to_owned(),
        ),
        (
            "one-count",
            now,
            format!("{}\ndistinct_counts = 1", modes("count")),
        ),
        ("slow", now, resident("rate = \"1/s\"")),
    ];
    for (purpose, term, grant) in agreements {
        let text = format!(
            "id = \"TEST-{purpose}\"\ntitle = \"Test\"\nprovider = \"civil\"\nconsumer = \"tax\"\nlegal_basis = \"Test\"\n\
             accountable = \"Test\"\n{term}\npurposes = [\"{purpose}\"]\n\n[[grant]]\n{grant}\n"
        );
        for department in ["civil", "tax"] {
            fs::write(
                world.agreement(department, &format!("TEST-{purpose}")),
                &text,
            )
            .unwrap();
        }
    }
    let guardrail = "@id(\"test\")\n@reason(\"not for this\")\nforbid (principal, action, resource)\n\
                     when { context.purpose == \"forbidden\" };\n";
    fs::write(world.path("config/guardrails/test.cedar"), guardrail).unwrap();
}
