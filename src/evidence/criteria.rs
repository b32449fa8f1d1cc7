//! What an entry must be to be found.

use super::facet::Facet;
use super::facet::Mention;
use super::facet::Volume;
use super::facet::subject_bytes;
use super::facet::upward;
use super::hit::Hit;
use crate::clock::Moment;
use crate::journal::Kind;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::name::SystemName;
use crate::pb;
use crate::registry::query::Mode;

/// What is `None`, empty or 0 is left open.
#[derive(Clone, Default)]
pub struct Criteria {
    pub kind: Option<Kind>,
    /// The side of the exchange that the journal's gateway was on.
    pub role: Option<Role>,
    /// The consumer or the provider, or whose connection was turned away.
    pub peer: Option<DepartmentId>,
    pub consumer: Option<DepartmentId>,
    pub provider: Option<DepartmentId>,
    pub system: Option<SystemName>,
    /// As it stands in the record.
    pub officer: Option<String>,
    /// As it stands in the record.
    pub case_reference: Option<String>,
    pub purpose: Option<Purpose>,
    pub record_type: Option<RecordType>,
    pub mode: Option<Mode>,
    pub agreement: Option<AgreementId>,
    /// The beginning of a policy revision, in lower-case hexadecimal digits.
    pub policy_revision: Option<String>,
    /// A field that was released: as such, as a part of what was, or in part.
    pub field: Option<FieldPath>,
    /// Of a stream: how it ended.
    pub outcome: Option<Outcome>,
    /// As it stands in the record, e.g. `FIELD_NOT_GRANTED`.
    pub reason: Option<String>,
    /// The earliest time.
    pub since: Option<Moment>,
    /// The first time that is too late.
    pub until: Option<Moment>,
    pub exchange: Option<ExchangeId>,
    /// One of them is enough.
    pub subjects: Vec<pb::SubjectTag>,
    /// Tags of keys by which records were asked for, for entries that name no subject; one of them, or of the subjects, is
    /// enough.
    pub keys: Vec<[u8; 16]>,
    /// The least number of records.
    pub min_records: u64,
    /// The least number of bytes.
    pub min_bytes: u64,
    /// The least latency, in microseconds.
    pub min_latency_us: u64,
}

/// A value that one of an entry's facets must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::evidence) enum RequiredValue {
    Is(Facet, String),
    BeginsWith(Facet, String),
}

impl RequiredValue {
    fn fits(&self, facet: Facet, value: &str) -> bool {
        match self {
            Self::Is(wanted, text) => *wanted == facet && text == value,
            Self::BeginsWith(wanted, text) => *wanted == facet && value.starts_with(text.as_str()),
        }
    }
}

/// The criteria as the index and the reading of the journal judge by them.
pub(in crate::evidence) struct Demands {
    /// Of each list, one.
    pub(in crate::evidence) facets: Vec<Vec<RequiredValue>>,
    /// Of each list, one.
    pub(in crate::evidence) mentions: Vec<Vec<(Mention, Vec<u8>)>>,
    pub(in crate::evidence) at_least: Volume,
    pub(in crate::evidence) exchange: Option<ExchangeId>,
    pub(in crate::evidence) since: Option<Moment>,
    pub(in crate::evidence) until: Option<Moment>,
}

impl Criteria {
    /// Whether every entry fits.
    pub(in crate::evidence) fn is_open(&self) -> bool {
        let Demands {
            facets,
            mentions,
            at_least,
            exchange,
            since,
            until,
        } = self.demands();
        facets.is_empty()
            && mentions.is_empty()
            && at_least == Volume::default()
            && exchange.is_none()
            && since.is_none()
            && until.is_none()
    }

    pub(in crate::evidence) fn demands(&self) -> Demands {
        Demands {
            facets: self.wanted_facets(),
            mentions: self.wanted_mentions(),
            at_least: Volume {
                records: self.min_records,
                bytes: self.min_bytes,
                latency_us: self.min_latency_us,
            },
            exchange: self.exchange,
            since: self.since,
            until: self.until,
        }
    }

    fn wanted_facets(&self) -> Vec<Vec<RequiredValue>> {
        let one = |facet, text: Option<&str>| {
            text.map(|text| vec![RequiredValue::Is(facet, text.to_owned())])
        };
        let mut wanted: Vec<_> = [
            one(Facet::Kind, self.kind.map(Kind::as_str)),
            one(Facet::Role, self.role.map(Role::as_str)),
            one(Facet::Outcome, self.outcome.map(Outcome::as_str)),
            one(Facet::Peer, self.peer.as_ref().map(DepartmentId::as_str)),
            one(
                Facet::Consumer,
                self.consumer.as_ref().map(DepartmentId::as_str),
            ),
            one(
                Facet::Provider,
                self.provider.as_ref().map(DepartmentId::as_str),
            ),
            one(Facet::System, self.system.as_ref().map(SystemName::as_str)),
            one(Facet::Purpose, self.purpose.as_ref().map(Purpose::as_str)),
            one(
                Facet::RecordType,
                self.record_type.as_ref().map(RecordType::as_str),
            ),
            one(Facet::Mode, self.mode.map(Mode::as_str)),
            one(
                Facet::Agreement,
                self.agreement.as_ref().map(AgreementId::as_str),
            ),
            one(Facet::Reason, self.reason.as_deref()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(revision) = &self.policy_revision {
            wanted.push(vec![RequiredValue::BeginsWith(
                Facet::PolicyRevision,
                revision.clone(),
            )]);
        }
        wanted.extend(self.field.as_ref().map(field));
        wanted
    }

    fn wanted_mentions(&self) -> Vec<Vec<(Mention, Vec<u8>)>> {
        let one = |mention, text: &Option<String>| {
            text.as_ref()
                .map(|text| vec![(mention, text.as_bytes().to_vec())])
        };
        let subjects = self
            .subjects
            .iter()
            .map(|tag| (Mention::Subject, subject_bytes(tag)));
        let keys = self.keys.iter().map(|tag| (Mention::Key, tag.to_vec()));
        let persons: Vec<_> = subjects.chain(keys).collect();
        let mut wanted = Vec::new();
        if !persons.is_empty() {
            wanted.push(persons);
        }
        wanted.extend(one(Mention::CaseReference, &self.case_reference));
        wanted.extend(one(Mention::Officer, &self.officer));
        wanted
    }
}

/// The field itself or a part of it was released, or a message that it lies in was released whole.
fn field(path: &FieldPath) -> Vec<RequiredValue> {
    let around = upward(path.as_str())
        .skip(1)
        .map(|around| RequiredValue::Is(Facet::Field, around.to_owned()));
    std::iter::once(RequiredValue::Is(Facet::WithinField, path.to_string()))
        .chain(around)
        .collect()
}

impl Demands {
    /// What can be said without reading the record.
    pub(super) fn leaf_fits(&self, leaf: &Leaf) -> bool {
        self.since.is_none_or(|since| leaf.time >= since)
            && self.until.is_none_or(|until| leaf.time < until)
            && self
                .exchange
                .is_none_or(|exchange| leaf.exchange == Some(exchange))
    }

    pub(super) fn fits(&self, hit: &Hit) -> bool {
        self.leaf_fits(&hit.leaf)
            && hit.volume().reaches(&self.at_least)
            && self.facets_fit(hit)
            && self.mentions_fit(hit)
    }

    fn facets_fit(&self, hit: &Hit) -> bool {
        let mut open: Vec<_> = self.facets.iter().collect();
        if !open.is_empty() {
            hit.each_facet(|facet, value| {
                open.retain(|any| !any.iter().any(|wanted| wanted.fits(facet, value)));
            });
        }
        open.is_empty()
    }

    fn mentions_fit(&self, hit: &Hit) -> bool {
        let mut open: Vec<_> = self.mentions.iter().collect();
        if !open.is_empty() {
            hit.each_mention(|mention, value| {
                open.retain(|any| {
                    !any.iter()
                        .any(|(wanted, bytes)| *wanted == mention && bytes == value)
                });
            });
        }
        open.is_empty()
    }
}

impl Volume {
    fn reaches(&self, least: &Self) -> bool {
        self.records >= least.records
            && self.bytes >= least.bytes
            && self.latency_us >= least.latency_us
    }
}

/// Nothing of it is shown: it may name people.
impl std::fmt::Debug for Criteria {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Criteria(..)")
    }
}
