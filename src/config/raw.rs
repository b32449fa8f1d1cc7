//! The settings as they are written: every key is known, no value has been checked.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Config;
use super::DoorConfig;
use super::JournalConfig;
use super::Limits;
use super::LogConfig;
use super::LogFormat;
use super::WitnessConfig;
use super::console::RawConsole;
use super::corrections::RawCorrections;
use super::faults::Faults;
use super::operators::RawOperators;
use super::paths::beside;
use super::quantity::DURATION;
use super::quantity::SIZE;
use super::quantity::parse_offset;
use super::quantity::parse_size;
use super::reconciliation::RawReconciliation;
use super::registry::RawRegistry;
use super::retention::RawRetention;
use super::source;
use super::subjects::RawSubjects;
use crate::clock::parse_span;
use crate::console::ConsoleConfig;
use crate::door::admission::READING;
use crate::fault::Fault;
use crate::fault::position;
use crate::identity::material::MaterialPaths;
use crate::name::DepartmentId;
use crate::name::TrustDomain;
use crate::source::service::settings::ServiceSettings;
use crate::source::sql::settings::SqlSettings;
use crate::text;

/// Overrides single settings: `LANDBRIDGE__SYSTEMS__LISTEN=127.0.0.1:7000`.
const ENVIRONMENT: &str = "LANDBRIDGE";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    department: DepartmentId,
    #[serde(default = "utc")]
    utc_offset: String,
    federation: RawFederation,
    systems: RawDoor,
    peers: RawDoor,
    #[serde(default)]
    operators: RawOperators,
    console: Option<RawConsole>,
    registry: RawRegistry,
    policy: RawPolicy,
    journal: RawJournal,
    #[serde(default)]
    reconciliation: RawReconciliation,
    #[serde(default)]
    corrections: RawCorrections,
    #[serde(default)]
    retention: RawRetention,
    #[serde(default)]
    witness: RawWitness,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    limits: RawLimits,
    subjects: Option<RawSubjects>,
    #[serde(default)]
    source: Vec<SqlSettings>,
    #[serde(default)]
    service: Vec<ServiceSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFederation {
    trust_domain: TrustDomain,
    directory: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDoor {
    listen: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    #[serde(default)]
    crls: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    agreements: PathBuf,
    guardrails: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJournal {
    path: PathBuf,
    key: Option<PathBuf>,
    secret: Option<PathBuf>,
    subjects: Option<PathBuf>,
    #[serde(default = "one_millisecond")]
    linger: String,
    #[serde(default = "first")]
    replica: u32,
    #[serde(default = "segment")]
    segment: String,
    #[serde(default = "one_minute")]
    max_unpublished_age: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawWitness {
    policy: Option<PathBuf>,
    key: Option<PathBuf>,
    max_unwitnessed_age: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: LogFormat,
    level: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    max_connections: usize,
    max_handshakes: usize,
    max_concurrent_streams: u32,
    max_requests: usize,
    max_streamed_answers: usize,
    target_latency: String,
    refusals_on_record: u64,
    max_message: String,
    request_deadline: String,
    stall_deadline: String,
    drain_deadline: String,
}

fn utc() -> String {
    "+00:00".to_owned()
}

fn one_millisecond() -> String {
    "1ms".to_owned()
}

fn first() -> u32 {
    1
}

fn one_minute() -> String {
    "1m".to_owned()
}

fn segment() -> String {
    "64MiB".to_owned()
}

impl Default for RawWitness {
    fn default() -> Self {
        Self {
            policy: None,
            key: None,
            max_unwitnessed_age: "15m".to_owned(),
        }
    }
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            format: LogFormat::Human,
            level: "info".to_owned(),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_handshakes: 1_024,
            max_concurrent_streams: 256,
            max_requests: 4_096,
            max_streamed_answers: 2_048,
            target_latency: "250ms".to_owned(),
            refusals_on_record: 10_000,
            max_message: "1MiB".to_owned(),
            request_deadline: "30s".to_owned(),
            stall_deadline: "60s".to_owned(),
            drain_deadline: "30s".to_owned(),
        }
    }
}

impl RawConfig {
    /// Reads the file, and what the environment lays over it. Gives the text too, in which faults are placed.
    pub(super) fn load(path: &Path) -> Result<(Self, String), Vec<Fault>> {
        let file = path.display().to_string();
        let text = text::read(path).map_err(|error| {
            let message =
                format!("the settings cannot be read: {error}; give `--config` a readable file");
            vec![Fault {
                file: file.clone(),
                line: 0,
                column: 0,
                key: String::new(),
                message,
            }]
        })?;
        // The file by itself first: here a fault has its line.
        parse(&file, &text)?;
        let environment = config::Environment::with_prefix(ENVIRONMENT)
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true);
        let layered = config::Config::builder()
            .add_source(config::File::from_str(&text, config::FileFormat::Toml))
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| {
                let (file, message) = ("environment".to_owned(), error.to_string());
                vec![Fault {
                    file,
                    line: 0,
                    column: 0,
                    key: format!("{ENVIRONMENT}__…"),
                    message,
                }]
            })?;
        Ok((layered, text))
    }

    /// Checks every value, and reports each that is unfit.
    pub(super) fn check(self, path: &Path, text: &str) -> Result<Config, Vec<Fault>> {
        let mut faults = Faults::of(path, text);
        let journal = self.journal.check(path, &mut faults);
        let witness = self.witness.check(path, &journal.path, &mut faults);
        let (registry, publication) = self.registry.check(path, &journal.path, &mut faults);
        let corrections = self.corrections.check(path, &journal.path, &mut faults);
        let retention = self.retention.check(&mut faults);
        let sources = self
            .source
            .into_iter()
            .filter_map(|s| source::check(s, path, &mut faults))
            .collect();
        let limits = self.limits.check(&mut faults);
        let reconciliation = self.reconciliation.check(&mut faults);
        let offset = faults.parsed(
            "utc_offset",
            &self.utc_offset,
            "an offset such as `+08:00`",
            parse_offset,
        );
        let listen = self.operators.listen();
        let console = self
            .console
            .map(|console| console.check(path, listen, &mut faults));
        let shown = console.as_ref().and_then(ConsoleConfig::host);
        let operators = self.operators.check(shown, &mut faults);
        let subjects = self.subjects.map(|subjects| subjects.check(&mut faults));
        let doors = [
            ("systems.listen", self.systems.listen),
            ("peers.listen", self.peers.listen),
            ("operators.listen", operators.listen),
        ];
        check_doors(&doors, &mut faults);
        let absolute = |file: PathBuf| beside(path, file);
        faults.unless(Config {
            department: self.department,
            offset: offset.0,
            trust_domain: self.federation.trust_domain,
            directory: absolute(self.federation.directory),
            systems: self.systems.within(path),
            peers: self.peers.within(path),
            operators,
            console,
            subjects,
            registry,
            publication,
            corrections,
            agreements: absolute(self.policy.agreements),
            guardrails: absolute(self.policy.guardrails),
            log: LogConfig {
                format: self.log.format,
                level: self.log.level,
            },
            reconciliation,
            limits,
            sources,
            services: self
                .service
                .into_iter()
                .map(|s| source::placed_service(s, path))
                .collect(),
            journal,
            witness,
            retention,
            file: path.to_owned(),
        })
    }
}

/// Each door has a port of its own.
fn check_doors(doors: &[(&str, SocketAddr)], faults: &mut Faults<'_>) {
    for (number, (key, listen)) in doors.iter().enumerate() {
        let collides = |other: &SocketAddr| {
            let is_everywhere = listen.ip().is_unspecified() || other.ip().is_unspecified();
            // The system chooses another one for each 0.
            listen.port() != 0
                && listen.port() == other.port()
                && (is_everywhere || listen.ip() == other.ip())
        };
        let mut before = doors.iter().take(number);
        if let Some((other, _)) = before.find(|(_, address)| collides(address)) {
            faults.add(
                key,
                format!("has the port of `{other}`; give each door its own"),
            );
        }
    }
}

impl RawDoor {
    fn within(self, settings: &Path) -> DoorConfig {
        DoorConfig {
            listen: self.listen,
            material: MaterialPaths {
                certificate: beside(settings, self.certificate),
                key: beside(settings, self.key),
                ca: beside(settings, self.ca),
                crls: self
                    .crls
                    .into_iter()
                    .map(|crl| beside(settings, crl))
                    .collect(),
            },
        }
    }
}

impl RawJournal {
    fn check(self, settings: &Path, faults: &mut Faults<'_>) -> JournalConfig {
        let path = beside(settings, self.path);
        let neighbour = |given: Option<PathBuf>, name| match given {
            Some(given) => beside(settings, given),
            None => path.with_file_name(name),
        };
        let secret = neighbour(self.secret, "secret.key");
        let subjects = match self.subjects {
            Some(given) => beside(settings, given),
            None => secret.with_file_name("subjects"),
        };
        let key = neighbour(self.key, "journal.key");
        let (setting, text) = ("journal.max_unpublished_age", &self.max_unpublished_age);
        let max_unpublished_age = faults.parsed(setting, text, DURATION, parse_span);
        if max_unpublished_age < Duration::from_secs(1) {
            // Checkpoints are published once a second.
            faults.add(setting, "must be at least 1s".to_owned());
        }
        JournalConfig {
            post_quantum_key: post_quantum(&key),
            key,
            secret,
            subjects,
            linger: faults.parsed("journal.linger", &self.linger, DURATION, parse_span),
            segment_bytes: faults.parsed("journal.segment", &self.segment, SIZE, parse_size),
            max_unpublished_age,
            accept_lost: false,
            replica: self.replica,
            path,
        }
    }
}

/// `journal-pq.key` beside `journal.key`.
fn post_quantum(key: &Path) -> PathBuf {
    let mut name = key.file_stem().unwrap_or_default().to_owned();
    name.push("-pq");
    let mut path = key.with_file_name(name);
    if let Some(extension) = key.extension() {
        path.as_mut_os_string().push(".");
        path.as_mut_os_string().push(extension);
    }
    path
}

impl RawWitness {
    fn check(self, settings: &Path, journal: &Path, faults: &mut Faults<'_>) -> WitnessConfig {
        let key = "witness.max_unwitnessed_age";
        let text = &self.max_unwitnessed_age;
        let max_unwitnessed_age = faults.parsed(key, text, DURATION, parse_span);
        if max_unwitnessed_age < Duration::from_secs(1) {
            // Checkpoints are cosigned about once a second.
            faults.add(key, "must be at least 1s".to_owned());
        }
        WitnessConfig {
            policy: self.policy.map(|policy| beside(settings, policy)),
            key: match self.key {
                Some(key) => beside(settings, key),
                None => journal.with_file_name("witness.key"),
            },
            state: journal.with_file_name("witness.state"),
            max_unwitnessed_age,
            demanded: true,
        }
    }
}

/// So that a few of the largest requests do not keep all others out.
const MAX_MESSAGE: u64 = READING / 4;
/// Nobody waits longer for a look-up.
const MAX_TARGET: Duration = Duration::from_secs(60);

impl RawLimits {
    fn check(&self, faults: &mut Faults<'_>) -> Limits {
        for (key, number) in [
            ("limits.max_connections", self.max_connections),
            ("limits.max_handshakes", self.max_handshakes),
            (
                "limits.max_concurrent_streams",
                self.max_concurrent_streams as usize,
            ),
            ("limits.max_requests", self.max_requests),
            ("limits.max_streamed_answers", self.max_streamed_answers),
        ] {
            if number == 0 {
                faults.add(key, "must be at least 1".to_owned());
            }
        }
        if self.refusals_on_record == 0 {
            let message = "must be at least 1: a refusal is to be seen".to_owned();
            faults.add("limits.refusals_on_record", message);
        }
        let max_message = faults.parsed("limits.max_message", &self.max_message, SIZE, parse_size);
        if max_message > MAX_MESSAGE {
            let most = MAX_MESSAGE / (1024 * 1024);
            faults.add("limits.max_message", format!("must be at most {most} MiB"));
        }
        let target_latency = faults.parsed(
            "limits.target_latency",
            &self.target_latency,
            DURATION,
            parse_span,
        );
        if target_latency > MAX_TARGET {
            let most = MAX_TARGET.as_secs();
            faults.add("limits.target_latency", format!("must be at most {most}s"));
        }
        Limits {
            max_connections: self.max_connections,
            max_handshakes: self.max_handshakes,
            max_streams: self.max_concurrent_streams,
            max_requests: self.max_requests,
            max_streamed_answers: self.max_streamed_answers,
            target_latency,
            refusals_on_record: self.refusals_on_record,
            max_message: usize::try_from(max_message).unwrap_or(usize::MAX),
            deadline: faults.parsed(
                "limits.request_deadline",
                &self.request_deadline,
                DURATION,
                parse_span,
            ),
            stall: faults.parsed(
                "limits.stall_deadline",
                &self.stall_deadline,
                DURATION,
                parse_span,
            ),
            drain: faults.parsed(
                "limits.drain_deadline",
                &self.drain_deadline,
                DURATION,
                parse_span,
            ),
        }
    }
}

fn parse(file: &str, text: &str) -> Result<RawConfig, Vec<Fault>> {
    let syntax = |error: toml::de::Error, key: String| {
        let (line, column) = error
            .span()
            .map_or((0, 0), |span| position(text, span.start));
        vec![Fault {
            file: file.to_owned(),
            line,
            column,
            key,
            message: error.message().to_owned(),
        }]
    };
    let document = toml::Deserializer::parse(text).map_err(|error| syntax(error, String::new()))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        syntax(
            error.into_inner(),
            if key == "." { String::new() } else { key },
        )
    })
}
