//! Settings: from files and environment to values that cannot be wrong, with every fault at once.

mod console;
mod corrections;
mod faults;
mod operators;
mod quantity;
mod paths;
mod raw;
mod reconciliation;
mod registry;
pub mod retention;
mod source;
pub mod subjects;

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use time::UtcOffset;

use crate::console::ConsoleConfig;
use crate::correction::calendar::Calendar;
use crate::door::operators::hosts::Hosts;
use crate::fault::Fault;
use crate::identity::material::MaterialPaths;
use crate::journal::retention::Retention;
use crate::mode;
use crate::name::DepartmentId;
use crate::name::Origin;
use crate::name::TrustDomain;
use crate::reading::reader::Readers;
use crate::reading::visibility::Visibility;
use crate::source::service::settings::ServiceSettings;
use crate::source::sql::settings::DatabaseUrl;
use crate::source::sql::settings::SqlSettings;

/// The settings of one gateway. Relative paths have been made absolute against the file's folder.
#[derive(Debug, Clone)]
pub struct Config {
    pub file: PathBuf,
    pub department: DepartmentId,
    /// Where the agreements' days begin and end.
    pub offset: UtcOffset,
    pub trust_domain: TrustDomain,
    pub directory: PathBuf,
    pub systems: DoorConfig,
    pub peers: DoorConfig,
    pub operators: OperatorsConfig,
    /// Pages for people; none without it.
    pub console: Option<ConsoleConfig>,
    /// What people are told of who received their data; nothing without it.
    pub subjects: Option<Visibility>,
    pub registry: PathBuf,
    pub publication: PublicationConfig,
    pub corrections: CorrectionsConfig,
    pub agreements: PathBuf,
    pub guardrails: PathBuf,
    pub journal: JournalConfig,
    pub reconciliation: ReconciliationConfig,
    pub witness: WitnessConfig,
    pub retention: Retention,
    pub log: LogConfig,
    pub limits: Limits,
    pub sources: Vec<SourceConfig>,
    pub services: Vec<ServiceSettings>,
}

/// The door for those who run and audit the gateway: plain HTTP, on loopback only.
#[derive(Debug, Clone)]
pub struct OperatorsConfig {
    pub listen: SocketAddr,
    pub readers: Readers,
    /// The names that it is reached by.
    pub hosts: Hosts,
}

/// A database that records come from.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    pub url: DatabaseUrl,
    pub settings: SqlSettings,
}

/// A door that asks for certificates.
#[derive(Debug, Clone)]
pub struct DoorConfig {
    pub listen: SocketAddr,
    pub material: MaterialPaths,
}

#[derive(Debug, Clone)]
pub struct JournalConfig {
    pub path: PathBuf,
    /// The signing key, made at the first start.
    pub key: PathBuf,
    /// The second signing key, ML-DSA-44, beside the first: `journal-pq.key`. Made at the first start.
    pub post_quantum_key: PathBuf,
    /// The secret of pseudonyms and cursors, made at the first start.
    pub secret: PathBuf,
    /// The folder of the monthly keys of subject tags.
    pub subjects: PathBuf,
    /// How long a commit waits for company.
    pub linger: Duration,
    /// The replica's number: each replica has its own journal.
    pub replica: u32,
    pub segment_bytes: u64,
    /// How long exchanges are answered while no checkpoint can be published.
    pub max_unpublished_age: Duration,
    /// Whether to go on without secrets that were lost: the command line says so.
    pub accept_lost: bool,
}

/// Published revisions of the registry's packages.
#[derive(Debug, Clone)]
pub struct PublicationConfig {
    /// The folder that keeps them.
    pub path: PathBuf,
    /// How often the other departments are asked for new ones: from a second on.
    pub sync: Duration,
}

/// Corrections that this department files and answers.
#[derive(Debug, Clone)]
pub struct CorrectionsConfig {
    /// The SQLite file that has them.
    pub path: PathBuf,
    /// By which an answer is due.
    pub calendar: Calendar,
    /// How long what is closed is kept.
    pub keep: Duration,
}

/// When this department's journal is compared with those of the departments that it asks.
#[derive(Debug, Clone, Copy)]
pub struct ReconciliationConfig {
    /// The span of time whose exchanges are compared at once: from a second to an hour.
    pub window: Duration,
    /// How long after its end, so that late entries are in.
    pub after: Duration,
}

/// The witnesses of the own journal, and the own witness of the others' journals.
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// Which witnesses the own journal wants; without it none are asked.
    pub policy: Option<PathBuf>,
    /// The key that cosigns the others' checkpoints, made at the first start.
    pub key: PathBuf,
    /// What it has cosigned.
    pub state: PathBuf,
    /// How old an entry may be that no quorum has cosigned, before nothing more is answered.
    pub max_unwitnessed_age: Duration,
    /// Whether a start waits for the witnesses, and answers end when they fall silent. Only the command line says no.
    pub demanded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A level, or a filter such as `info,landbridge::door=debug`.
    pub level: String,
}

/// What keeps one client from taking all.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at each door.
    pub max_connections: usize,
    /// Connections at each door that have not shown who they are; and as many again from where others were let in.
    pub max_handshakes: usize,
    /// Requests under way on one connection.
    pub max_streams: u32,
    /// Requests under way at each door, streamed answers aside; beyond it they are refused at once.
    pub max_requests: usize,
    /// Streamed answers under way at each door.
    pub max_streamed_answers: usize,
    /// How long an exchange may take before fewer are let in.
    pub target_latency: Duration,
    /// Refusals of a peer within an hour that have an entry each in the journal.
    pub refusals_on_record: u64,
    /// The largest request, in bytes.
    pub max_message: usize,
    /// How long an answer may take to begin.
    pub deadline: Duration,
    /// How long a client may take nothing of a stream.
    pub stall: Duration,
    /// How long a stop waits for requests under way.
    pub drain: Duration,
}

impl Limits {
    /// File handles that the connections of the doors may take, and about as many as the rest of a gateway does.
    pub fn file_handles(&self) -> u64 {
        const REST: u64 = 1_024;
        let strangers = self.max_handshakes.saturating_mul(2);
        let at_a_door = self.max_connections.saturating_add(strangers);
        (at_a_door as u64).saturating_mul(2).saturating_add(REST)
    }
}

impl Config {
    /// Reads a settings file, with `LANDBRIDGE__…` from the environment over it.
    pub fn load(path: &Path) -> Result<Self, Vec<Fault>> {
        mode::check(path).map_err(|fault| vec![fault])?;
        let (raw, text) = raw::RawConfig::load(path)?;
        raw.check(path, &text)
    }

    /// Under which name this department's gateway cosigns.
    pub fn witness_name(&self) -> String {
        self.witness_name_of(&self.department)
    }

    /// Under which name another department's gateway cosigns.
    pub fn witness_name_of(&self, department: &DepartmentId) -> String {
        format!("{}/{department}/witness", self.trust_domain)
    }

    /// What this replica's journal is called.
    pub fn origin(&self) -> Origin {
        let (domain, department) = (self.trust_domain.clone(), self.department.clone());
        Origin::new(domain, department, self.journal.replica)
    }
}
