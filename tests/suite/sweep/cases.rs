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
    /// What is asked, in words.
    pub(super) what: &'static str,
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

type Rpcs = &'static [&'static str];
type Spoil = fn(Asked) -> Asked;

const fn denied(what: &'static str, rpcs: Rpcs, spoil: Spoil, reason: &'static str) -> Case {
    Case {
        what,
        reason,
        code: Code::PermissionDenied,
        rpcs,
        spoil,
        location: "",
        doors: Doors::Both,
        by_provider: false,
        before: None,
    }
}

const fn exhausted(
    what: &'static str,
    before: fn() -> Asked,
    rpcs: Rpcs,
    spoil: Spoil,
    reason: &'static str,
) -> Case {
    let mut case = denied(what, rpcs, spoil, reason);
    case.code = Code::ResourceExhausted;
    case.before = Some(before);
    case
}

const fn invalid(
    what: &'static str,
    rpcs: Rpcs,
    spoil: Spoil,
    reason: &'static str,
    location: &'static str,
) -> Case {
    let mut case = denied(what, rpcs, spoil, reason);
    case.code = Code::InvalidArgument;
    case.location = location;
    case
}

const fn not_found(what: &'static str, rpcs: Rpcs, spoil: Spoil, reason: &'static str) -> Case {
    let mut case = denied(what, rpcs, spoil, reason);
    case.code = Code::NotFound;
    case.by_provider()
}

impl Case {
    const fn at(mut self, doors: Doors) -> Self {
        self.doors = doors;
        self
    }

    const fn by_provider(mut self) -> Self {
        self.by_provider = true;
        self
    }
}

pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    let groups: [&[Case]; 7] = [
        DENIED, EXHAUSTED, GROUNDS, NAMES, FILTERS, RELAYS, BEHIND_IT,
    ];
    groups.into_iter().flatten()
}

/// What the agreements do not let anybody have.
const DENIED: &[Case] = &[
    denied(
        "a record type that no agreement names",
        ALL,
        |asked| of(asked, "civil.v1.AdoptionRecord", "adoption_id"),
        "NO_AGREEMENT",
    ),
    denied(
        "by an agreement that has ended",
        ALL,
        |asked| of(asked, "civil.v1.MarriageRecord", "registry_office"),
        "AGREEMENT_ENDED",
    ),
    denied(
        "by an agreement that begins in years",
        ALL,
        |asked| of(asked, "civil.v1.Household", "household_id"),
        "AGREEMENT_NOT_YET_IN_FORCE",
    ),
    denied(
        "for a purpose that was not agreed on",
        ALL,
        |asked| asked.purpose("curiosity"),
        "PURPOSE_NOT_AGREED",
    ),
    denied(
        "in another mode than the one granted",
        &[QUERY, VERIFY, COUNT],
        |asked| asked.purpose("get-only"),
        "MODE_NOT_GRANTED",
    ),
    denied(
        "a record where only counts are granted",
        &[GET],
        |asked| asked.purpose("count-only"),
        "MODE_NOT_GRANTED",
    ),
    denied(
        "by a system that the grant does not name",
        ALL,
        |asked| asked.purpose("other-system"),
        "SYSTEM_NOT_GRANTED",
    ),
    denied(
        "a field that is not released",
        &[GET, QUERY],
        |asked| asked.fields(&["resident_id", "phone"]),
        "FIELD_NOT_GRANTED",
    ),
    denied(
        "a claim of a field that is not released",
        &[VERIFY],
        |asked| claims(asked, &[("phone", "13900000007")]),
        "FIELD_NOT_GRANTED",
    ),
    denied(
        "a filter of a field that is released masked",
        &[QUERY, COUNT],
        |asked| filter(asked, "birth_date > \"1960\""),
        "FILTER_NOT_ALLOWED",
    ),
    denied(
        "a filter of what may only be looked up by its value",
        &[QUERY, COUNT],
        |asked| filter(asked, "!(national_id == \"99010100000000007X\")"),
        "FILTER_NOT_ALLOWED",
    ),
    denied(
        "in the order of a field that is released masked",
        &[QUERY],
        |asked| asked.order("birth_date desc"),
        "ORDER_NOT_ALLOWED",
    ),
    denied(
        "for a purpose that a guardrail forbids",
        ALL,
        |asked| asked.purpose("forbidden"),
        "GUARDRAIL",
    ),
];

/// What there is only so much of; it is used up first.
const EXHAUSTED: &[Case] = &[
    exhausted(
        "more records than a day's quota",
        || Asked::get(&Resident(7).key()).purpose("few"),
        ALL,
        |asked| asked.purpose("few"),
        "QUOTA_EXHAUSTED",
    ),
    exhausted(
        "a second claim where one may be wrong",
        || Asked::verify(&Resident(7).key(), &[("full_name", "wrong")]).purpose("one-try"),
        &[VERIFY],
        |asked| asked.purpose("one-try"),
        "TOO_MANY_TRIES",
    ),
    exhausted(
        "a second value that nobody has",
        || Asked::get("R9999999999").purpose("one-guess"),
        &[GET, QUERY, VERIFY],
        |asked| filter(asked.purpose("one-guess"), "national_id == \"99\""),
        "LOOKUP_MISSES_EXHAUSTED",
    ),
    exhausted(
        "a second filter of a count where one is allowed",
        || Asked::count("").purpose("one-count"),
        &[COUNT],
        |asked| filter(asked.purpose("one-count"), "full_name == \"x\""),
        "DISTINCT_COUNTS_EXHAUSTED",
    ),
];

/// Of whom and for what it is asked.
const GROUNDS: &[Case] = &[
    invalid(
        "for no purpose",
        ALL,
        |asked| asked.purpose(""),
        "VALUE_MISSING",
        "grounds.purpose",
    ),
    invalid(
        "for a purpose that is not written as one",
        ALL,
        |asked| asked.purpose("Tax Assessment"),
        "PURPOSE_INVALID",
        "grounds.purpose",
    ),
    invalid(
        "by an officer whose name is too long",
        ALL,
        |mut asked| {
            asked.grounds.officer = "x".repeat(129);
            asked
        },
        "GROUNDS_INVALID",
        "grounds.officer",
    ),
    invalid(
        "a provider that does not own it",
        ALL,
        |mut asked| {
            asked.provider = "market".to_owned();
            asked
        },
        "NOT_THE_PROVIDER",
        "provider",
    ),
    invalid(
        "a record type that there is not",
        ALL,
        |asked| asked.record_type("civil.v1.Residnet"),
        "RECORD_TYPE_UNKNOWN",
        "record_type",
    ),
];

/// Fields, claims, orders and keys.
const NAMES: &[Case] = &[
    invalid(
        "a field that there is not",
        &[GET, QUERY],
        |asked| asked.fields(&["resident_id", "fullname"]),
        "FIELD_UNKNOWN",
        "fields[1]",
    ),
    invalid(
        "a claim of a field that there is not",
        &[VERIFY],
        |asked| claims(asked, &[("fullname", "x")]),
        "FIELD_UNKNOWN",
        "claims[0].field",
    ),
    invalid(
        "in the order of a field that there is not",
        &[QUERY],
        |asked| asked.order("fullname"),
        "FIELD_UNKNOWN",
        "order_by",
    ),
    invalid(
        "more fields than may be asked for",
        &[GET, QUERY],
        |asked| asked.fields(&["full_name"; 257]),
        "REQUEST_TOO_LARGE",
        "fields",
    ),
    invalid(
        "more claims than may be asked",
        &[VERIFY],
        |asked| claims(asked, &[("full_name", "x"); 65]),
        "REQUEST_TOO_LARGE",
        "claims",
    ),
    invalid(
        "two claims of one field",
        &[VERIFY],
        |asked| claims(asked, &[("full_name", "x"), ("full_name", "y")]),
        "FIELD_TWICE",
        "claims[1].field",
    ),
    invalid(
        "in the order of one field twice",
        &[QUERY],
        |asked| asked.order("full_name, full_name desc"),
        "FIELD_TWICE",
        "order_by",
    ),
    invalid(
        "a claim of a field that has several values",
        &[VERIFY],
        |asked| claims(asked, &[("former_names", "x")]),
        "FIELD_NOT_SINGLE",
        "claims[0].field",
    ),
    invalid(
        "in the order of a message",
        &[QUERY],
        |asked| asked.order("address"),
        "FIELD_NOT_SINGLE",
        "order_by",
    ),
    invalid(
        "in an order that is neither up nor down",
        &[QUERY],
        |asked| asked.order("full_name upwards"),
        "ORDER_INVALID",
        "order_by",
    ),
    invalid(
        "no claim",
        &[VERIFY],
        |asked| claims(asked, &[]),
        "VALUE_MISSING",
        "claims",
    ),
    invalid(
        "by no key",
        &[GET, VERIFY],
        without_key,
        "VALUE_MISSING",
        "key",
    ),
    // At civil's peers door it would be another department's record type first of all.
    invalid(
        "a word as a key that is a number",
        &[GET],
        |asked| asked.record_type("tax.v1.PaymentRecord"),
        "VALUE_INVALID",
        "key",
    )
    .at(Doors::Systems),
    invalid(
        "a claim of a value that its enum has not",
        &[VERIFY],
        |asked| claims(asked, &[("gender", "GENDER_OTHERWISE")]),
        "VALUE_INVALID",
        "claims[0].value",
    ),
];

/// Filters, which have a language of their own.
const FILTERS: &[Case] = &[
    invalid(
        "a filter that ends too early",
        &[QUERY, COUNT],
        |asked| filter(asked, "status =="),
        "FILTER_INVALID",
        "filter",
    ),
    invalid(
        "a filter that compares a number with a word",
        &[QUERY, COUNT],
        |asked| filter(asked, "height_cm == \"tall\""),
        "FILTER_INVALID",
        "filter",
    ),
];

/// What a gateway says of the request that it passes on. Nothing in it may make the entry too long to be written.
const RELAYS: &[Case] = &[
    invalid(
        "a relay by a system",
        ALL,
        |asked| asked.relayed_for("assessment"),
        "RELAY_NOT_ALLOWED",
        "relay",
    )
    .at(Doors::Systems),
    invalid(
        "a relay whose nonce is too short",
        ALL,
        |asked| with_relay(asked, |relay| relay.nonce = vec![1; 31].into()),
        "RELAY_INVALID",
        "relay",
    )
    .at(Doors::Peers),
    invalid(
        "a relay of another department's journal",
        ALL,
        |asked| {
            with_relay(asked, |relay| {
                relay.journal = "gov.example/market/1".to_owned()
            })
        },
        "RELAY_INVALID",
        "relay",
    )
    .at(Doors::Peers),
    invalid(
        "a relay whose nonce would make the entry too long",
        ALL,
        |asked| with_relay(asked, |relay| relay.nonce = vec![1; 100_000].into()),
        "RELAY_INVALID",
        "relay",
    )
    .at(Doors::Peers),
    invalid(
        "a relay whose digest would make the entry too long",
        ALL,
        |asked| {
            with_relay(asked, |relay| {
                relay.agreement_digest = vec![1; 100_000].into()
            })
        },
        "RELAY_INVALID",
        "relay",
    )
    .at(Doors::Peers),
    invalid(
        "no relay by a gateway",
        ALL,
        |mut asked| {
            asked.relay = None;
            asked
        },
        "RELAY_INVALID",
        "relay",
    )
    .at(Doors::Peers),
];

/// What only the provider can know.
const BEHIND_IT: &[Case] = &[
    invalid(
        "a cursor that the provider did not give",
        &[QUERY],
        |asked| asked.after(&vec![5; 64].into()),
        "CURSOR_INVALID",
        "cursor",
    )
    .by_provider(),
    not_found(
        "a key that nobody has",
        &[GET],
        |mut asked| {
            asked.question = Asked::get("R9999999999").question;
            asked
        },
        "NOT_FOUND",
    ),
];

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

fn with_relay(mut asked: Asked, spoil: fn(&mut pb::Relay)) -> Asked {
    spoil(asked.relay.as_mut().unwrap());
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
