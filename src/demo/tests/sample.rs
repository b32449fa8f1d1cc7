//! The sample deployment in `config/`, against the sample registry.

use std::fs;

use time::UtcOffset;
use time::macros::datetime;

use super::*;
use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::pb;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;
use crate::policy::decision::Denial;
use crate::policy::decision::Permit;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;

fn files(folder: &str) -> Vec<PolicyFile> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| PolicyFile {
            path: path.display().to_string(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The policy of a department, with one passage of the agreements written otherwise.
fn policy_with(department: &str, passage: &str, otherwise: &str) -> Result<PolicySet, Vec<Fault>> {
    let departments = ["civil", "tax", "market"].map(|id| id.parse::<DepartmentId>().unwrap());
    let mut agreements = files("config/agreements");
    for file in &mut agreements {
        file.text = file.text.replace(passage, otherwise);
    }
    PolicySet::compile(&PolicyInput {
        department: &department.parse().unwrap(),
        departments: &departments,
        registry: &registry(),
        agreements: &agreements,
        guardrails: &files("config/guardrails"),
        offset: UtcOffset::from_hms(8, 0, 0).unwrap(),
        before: None,
    })
}

fn policy_of(department: &str) -> PolicySet {
    policy_with(department, "", "").unwrap()
}

/// A Wednesday in office hours, and the night after it.
const NOON: time::OffsetDateTime = datetime!(2026-03-04 12:00 +8);
const NIGHT: time::OffsetDateTime = datetime!(2026-03-04 23:00 +8);

fn moment(at: time::OffsetDateTime) -> Moment {
    Moment::from_micros(at.unix_timestamp() * 1_000_000)
}

struct Ask<'a> {
    /// Department and system.
    who: (&'a str, &'a str),
    record: &'a str,
    purpose: &'a str,
    fields: &'a [&'a str],
    selection: RawSelection<'a>,
}

impl Ask<'_> {
    fn of(&self, policy: &PolicySet, at: time::OffsetDateTime) -> Result<Permit, Denial> {
        let (department, system) = self.who;
        let caller = Caller::assumed(department.parse().unwrap(), Some(system.parse().unwrap()));
        let fields: Vec<String> = self.fields.iter().map(ToString::to_string).collect();
        let raw = Raw {
            purpose: self.purpose,
            fields: &fields,
            selection: self.selection,
        };
        let query = Query::check(registry().record(self.record).unwrap(), &raw).unwrap();
        policy.decide(&caller, query, moment(at))
    }
}

const GET: RawSelection<'_> = RawSelection::Get { key: "R0000000001" };

static NO_CURSOR: Bytes = Bytes::new();

fn query(filter: &str) -> RawSelection<'_> {
    RawSelection::Query {
        filter,
        order_by: "",
        limit: 0,
        cursor: &NO_CURSOR,
    }
}

fn claim(field: &str, value: &str) -> pb::Claim {
    let kind = pb::value::Kind::Text(value.to_owned());
    pb::Claim {
        field: field.to_owned(),
        value: Some(pb::Value { kind: Some(kind) }),
    }
}

/// Tax's assessment system asks for residents.
fn assessment<'a>(fields: &'a [&'a str], selection: RawSelection<'a>) -> Ask<'a> {
    Ask {
        who: ("tax", "assessment"),
        record: "civil.v1.Resident",
        purpose: "tax-assessment",
        fields,
        selection,
    }
}

#[test]
fn the_sample_policy_compiles_at_every_department() {
    for department in ["civil", "tax", "market"] {
        let faults = policy_with(department, "", "").err().unwrap_or_default();
        assert!(faults.is_empty(), "{department}: {faults:#?}");
    }
}

#[test]
fn both_parties_permit_what_the_clients_ask() {
    for policy in [policy_of("civil"), policy_of("tax")] {
        let asks = [
            assessment(&[], GET),
            assessment(&["full_name"], query("address.district == \"Nanming\"")),
            assessment(&[], query("national_id == \"990001199001010015\"")),
        ];
        for ask in asks {
            let permit = ask.of(&policy, NIGHT).unwrap();
            assert_eq!(permit.agreement().id.as_str(), "CIV-TAX-2026-01");
        }
        let count = assessment(&[], RawSelection::Count { filter: "" });
        assert_eq!(count.of(&policy, NOON).unwrap().released().len(), 0);
    }
}

#[test]
fn what_the_demo_shows_refused_is_refused() {
    let refused = |ask: Ask<'_>| ask.of(&policy_of("civil"), NOON).unwrap_err();
    let reason = |ask: Ask<'_>| refused(ask).to_string();
    assert_eq!(
        reason(assessment(&["resident_id", "phone"], GET)),
        "agreement CIV-TAX-2026-01 does not release the field `phone`"
    );
    let curious = Ask {
        purpose: "curiosity",
        ..assessment(&[], GET)
    };
    assert!(matches!(refused(curious), Denial::PurposeNotAgreed { .. }));
    let attack = assessment(&[], query("birth_date < \"1980\""));
    assert!(matches!(refused(attack), Denial::FilterNotAllowed { .. }));
    let household = Ask {
        who: ("market", "register"),
        record: "civil.v1.Household",
        ..assessment(&[], RawSelection::Get { key: "H000000001" })
    };
    assert!(matches!(refused(household), Denial::NoAgreement { .. }));
    let other_system = Ask {
        who: ("tax", "archive"),
        ..assessment(&[], GET)
    };
    assert!(matches!(
        refused(other_system),
        Denial::SystemNotGranted { .. }
    ));
}

#[test]
fn verifying_is_all_that_market_supervision_may_do() {
    let claims = [
        claim("name", "示例鑫源百货有限公司"),
        claim("credit_rating", "CREDIT_RATING_A"),
    ];
    let standing = |selection| Ask {
        who: ("market", "register"),
        record: "tax.v1.Taxpayer",
        purpose: "deregistration",
        fields: &[],
        selection,
    };
    let key = "91990001MA00000155";
    let verify = RawSelection::Verify {
        key,
        claims: &claims,
    };
    assert!(standing(verify).of(&policy_of("tax"), NOON).is_ok());
    let denial = standing(RawSelection::Get { key }).of(&policy_of("tax"), NOON);
    assert!(matches!(denial, Err(Denial::ModeNotGranted { .. })));

    let claims = [
        claim("full_name", "王芳"),
        claim("national_id", "990001199001010015"),
    ];
    let identity = Ask {
        who: ("market", "register"),
        record: "civil.v1.Resident",
        purpose: "business-registration",
        fields: &[],
        selection: RawSelection::Verify {
            key: "R0000000001",
            claims: &claims,
        },
    };
    assert!(identity.of(&policy_of("civil"), NOON).is_ok());
}

/// Each agreement is widened until a guardrail stands in the way.
#[test]
fn no_agreement_overrides_a_guardrail() {
    let forbidden_by = |department, passage, otherwise, ask: Ask<'_>, at| {
        let policy = policy_with(department, passage, otherwise).unwrap();
        match ask.of(&policy, at) {
            Err(Denial::Guardrail { id, .. }) => id,
            other => panic!("{:?}", other.map(|permit| permit.agreement().id.clone())),
        }
    };
    let in_clear = "unmasked    = [\"national_id\"]";
    let at_night = forbidden_by(
        "civil",
        "unmasked    = [] ",
        in_clear,
        assessment(&[], GET),
        NIGHT,
    );
    assert_eq!(at_night, "sensitive-fields-in-office-hours");
    let widened = policy_with("civil", "unmasked    = [] ", in_clear).unwrap();
    assert!(assessment(&[], GET).of(&widened, NOON).is_ok());

    let ethnic = forbidden_by(
        "civil",
        "\"address.district\"]\nunmasked    = [] ",
        "\"ethnic_group\"]\nunmasked    = [\"ethnic_group\"] ",
        assessment(&[], GET),
        NOON,
    );
    assert_eq!(ethnic, "ethnic-group-stays-home");

    let bulk = forbidden_by(
        "civil",
        "= 1000\n",
        "= 20000\n",
        assessment(&[], query("")),
        NOON,
    );
    assert_eq!(bulk, "no-bulk-personal-data");

    let collected = forbidden_by(
        "civil",
        "\"civil.v1.Resident\"\nmodes        = [\"verify\"]\nfields       = []",
        "\"civil.v1.Resident\"\nmodes = [\"get\"]\nfields = [\"national_id\"]\nunmasked = [\"national_id\"]",
        Ask {
            who: ("market", "register"),
            purpose: "business-registration",
            ..assessment(&[], GET)
        },
        NOON,
    );
    assert_eq!(collected, "identity-numbers-masked-for-market");

    let income = forbidden_by(
        "tax",
        "modes       = [\"query\"]",
        "modes = [\"query\"]\nunmasked = [\"assessed_income\"]",
        Ask {
            who: ("civil", "welfare"),
            record: "tax.v1.Taxpayer",
            purpose: "social-assistance",
            ..assessment(&[], query(""))
        },
        NOON,
    );
    assert_eq!(income, "income-stays-with-tax");
}
