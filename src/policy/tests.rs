//! What the tests of policy share: the sample registry, one agreement, questions.

mod always;
mod around;
mod decision;

use std::path::Path;
use std::sync::LazyLock;

use time::OffsetDateTime;
use time::macros::datetime;

use super::PolicyFile;
use super::PolicyInput;
use super::PolicySet;
use super::decision::Denial;
use super::decision::Permit;
use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::Caller;
use crate::name::SystemName;
use crate::pb;
use crate::registry::Registry;
use crate::registry::query::Mode;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::compile(Path::new("proto/registry")).unwrap());

pub(super) const AGREEMENT: &str = r#"
id          = "CIV-TAX-2026-01"
title       = "Resident look-up for tax assessment"
provider    = "civil"
consumer    = "tax"
legal_basis = "Tax Collection Administration Law, art. 6"
accountable = "Data Office, Civil Affairs"
valid_from  = 2026-01-01
valid_until = 2027-12-31
purposes    = ["tax-assessment", "arrears"]

[[grant]]
record      = "civil.v1.Resident"
modes       = ["get", "query", "verify", "count"]
fields      = ["resident_id", "full_name", "national_id", "birth_date", "address", "status"]
mask        = { full_name = "keep-first:1" }
lookup      = ["national_id", "household_id"]
rows        = 'address.district == "Nanming"'
systems     = ["assessment"]
max_records = 100
rate        = "5/s"
daily       = 10
verify_tries = 3
"#;

/// Noon of a Monday.
pub(super) const NOON: OffsetDateTime = datetime!(2026-06-01 12:00 +8);

pub(super) fn registry() -> &'static Registry {
    &REGISTRY
}

pub(super) fn moment(at: OffsetDateTime) -> Moment {
    Moment::from_micros((at.unix_timestamp_nanos() / 1_000) as i64)
}

pub(super) fn file(path: &str, text: &str) -> PolicyFile {
    PolicyFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

/// The policy of one department's gateway.
pub(super) fn compile_at(
    department: &str,
    agreements: &[&str],
    guardrails: &[&str],
) -> Result<PolicySet, Vec<Fault>> {
    let files = |texts: &[&str], extension: &str| -> Vec<_> {
        let numbered = texts.iter().enumerate();
        numbered
            .map(|(n, text)| file(&format!("{n}.{extension}"), text))
            .collect()
    };
    PolicySet::compile(&PolicyInput {
        department: &department.parse().unwrap(),
        departments: &["civil", "tax", "market"].map(|d| d.parse().unwrap()),
        registry: registry(),
        agreements: &files(agreements, "toml"),
        guardrails: &files(guardrails, "cedar"),
        offset: NOON.offset(),
        before: None,
    })
}

pub(super) fn policy(agreements: &[&str], guardrails: &[&str]) -> PolicySet {
    compile_at("civil", agreements, guardrails).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

pub(super) fn faults(agreement: &str) -> Vec<String> {
    let faults = compile_at("civil", &[agreement], &[]).map(drop);
    faults
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

pub(super) fn caller(department: &str, system: &str) -> Caller {
    let system = (!system.is_empty()).then(|| system.parse::<SystemName>().unwrap());
    Caller::assumed(department.parse().unwrap(), system)
}

pub(super) fn assessment() -> Caller {
    caller("tax", "assessment")
}

/// A question as a test states it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) record: &'static str,
    pub(super) purpose: &'static str,
    pub(super) fields: Vec<String>,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Get,
    Query {
        filter: String,
        order: &'static str,
        limit: u32,
    },
    Verify(Vec<&'static str>),
    Count(String),
}

pub(super) fn ask(what: What) -> Question {
    Question {
        record: "civil.v1.Resident",
        purpose: "arrears",
        fields: Vec::new(),
        what,
    }
}

pub(super) fn filtered(filter: &str) -> Question {
    ask(What::Query {
        filter: filter.to_owned(),
        order: "",
        limit: 0,
    })
}

pub(super) fn ordered(order: &'static str) -> Question {
    ask(What::Query {
        filter: String::new(),
        order,
        limit: 0,
    })
}

impl Question {
    pub(super) fn fields(mut self, fields: &[&str]) -> Self {
        self.fields = fields.iter().map(|&f| f.to_owned()).collect();
        self
    }

    pub(super) fn purpose(mut self, purpose: &'static str) -> Self {
        self.purpose = purpose;
        self
    }

    pub(super) fn query(&self) -> Query {
        let claim = |field: &&str| pb::Claim {
            field: (*field).to_owned(),
            value: Some(pb::Value {
                kind: Some(pb::value::Kind::Text("x".to_owned())),
            }),
        };
        let claims: Vec<_> = match &self.what {
            What::Verify(fields) => fields.iter().map(claim).collect(),
            _ => Vec::new(),
        };
        let selection = match &self.what {
            What::Get => RawSelection::Get { key: "R1" },
            What::Query {
                filter,
                order,
                limit,
            } => RawSelection::Query {
                filter,
                order_by: order,
                limit: *limit,
                cursor: &bytes::Bytes::new(),
            },
            What::Verify(_) => RawSelection::Verify {
                key: "R1",
                claims: &claims,
            },
            What::Count(filter) => RawSelection::Count { filter },
        };
        let raw = Raw {
            purpose: self.purpose,
            fields: &self.fields,
            selection,
        };
        Query::check(registry().record(self.record).unwrap(), &raw).unwrap()
    }
}

pub(super) fn decide(policy: &PolicySet, question: &Question) -> Result<Permit, Denial> {
    policy.decide(&assessment(), question.query(), moment(NOON))
}

/// `path` or `path:mask`, as the permit has them.
pub(super) fn released(permit: &Permit) -> Vec<String> {
    let named = permit.released().iter().map(|r| match r.mask {
        Some(mask) => format!("{}:{mask}", r.field.path()),
        None => r.field.path().to_string(),
    });
    named.collect()
}
