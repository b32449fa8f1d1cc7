//! What is handed to the journal, and what comes back when it is durable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::AppendError;
use super::IS_NULL;
use super::edge::Commit;
use super::frame::ENTRY_OVERHEAD;
use super::frame::MAX_RECORD_BYTES;
use super::leaf;
use super::leaf::Kind;
use super::leaf::LEAF_BYTES;
use super::leaf::Leaf;
use super::leaf::Outcome;
use super::leaf::PeerEntry;
use super::leaf::Role;
use super::policies::Changes;
use super::salt;
use super::writer::AfterCommit;
use super::writer::Pending;
use crate::clock::Moment;
use crate::digest::Digest;
use crate::digest::record_commitment;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::merkle::Hash;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// The most bytes of what an entry tells of a policy or a registry.
const MAX_DETAIL: usize = 16 * 1024;

/// An entry to be written. Its time is that of the commit.
#[derive(Clone)]
pub struct Entry {
    pub kind: Kind,
    pub role: Role,
    pub outcome: Outcome,
    pub exchange: Option<ExchangeId>,
    /// Zero if the kind has none.
    pub exchange_digest: Digest,
    /// The provider's entry of the same exchange, at the consumer.
    pub peer: Option<PeerLeaf>,
    pub record: pb::JournalRecord,
}

/// An entry of another gateway's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerLeaf {
    pub origin: String,
    pub index: u64,
    pub leaf_hash: Hash,
}

/// Evidence that an entry is durable. Only the journal makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    pub(super) commit: Arc<Commit>,
    pub(super) index: u64,
    pub(super) leaf: [u8; LEAF_BYTES],
}

impl Entry {
    /// Connections that were turned away, one or more. `peer` is the SPIFFE id that their certificate carries.
    pub fn connections(peer: String, door: &str, reason: &str, times: u64) -> Self {
        let record = journal_record::Kind::Connection(pb::ConnectionRecord {
            peer,
            door: door.to_owned(),
            reason: reason.to_owned(),
            times: if times == 1 { 0 } else { times },
        });
        Self::of_gateway(Kind::Connection, Outcome::Denied, record)
    }

    /// A policy that took effect; `in_force` is the digest of the list of its parts, if that is kept.
    pub fn policy_applied(revision: &Digest, changes: Changes, in_force: Option<Digest>) -> Self {
        let detail = match changes.untold {
            0 => String::new(),
            more => format!("and {more} more"),
        };
        let record = journal_record::Kind::Policy(pb::PolicyRecord {
            revision: revision.to_vec().into(),
            applied: true,
            detail,
            changes: changes.changes,
            in_force: in_force.map_or_else(Bytes::new, |list| list.to_vec().into()),
        });
        Self::of_gateway(Kind::Policy, Outcome::Answered, record)
    }

    /// A policy that was refused, and why; the revision is the one that stays.
    pub fn policy_refused(revision: &Digest, mut why: String) -> Self {
        cut(&mut why);
        let record = journal_record::Kind::Policy(pb::PolicyRecord {
            revision: revision.to_vec().into(),
            applied: false,
            detail: why,
            changes: Vec::new(),
            in_force: Bytes::new(),
        });
        Self::of_gateway(Kind::Policy, Outcome::Denied, record)
    }

    /// The gateway, of this version, `stopped`.
    pub fn lifecycle(event: &str, version: &str) -> Self {
        Self::started(event, version, None, Vec::new())
    }

    /// The gateway, of this version, `started`, by the policy of that list if it is kept, and without those secrets.
    pub fn started(
        event: &str,
        version: &str,
        in_force: Option<Digest>,
        lost: Vec<String>,
    ) -> Self {
        let record = journal_record::Kind::Lifecycle(pb::LifecycleRecord {
            event: event.to_owned(),
            version: version.to_owned(),
            in_force: in_force.map_or_else(Bytes::new, |list| list.to_vec().into()),
            lost,
        });
        Self::of_gateway(Kind::Lifecycle, Outcome::Answered, record)
    }

    /// A revision of a package that was put in force, or refused.
    pub fn registry(mut record: pb::RegistryRecord) -> Self {
        cut(&mut record.detail);
        let outcome = match record.event() {
            pb::RegistryEvent::Published | pb::RegistryEvent::Adopted => Outcome::Answered,
            pb::RegistryEvent::Refused | pb::RegistryEvent::Unspecified => Outcome::Denied,
        };
        let record = journal_record::Kind::Registry(record);
        Self::of_gateway(Kind::Registry, outcome, record)
    }

    /// A step in the course of a correction.
    pub fn correction(record: pb::CorrectionRecord) -> Self {
        let record = journal_record::Kind::Correction(record);
        Self::of_gateway(Kind::Correction, Outcome::None, record)
    }

    /// What a comparison with a peer has shown.
    pub fn reconciliation(record: pb::ReconciliationRecord) -> Self {
        let outcome = match record.differing {
            0 if !record.uncompared.is_empty() => Outcome::NoAnswer,
            0 => Outcome::Answered,
            _ => Outcome::Denied,
        };
        let record = journal_record::Kind::Reconciliation(record);
        Self::of_gateway(Kind::Reconciliation, outcome, record)
    }

    /// Somebody read the journal.
    pub fn access(record: pb::AccessRecord) -> Self {
        let record = journal_record::Kind::Access(record);
        Self::of_gateway(Kind::Access, Outcome::Answered, record)
    }

    /// Somebody was refused who wanted in, or to read.
    pub fn refused_access(record: pb::AccessRecord) -> Self {
        let record = journal_record::Kind::Access(record);
        Self::of_gateway(Kind::Access, Outcome::Denied, record)
    }

    /// The records of these entries are about to be erased.
    pub fn erasure(record: pb::ErasureRecord) -> Self {
        let record = journal_record::Kind::Erasure(record);
        Self::of_gateway(Kind::Erasure, Outcome::Answered, record)
    }

    /// Nothing happened for a while.
    pub fn heartbeat() -> Self {
        let record = journal_record::Kind::Heartbeat(pb::HeartbeatRecord {});
        Self::of_gateway(Kind::Heartbeat, Outcome::None, record)
    }

    /// An event of the gateway itself: no exchange, no side.
    fn of_gateway(kind: Kind, outcome: Outcome, record: journal_record::Kind) -> Self {
        Self {
            kind,
            role: Role::None,
            outcome,
            exchange: None,
            exchange_digest: [0; 32],
            peer: None,
            record: pb::JournalRecord { kind: Some(record) },
        }
    }

    /// How a provider's leaf names the journal of the asking gateway.
    fn asker(&self) -> Option<[u8; 8]> {
        let origin = match &self.record.kind {
            Some(journal_record::Kind::Exchange(record)) => &record.peer_origin,
            Some(journal_record::Kind::StreamEnd(record)) => &record.peer_origin,
            _ => return None,
        };
        (self.role == Role::Provider && !origin.is_empty()).then(|| leaf::log_id(origin))
    }

    pub(super) fn pending(self, then: AfterCommit) -> Result<Pending, AppendError> {
        if IS_NULL {
            return Ok(self.bound(then, [0; 32], Vec::new(), [0; 32]));
        }
        let record = self.record.encode_to_vec();
        if record.len() > MAX_RECORD_BYTES {
            return Err(AppendError::TooLarge {
                bytes: record.len() + ENTRY_OVERHEAD,
            });
        }
        let salt = salt::fresh().map_err(|_| AppendError::NoRandomness)?;
        let commitment = record_commitment(&salt, &record);
        Ok(self.bound(then, salt, record, commitment))
    }

    fn took(&self) -> Duration {
        let micros = match &self.record.kind {
            Some(journal_record::Kind::Exchange(exchange)) => exchange.latency_us,
            _ => 0,
        };
        Duration::from_micros(micros)
    }

    fn bound(
        self,
        then: AfterCommit,
        salt: [u8; 32],
        record: Vec<u8>,
        commitment: Hash,
    ) -> Pending {
        let leaf = Leaf {
            kind: self.kind,
            role: self.role,
            outcome: self.outcome,
            time: Moment::from_micros(0),
            exchange: self.exchange,
            exchange_digest: self.exchange_digest,
            record_commitment: commitment,
            peer: self.peer.as_ref().map(|peer| PeerEntry {
                log: leaf::log_id(&peer.origin),
                index: peer.index,
                leaf_hash: peer.leaf_hash,
            }),
            asker: self.asker(),
        };
        Pending {
            leaf,
            salt,
            record,
            took: self.took(),
            then,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .field("role", &self.role)
            .field("outcome", &self.outcome)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

/// A broken file may have thousands of faults; an entry that is too long would be none.
fn cut(detail: &mut String) {
    detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
}

impl Receipt {
    /// The journal's name.
    pub fn origin(&self) -> &str {
        self.commit.checkpoint.origin()
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    /// The bytes that stand in the tree.
    pub fn leaf(&self) -> &[u8; LEAF_BYTES] {
        &self.leaf
    }

    pub fn leaf_hash(&self) -> Hash {
        leaf::leaf_hash(&self.leaf)
    }

    /// The checkpoint of the commit that the entry is in.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.commit.checkpoint
    }

    /// The leaf's siblings up to the root of that checkpoint, the lowest first. Worked out at each call.
    pub fn path(&self) -> Vec<Hash> {
        let size = self.commit.checkpoint.size();
        self.commit.edge.path(self.index, size)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("origin", &self.origin())
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl From<&Receipt> for pb::Receipt {
    fn from(receipt: &Receipt) -> Self {
        const HASH: usize = size_of::<Hash>();
        // One buffer for all of the path: each hash is a part of it.
        let path = Bytes::from(receipt.path().concat());
        let path = (0..path.len() / HASH).map(|n| path.slice(n * HASH..(n + 1) * HASH));
        Self {
            origin: receipt.origin().to_owned(),
            index: receipt.index,
            leaf: receipt.leaf.to_vec().into(),
            path: path.collect(),
            checkpoint: receipt.checkpoint().note().to_owned(),
        }
    }
}
