//! Every RPC by every kind of refusal: the status, what it says, and one entry at each gateway that saw the request.
//!
//! The refusals are read from the source. A pair that no case covers stands in `sweep_omitted.txt` with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landbridge::pb;
use landbridge::registry::query::question::Question;
use tonic::Code;

use crate::harness::World;
use crate::harness::client::Asked;
use crate::harness::client::Asker;
use crate::harness::client::claim;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

const RPCS: [&str; 4] = ["GetRecord", "QueryRecords", "VerifyRecord", "CountRecords"];
const ALL: &[&str] = &RPCS;
const GET: &str = "GetRecord";
const QUERY: &str = "QueryRecords";
const VERIFY: &str = "VerifyRecord";
const COUNT: &str = "CountRecords";

/// One kind of refusal, and how each RPC comes to it.
struct Case {
    reason: &'static str,
    code: Code,
    rpcs: &'static [&'static str],
    spoil: fn(Asked) -> Asked,
    /// Where `google.rpc.BadRequest` says the fault is; empty when it is not of the request.
    location: &'static str,
    doors: Doors,
    /// Whether the consumer's gateway cannot know, so that the provider's refuses.
    by_provider: bool,
    /// What is asked first, to use something up.
    before: Option<fn() -> Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doors {
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

fn cases() -> Vec<Case> {
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
            spoil: |_| Asked::get("R9999999999"),
            by_provider: true,
            ..DENIED
        },
    ]
}

#[tokio::test]
async fn every_rpc_refuses_every_kind_with_its_status_and_one_entry_at_each_gateway_that_saw_it() {
    let world = World::new().await;
    extend(&world);
    let _gateways = world.pair().await;
    let (system, peer) = (
        world.system("tax", "assessment"),
        world.peer("tax", "civil"),
    );

    let mut wrong = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        if case.doors != Doors::Peers {
            run(&world, case, number, &system, Doors::Systems, &mut wrong).await;
        }
        if case.doors != Doors::Systems {
            run(&world, case, number, &peer, Doors::Peers, &mut wrong).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.journal("tax").verified();
    world.journal("civil").verified();
}

/// Runs a case at one door for each of its RPCs.
async fn run(
    world: &World,
    case: &Case,
    number: usize,
    asker: &Asker,
    door: Doors,
    wrong: &mut Vec<String>,
) {
    let relayed = |asked: Asked| {
        if door == Doors::Peers {
            asked.relayed_for("assessment")
        } else {
            asked
        }
    };
    if let Some(before) = case.before {
        asker.ask(&relayed(before())).await.ok();
    }
    for rpc in case.rpcs {
        let (at_systems, label) = (
            door == Doors::Systems,
            format!("{rpc} {} #{number}", case.reason),
        );
        let case_reference = format!("{label} {}", if at_systems { "systems" } else { "peers" });
        let mut asked = (case.spoil)(relayed(base(rpc)));
        if door == Doors::Peers && asked.relay.is_none() && case.reason == "NOT_FOUND" {
            asked = asked.relayed_for("assessment");
        }
        let refused = asker.ask(&asked.case(&case_reference)).await.err();
        if let Some(fault) = misfit(refused.as_ref(), case) {
            wrong.push(format!("{case_reference}: {fault}"));
        }
        let expected = match (at_systems, case.by_provider) {
            (true, true) => (1, 1),
            (true, false) => (1, 0),
            (false, _) => (0, 1),
        };
        let (tax, civil) = (
            world.journal("tax").of_case(&case_reference),
            world.journal("civil").of_case(&case_reference),
        );
        if (tax.len(), civil.len()) != expected {
            wrong.push(format!(
                "{case_reference}: {} and {} entries, not {expected:?}",
                tax.len(),
                civil.len()
            ));
        }
        for entry in tax
            .iter()
            .chain(&civil)
            .filter(|entry| entry.reason() != case.reason)
        {
            wrong.push(format!(
                "{case_reference}: an entry says {}",
                entry.reason()
            ));
        }
    }
}

/// What is wrong with a refusal, if anything.
fn misfit(refused: Option<&Refused>, case: &Case) -> Option<String> {
    let Some(refused) = refused else {
        return Some("it was answered".to_owned());
    };
    let fits = refused.is(case.code, case.reason)
        && refused.location == case.location
        && refused.metadata.contains_key("exchange_id")
        && refused.retry == (case.code == Code::ResourceExhausted);
    (!fits).then(|| format!("{refused:?}"))
}

/// What would be answered if nothing were wrong with it.
fn base(rpc: &str) -> Asked {
    let key = Resident(7).key();
    match rpc {
        GET => Asked::get(&key),
        QUERY => Asked::query(""),
        VERIFY => Asked::verify(&key, &[("full_name", "王7")]),
        _ => Asked::count(""),
    }
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
fn extend(world: &World) {
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

#[tokio::test]
async fn more_requests_a_second_than_the_rate_are_refused_until_the_second_is_over() {
    let world = World::new().await;
    extend(&world);
    let _gateways = world.pair().await;
    for (door, asker, journal) in [
        (
            "systems",
            world.system("tax", "assessment"),
            world.journal("tax"),
        ),
        ("peers", world.peer("tax", "civil"), world.journal("civil")),
    ] {
        for rpc in RPCS {
            let asked = base(rpc).purpose("slow");
            let asked = if door == "peers" {
                asked.relayed_for("assessment")
            } else {
                asked
            };
            // A busy machine may take a second for one of them.
            let (case, refused) = loop {
                let case = format!("{rpc} {door} {}", journal.entries().len());
                if let Err(refused) = asker.ask(&asked.clone().case(&case)).await {
                    break (case, refused);
                }
            };
            assert!(
                refused.is(Code::ResourceExhausted, "RATE_LIMITED") && refused.retry,
                "{rpc} {door}: {refused:?}"
            );
            let entries = journal.of_case(&case);
            assert_eq!(
                entries
                    .iter()
                    .map(|entry| entry.reason())
                    .collect::<Vec<_>>(),
                ["RATE_LIMITED"]
            );
        }
    }
}

#[test]
fn every_refusal_of_every_rpc_is_swept_or_stands_in_the_ledger() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let sources = [
        "src/exchange/refusal.rs",
        "src/policy/decision.rs",
        "src/source.rs",
    ];
    let reasons: BTreeSet<String> = sources
        .iter()
        .flat_map(|file| reasons_in(&read(file)))
        .collect();
    assert!(reasons.len() > 30, "{} reasons were found", reasons.len());
    let swept: BTreeSet<(String, String)> = cases()
        .iter()
        .flat_map(|case| {
            case.rpcs
                .iter()
                .map(|rpc| ((*rpc).to_owned(), case.reason.to_owned()))
        })
        .collect();

    let ledger = read("tests/suite/sweep_omitted.txt");
    let omitted: Vec<(&str, &str)> = ledger.lines().filter_map(omission).collect();
    let stands = |rpc: &str, reason: &str| {
        omitted
            .iter()
            .any(|(r, n)| (*r == "*" || *r == rpc) && (*n == "*" || *n == reason))
    };
    let mut wrong = Vec::new();
    for rpc in rpcs() {
        for reason in &reasons {
            match (
                swept.contains(&(rpc.clone(), reason.clone())),
                stands(&rpc, reason),
            ) {
                (false, false) => {
                    wrong.push(format!("{rpc} {reason} is neither swept nor in the ledger"))
                }
                (true, true) => wrong.push(format!(
                    "{rpc} {reason} is swept: take it out of the ledger"
                )),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every RPC of the gateway's API.
fn rpcs() -> Vec<String> {
    let pool = prost_reflect::DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let services = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    services.map(|method| method.name().to_owned()).collect()
}

/// The stable reasons that a source file names: `=> "LIKE_THIS"`.
fn reasons_in(text: &str) -> Vec<String> {
    let parts = text
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let is_reason =
        |word: &&str| word.len() > 3 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    parts.filter(is_reason).map(str::to_owned).collect()
}

/// `<rpc> <reason>: why`, either of them `*` for all.
fn omission(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') || line.trim().is_empty() {
        return None;
    }
    let (pair, why) = line
        .split_once(": ")
        .unwrap_or_else(|| panic!("`{line}` gives no reason"));
    assert!(!why.trim().is_empty(), "`{line}` gives no reason");
    Some(
        pair.split_once(' ')
            .unwrap_or_else(|| panic!("`{line}` names no pair")),
    )
}
