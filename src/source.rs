//! Where records come from: a database or a service of the department, or the peer that has them.

pub mod channel;
pub mod import;
pub mod peer;
mod reading;
pub mod service;
pub mod sql;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::digest::Digest;
use crate::fault::Fault;
use crate::identity::directory::Directory;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::registry::Registry;
use crate::registry::filter::Filter;
use crate::registry::query::question::Question;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;
use peer::PeerRows;
use peer::channel::Peers;
use peer::evidence::Evidence;
use peer::refusal::PeerRefusal;
use reading::Reading;
use service::ServiceSource;
use sql::Position;
use sql::SqlBindings;
use sql::SqlSource;

/// Where every record type of a registry comes from, as one gateway sees it. Made anew with each registry.
#[derive(Debug)]
pub struct Sources {
    /// Of this department's own records.
    own: Vec<OwnSource>,
    /// The index of each record type's source among them.
    homes: HashMap<RecordType, usize>,
    peers: Arc<Peers>,
    directory: Arc<Directory>,
}

#[derive(Debug)]
enum OwnSource {
    Database(SqlBindings),
    Service(ServiceSource),
}

/// What goes along with a permit: to the database a place to go on from, to a peer the question in its own words.
/// Holds personal data, which its `Debug` does not show.
pub struct Terms {
    pub exchange: ExchangeId,
    pub nonce: [u8; 32],
    pub grounds: pb::Grounds,
    /// The asking system's name.
    pub system: String,
    /// The name of this gateway's journal.
    pub journal: String,
    /// Of the record type's package, as this gateway has it.
    pub revision: Option<Digest>,
    /// How long the answer may take to begin.
    pub deadline: Duration,
    pub traceparent: String,
    pub question: Question,
    /// Where an earlier answer stopped.
    pub after: Option<Position>,
}

/// What a source gives: records of this department, or what another's gateway made of them.
#[derive(Debug)]
pub enum SourceAnswer {
    Records(Records),
    Verdicts(Vec<pb::Verdict>, Evidence),
    Count(pb::CountRecordsResponse, Evidence),
}

impl Sources {
    /// Binds the record types that this department provides to its sources. None of them is asked yet.
    pub fn bind(
        registry: &Registry,
        databases: &[SqlSource],
        services: &[ServiceSource],
        peers: Arc<Peers>,
        directory: Arc<Directory>,
    ) -> Result<Self, Vec<Fault>> {
        let (mut own, mut faults) = (Vec::new(), Vec::new());
        for database in databases {
            match database.bind(registry) {
                Ok(bindings) => own.push(OwnSource::Database(bindings)),
                Err(found) => faults.extend(found),
            }
        }
        for service in services {
            faults.extend(service.check(registry));
            own.push(OwnSource::Service(service.clone()));
        }
        let mut homes = HashMap::new();
        for (number, source) in own.iter().enumerate() {
            for record in source.records() {
                if let Some(other) = homes.insert(record.clone(), number) {
                    let other = own.get(other).map(OwnSource::key).unwrap_or_default();
                    faults.push(source.provides_again(record, &other));
                }
            }
        }
        if faults.is_empty() {
            Ok(Self {
                own,
                homes,
                peers,
                directory,
            })
        } else {
            Err(faults)
        }
    }

    /// This department's own sources, by their keys in the settings, each with the record types that it has.
    pub fn own(&self) -> impl Iterator<Item = (String, Vec<&RecordType>)> {
        self.own
            .iter()
            .map(|source| (source.key(), source.records().collect()))
    }

    /// Compares every mapping with its live table, and calls every service: the faults, and the sources that could not
    /// be asked, by their keys in the settings.
    pub async fn check(&self) -> (Vec<Fault>, Vec<(String, SourceError)>) {
        let (mut faults, mut unasked) = (Vec::new(), Vec::new());
        for source in &self.own {
            let checked = match source {
                OwnSource::Database(bindings) => bindings.check().await,
                OwnSource::Service(service) => service.reach().await.map(|()| Vec::new()),
            };
            match checked {
                Ok(found) => faults.extend(found),
                Err(error) => unasked.push((source.key(), error)),
            }
        }
        (faults, unasked)
    }

    /// The first field of which a row rule asks an order that it has not in its database.
    pub fn unordered(&self, record: &RecordType, rows: &Filter) -> Option<FieldPath> {
        let home = self
            .homes
            .get(record)
            .and_then(|&number| self.own.get(number))?;
        match home {
            OwnSource::Database(bindings) => bindings.unordered(record, rows.expr()),
            OwnSource::Service(_) => None,
        }
    }

    /// What fits the live tables today and may not fit one day, as far as `check` has looked at them.
    pub fn warnings(&self) -> Vec<Fault> {
        let warnings = self.own.iter().map(|source| match source {
            OwnSource::Database(bindings) => bindings.warnings(),
            OwnSource::Service(_) => Vec::new(),
        });
        warnings.flatten().collect()
    }

    /// The record types that this department can answer for, each with the latest value that tells how fresh it is, as far
    /// as its source says. A source that cannot be asked now says nothing.
    pub async fn offers(&self, registry: &Registry) -> Vec<(RecordType, Option<Literal>)> {
        let mut offers = Vec::new();
        for source in &self.own {
            let records: Vec<_> = source.records().cloned().collect();
            for record in records {
                let Ok(schema) = registry.record(record.as_str()) else {
                    continue;
                };
                let newest = match source {
                    OwnSource::Database(bindings) => bindings.newest(schema).await,
                    OwnSource::Service(_) => Ok(None),
                };
                let newest = newest.unwrap_or_else(|error| {
                    tracing::debug!(%record, %error, "how fresh its records are cannot be told");
                    None
                });
                offers.push((record, newest));
            }
        }
        offers
    }

    /// Fetches what the permit allows, from this department's source or from the provider's gateway.
    ///
    /// What waits for either is large. It is boxed here, where it is least: every layer above would copy it whole.
    pub async fn fetch(&self, permit: Permit, terms: Terms) -> Result<SourceAnswer, SourceError> {
        let schema = permit.query().schema.clone();
        match permit.role() {
            Role::Provider => {
                let home = self.homes.get(schema.name());
                match home.and_then(|&number| self.own.get(number)) {
                    Some(OwnSource::Database(bindings)) => {
                        Box::pin(bindings.fetch(permit, terms.after)).await
                    }
                    Some(OwnSource::Service(service)) => {
                        Box::pin(service.fetch(permit, &terms.question, terms.after)).await
                    }
                    None => Err(SourceError::NoSource(schema.name().clone())),
                }
                .map(SourceAnswer::Records)
            }
            Role::Consumer => {
                let (own, provider) = (permit.consumer(), schema.owner());
                let department = self.directory.other(own, provider);
                let department =
                    department.ok_or_else(|| SourceError::NotAMember(schema.owner().clone()))?;
                Box::pin(peer::fetch(self.peers.channel(department), permit, terms)).await
            }
        }
    }
}

impl OwnSource {
    fn records(&self) -> Box<dyn Iterator<Item = &RecordType> + '_> {
        match self {
            Self::Database(bindings) => Box::new(bindings.records()),
            Self::Service(service) => Box::new(service.settings().records.iter()),
        }
    }

    /// Where the settings have it.
    fn key(&self) -> String {
        match self {
            Self::Database(bindings) => format!("source[{}]", bindings.name()),
            Self::Service(service) => format!("service[{}]", service.settings().name),
        }
    }

    fn provides_again(&self, record: &RecordType, other: &str) -> Fault {
        let message = format!("{record} comes from {other} already; take it out of one of them");
        Fault::of_setting(self.key(), message)
    }
}

impl SourceAnswer {
    /// The records, where records were asked for.
    pub fn into_records(self) -> Result<Records, SourceError> {
        match self {
            Self::Records(records) => Ok(records),
            Self::Verdicts(..) | Self::Count(..) => Err(SourceError::Garbled("no records")),
        }
    }
}

/// Records as a source gives them, still to be redacted, with the permit under which they were fetched.
///
/// Nothing is read before it is asked for, and dropping it frees the source at once.
pub struct Records {
    permit: Permit,
    cursor: Cursor,
    /// What the answer of another department's gateway rests on.
    evidence: Option<Evidence>,
}

enum Cursor {
    Own(Reading),
    Peer(Box<PeerRows>),
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    fn new(permit: Permit, cursor: Cursor) -> Self {
        Self {
            permit,
            cursor,
            evidence: None,
        }
    }

    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// The next records, each encoded as its record type; `None` at the end. A batch is at most
    /// about 128 KiB from a database, and one message from a service or a peer.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        match &mut self.cursor {
            Cursor::Own(reading) => reading.next().await,
            Cursor::Peer(rows) => rows.next().await,
        }
    }

    /// Of the provider's closing entry, once the stream has ended.
    pub fn closing_receipt(&self) -> Option<&pb::Receipt> {
        match &self.cursor {
            Cursor::Own(_) => None,
            Cursor::Peer(rows) => rows.closing_receipt(),
        }
    }

    /// Where a further question goes on, as the provider's gateway tells it at the end of its answer.
    pub async fn next_cursor(&mut self) -> Result<Bytes, SourceError> {
        let Cursor::Peer(rows) = &mut self.cursor else {
            return Ok(Bytes::new());
        };
        rows.next_cursor().await
    }
}

/// Why a source could not answer. `Display` is for the operator and holds no value of a record.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the source cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the source took longer than {0:?}")]
    Timeout(Duration),
    #[error("a record of the source does not fit its schema: {0}")]
    Misfit(String),
    #[error("{}", goes_by_characters(.0))]
    Unordered(FieldPath),
    #[error("the source failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no source is set for {0}; add it to a [[source]] or a [[service]] of the settings")]
    NoSource(RecordType),
    #[error("the directory does not have `{0}`")]
    NotAMember(DepartmentId),
    #[error("the provider's gateway cannot be reached: {0}")]
    PeerUnreachable(String),
    #[error("the provider's gateway did not answer in time")]
    PeerTimeout,
    #[error("the provider refused: {} ({})", .0.message, .0.reason)]
    Refused(Box<PeerRefusal>),
    #[error("the provider's gateway sent {0}")]
    Garbled(&'static str),
}

/// What is said of a field that has no order in its database.
pub fn goes_by_characters(field: &FieldPath) -> String {
    format!(
        "`{field}` has no order in the provider's database as its values have: ask for `==` or `in`; where it is a text that holds a decimal number, its schema may say so (`format: TEXT_FORMAT_DECIMAL`)"
    )
}

impl From<Malformed> for SourceError {
    /// Bytes that are no record of their schema are the provider's error, and are never passed on.
    fn from(malformed: Malformed) -> Self {
        Self::Misfit(malformed.to_string())
    }
}

impl SourceError {
    /// The stable reason, for `google.rpc.ErrorInfo` and for the journal.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unavailable(_) => "SOURCE_UNAVAILABLE",
            Self::Timeout(_) => "SOURCE_TIMEOUT",
            Self::Misfit(_) => "SOURCE_MISFIT",
            Self::Unordered(_) => "FIELD_UNORDERED",
            Self::Failed(_) => "SOURCE_FAILED",
            Self::NoSource(_) => "NO_SOURCE",
            Self::NotAMember(_) => "NOT_IN_DIRECTORY",
            Self::PeerUnreachable(_) => "PEER_UNREACHABLE",
            Self::PeerTimeout => "PEER_TIMEOUT",
            Self::Refused(refusal) => &refusal.reason,
            Self::Garbled(_) => "PEER_GARBLED",
        }
    }

    /// What whoever asked may know: nothing of the department's inner works.
    pub fn for_asker(&self) -> String {
        match self {
            Self::Unavailable(_) | Self::NoSource(_) => {
                "the provider's records cannot be reached now".to_owned()
            }
            Self::Timeout(_) => "the provider's records took too long".to_owned(),
            Self::Misfit(_) => "a record of the provider does not fit its schema".to_owned(),
            Self::Failed(_) => "the provider's records could not be read".to_owned(),
            Self::PeerUnreachable(_) => "the provider's gateway cannot be reached now".to_owned(),
            Self::Refused(refusal) => refusal.message.clone(),
            Self::Unordered(_) | Self::NotAMember(_) | Self::PeerTimeout | Self::Garbled(_) => {
                self.to_string()
            }
        }
    }
}
