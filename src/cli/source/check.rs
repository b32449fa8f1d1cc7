//! `source check`: how many records break which rule of the registry, and so would not be released.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::config::Config;
use crate::config::SourceConfig;
use crate::fault::chain;
use crate::gateway::assemble::registry;
use crate::registry::Registry;
use crate::registry::rules::Covered;
use crate::registry::rules::Requirement;
use crate::registry::rules::Rules;
use crate::registry::schema::RecordSchema;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;

/// A whole table is read: as long as it takes.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge source check --config config/civil.toml
  landbridge source check --config config/civil.toml --record civil.v1.Resident --json

Every record of the department's databases is read with every field and held against the rules that the registry states
for it (buf.validate); a gateway refuses to release a record that breaks one of a released field (SOURCE_MISFIT). Values
are not shown. Records of a service are not read: they are checked as they are released.

Exit codes: 0 all records are as the registry demands, 1 some are not or cannot be read, 64 bad usage or settings.")]
pub(super) struct CheckArgs {
    /// The settings of the department's gateway
    #[arg(long, env = "LANDBRIDGE_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Only records of this type
    #[arg(long, value_name = "RECORD TYPE")]
    record: Option<String>,
}

/// What was found of one record type.
#[derive(Debug, Serialize)]
struct Report {
    record_type: String,
    source: String,
    rows: u64,
    /// Rows that break at least one rule.
    failing: u64,
    rules: Vec<Broken>,
    /// Why not all rows were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

#[derive(Debug, Serialize)]
struct Broken {
    field: String,
    #[serde(flatten)]
    requirement: Requirement,
    rows: u64,
}

impl CheckArgs {
    pub(in crate::cli) async fn run(self, output: OutputOptions) -> Run {
        let is_json = output.for_one()?;
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let (registry, _) = registry(&config, None, Vec::new()).map_err(Failure::Faults)?;
        let wanted = match &self.record {
            Some(name) => Some(registry.record(name).map_err(Failure::usage)?.clone()),
            None => None,
        };
        let (mut is_whole, mut found) = (true, false);
        for source in &config.sources {
            let bindings = bind(source, &registry, &config)?;
            for record in bindings.records() {
                let schema = registry.record(record.as_str()).map_err(Failure::usage)?;
                if wanted.as_ref().is_some_and(|w| w.name() != schema.name()) {
                    continue;
                }
                found = true;
                let report = check(&bindings, schema).await;
                is_whole &= report.failing == 0 && report.ended.is_none();
                report.tell(is_json)?;
            }
        }
        if !found {
            let what = wanted.map_or("record type".to_owned(), |w| w.name().to_string());
            let failure = Failure::usage(format!("no database of these settings has a {what}"));
            return Err(failure.mend("a [[source]] with a [[source.record]] provides one"));
        }
        Ok(if is_whole { Exit::Done } else { Exit::Failed })
    }
}

fn bind(
    source: &SourceConfig,
    registry: &Registry,
    config: &Config,
) -> Result<SqlBindings, Failure> {
    let mut settings = source.settings.clone();
    settings.answer_timeout = LIFETIME;
    let file = config.file.display().to_string();
    let opened = SqlSource::open(settings, source.url.as_str()).map_err(|fault| vec![fault]);
    let bound = opened.and_then(|opened| opened.bind(registry));
    bound.map_err(|mut faults| {
        faults.iter_mut().for_each(|f| f.file.clone_from(&file));
        Failure::Faults(faults)
    })
}

/// Reads all records of a type. What ends the reading is part of the report.
async fn check(bindings: &SqlBindings, schema: &RecordSchema) -> Report {
    let mut tally = Tally::default();
    let ended = match bindings.scan(schema).await {
        Ok(mut scan) => loop {
            match scan.next().await {
                Ok(Some(records)) => {
                    for record in records {
                        tally.add(schema.rules(), &record);
                    }
                    progress(schema, tally.rows);
                }
                Ok(None) => break None,
                Err(error) => break Some(chain(&error)),
            }
        },
        Err(error) => Some(chain(&error)),
    };
    wipe();
    let broken = tally.broken.into_iter();
    let rules = broken.map(|((field, requirement), rows)| Broken {
        field,
        requirement,
        rows,
    });
    Report {
        record_type: schema.name().to_string(),
        source: bindings.name().to_owned(),
        rows: tally.rows,
        failing: tally.failing,
        rules: rules.collect(),
        ended,
    }
}

#[derive(Default)]
struct Tally {
    rows: u64,
    failing: u64,
    broken: BTreeMap<(String, Requirement), u64>,
}

impl Tally {
    fn add(&mut self, rules: Option<&Rules>, record: &[u8]) {
        self.rows += 1;
        let mut broken = BTreeSet::new();
        if let Some(rules) = rules {
            let judged = rules.each_violation(record, &Covered::All, &mut |violation| {
                broken.insert((violation.path, violation.requirement));
            });
            if judged.is_err() {
                let requirement = Requirement {
                    rule: "encoding".to_owned(),
                    demands: "a record of its type".to_owned(),
                };
                broken.insert((String::new(), requirement));
            }
        }
        self.failing += u64::from(!broken.is_empty());
        for rule in broken {
            *self.broken.entry(rule).or_default() += 1;
        }
    }
}

impl Report {
    fn tell(&self, is_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if is_json {
            serde_json::to_writer(&mut out, self)?;
            return writeln!(out);
        }
        let (record, rows) = (&self.record_type, grouped(self.rows));
        for broken in &self.rules {
            let (field, count) = (&broken.field, grouped(broken.rows));
            let Requirement { rule, demands } = &broken.requirement;
            writeln!(
                out,
                "{record}: {count} of {rows} rows fail `{field}` {rule}: {demands}"
            )?;
        }
        if let Some(ended) = &self.ended {
            writeln!(out, "{record}: not all rows were read: {ended}")?;
        }
        let verdict = match self.failing {
            0 => "all are as the registry demands".to_owned(),
            failing => format!("{} are not as the registry demands", grouped(failing)),
        };
        writeln!(out, "{record}: {rows} rows of `{}`; {verdict}", self.source)
    }
}

/// A number with its thousands apart, such as `3,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn progress(schema: &RecordSchema, rows: u64) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // Progress that nobody can read is no reason to stop.
        let _ =
            write!(err, "\r{}: {} rows ", schema.name(), grouped(rows)).and_then(|()| err.flush());
    }
}

fn wipe() {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\u{1b}[K");
    }
}
