//! `source check`: how many rows are no records, have the key of another or break a rule, and so would not be released.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::assembly::registry;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::config::Config;
use crate::config::SourceConfig;
use crate::fault::chain;
use crate::registry::Registry;
use crate::registry::extract::value_of;
use crate::registry::rules::FieldSet;
use crate::registry::rules::Requirement;
use crate::registry::schema::RecordSchema;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;
use crate::source::sql::inspection::Misfits;
use crate::source::sql::inspection::Rows;
use crate::text::visible;

/// A whole table is read, and sorted where no index keeps its keys unique: as long as it takes.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge source check --config config/civil.toml
  landbridge source check --config config/civil.toml --record civil.v1.Resident --json

Every row of the department's databases is read with every field, to its end: counted are those that do not fit their
schema, whose key is empty or that of another row, and that break a rule which the registry states (buf.validate). A
gateway refuses to release them (SOURCE_MISFIT). The first keys of each kind are named; values are not shown. Records of a
service are not read: they are checked as they are released.

Exit codes: 0 all records are as the registry demands, 1 some are not or cannot be read, 64 bad usage or settings,
130 stopped by Ctrl-C, with what was found until then.")]
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
    /// Rows that would not be released: the misfits, and those that break at least one rule.
    failing: u64,
    misfits: Vec<Misfit>,
    rules: Vec<RuleViolations>,
    /// Why not all rows were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

/// Rows that are no records for one reason; without a field where it is the row as a whole.
#[derive(Debug, Serialize)]
struct Misfit {
    field: String,
    fault: String,
    #[serde(flatten)]
    rows: Rows,
}

#[derive(Debug, Serialize)]
struct RuleViolations {
    field: String,
    #[serde(flatten)]
    requirement: Requirement,
    #[serde(flatten)]
    rows: Rows,
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
        let mut interrupt = pin!(tokio::signal::ctrl_c());
        for source in &config.sources {
            let bindings = bind(source, &registry, &config)?;
            for record in bindings.records() {
                let schema = registry.record(record.as_str()).map_err(Failure::usage)?;
                if wanted.as_ref().is_some_and(|w| w.name() != schema.name()) {
                    continue;
                }
                found = true;
                let mut tally = Tally::default();
                let ended = tokio::select! {
                    biased;
                    stopped = &mut interrupt => {
                        stopped?;
                        wipe();
                        let ended = Some("stopped by Ctrl-C".to_owned());
                        Report::of(&bindings, schema, tally, ended).print(is_json)?;
                        return Ok(Exit::Interrupted);
                    }
                    ended = read(&bindings, schema, &mut tally) => ended,
                };
                wipe();
                let report = Report::of(&bindings, schema, tally, ended);
                is_whole &= report.failing == 0 && report.ended.is_none();
                report.print(is_json)?;
            }
        }
        if !found {
            let what = wanted.map_or("record type".to_owned(), |w| w.name().to_string());
            let failure = Failure::usage(format!("no database of these settings has a {what}"));
            return Err(failure.hint("a [[source]] with a [[source.record]] provides one"));
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
    settings.statement_timeout = LIFETIME;
    let file = config.file.display().to_string();
    let opened = SqlSource::open(settings, source.url.as_str()).map_err(|fault| vec![fault]);
    let bound = opened.and_then(|opened| opened.bind(registry));
    bound.map_err(|mut faults| {
        faults.iter_mut().for_each(|f| f.file.clone_from(&file));
        Failure::Faults(faults)
    })
}

/// Reads all rows of a type; tells why not all were read.
async fn read(bindings: &SqlBindings, schema: &RecordSchema, tally: &mut Tally) -> Option<String> {
    let mut progress = Progress::new(schema);
    let mut scan = match bindings.scan(schema).await {
        Ok(scan) => scan,
        Err(error) => return Some(chain(&error)),
    };
    loop {
        let next = scan.next().await;
        tally.misfits = scan.misfits();
        match next {
            Ok(Some(records)) => {
                for record in records {
                    tally.add(schema, &record);
                }
                progress.tell(tally.rows());
            }
            Ok(None) => return None,
            Err(error) => return Some(chain(&error)),
        }
    }
}

#[derive(Default)]
struct Tally {
    records: u64,
    /// Records that break at least one rule.
    failing: u64,
    broken: BTreeMap<(String, Requirement), Rows>,
    misfits: Misfits,
}

impl Tally {
    fn add(&mut self, schema: &RecordSchema, record: &[u8]) {
        self.records += 1;
        let mut broken = BTreeSet::new();
        if let Some(rules) = schema.rules() {
            let judged = rules.each_violation(record, &FieldSet::All, &mut |violation| {
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
            let key = value_of(record, schema.key()).ok().flatten();
            let key = key.map(|key| String::from_utf8_lossy(&key.tag_bytes()).into_owned());
            self.broken.entry(rule).or_default().add(key);
        }
    }

    fn misfits(&self) -> u64 {
        self.misfits.values().map(|misfits| misfits.rows).sum()
    }

    fn rows(&self) -> u64 {
        self.records + self.misfits()
    }
}

impl Report {
    fn of(
        bindings: &SqlBindings,
        schema: &RecordSchema,
        tally: Tally,
        ended: Option<String>,
    ) -> Self {
        Self {
            record_type: schema.name().to_string(),
            source: bindings.name().to_owned(),
            rows: tally.rows(),
            failing: tally.failing + tally.misfits(),
            misfits: tally
                .misfits
                .into_iter()
                .map(|((field, fault), rows)| Misfit { field, fault, rows })
                .collect(),
            rules: tally
                .broken
                .into_iter()
                .map(|((field, requirement), rows)| RuleViolations {
                    field,
                    requirement,
                    rows,
                })
                .collect(),
            ended,
        }
    }

    fn print(&self, is_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if is_json {
            serde_json::to_writer(&mut out, self)?;
            return writeln!(out);
        }
        let (record, rows) = (&self.record_type, grouped(self.rows));
        for misfit in &self.misfits {
            let (field, count) = (&misfit.field, grouped(misfit.rows.rows));
            let subject = match field.is_empty() {
                true => String::new(),
                false => format!("`{field}` "),
            };
            writeln!(
                out,
                "{record}: {count} of {rows} rows do not fit: {subject}{}",
                misfit.fault
            )?;
            name(&mut out, &misfit.rows)?;
        }
        for broken in &self.rules {
            let (field, count) = (&broken.field, grouped(broken.rows.rows));
            let Requirement { rule, demands } = &broken.requirement;
            writeln!(
                out,
                "{record}: {count} of {rows} rows fail `{field}` {rule}: {demands}"
            )?;
            name(&mut out, &broken.rows)?;
        }
        let failing = match self.failing {
            0 => None,
            failing => Some(format!(
                "{} are not as the registry demands",
                grouped(failing)
            )),
        };
        let source = &self.source;
        match (&self.ended, failing) {
            (None, None) => writeln!(
                out,
                "{record}: {rows} rows of `{source}`; all are as the registry demands"
            ),
            (None, Some(failing)) => {
                writeln!(out, "{record}: {rows} rows of `{source}`; {failing}")
            }
            (Some(ended), failing) => writeln!(
                out,
                "{record}: not all rows of `{source}` were read: {ended}; of {rows} that were, {}",
                failing.unwrap_or_else(|| "none was found amiss".to_owned())
            ),
        }
    }
}

/// Which rows they are, as far as their keys can be told.
fn name(out: &mut impl Write, rows: &Rows) -> io::Result<()> {
    if rows.keys.is_empty() {
        return Ok(());
    }
    let more = match rows.rows.saturating_sub(rows.keys.len() as u64) {
        0 => String::new(),
        more => format!(", and {} more", grouped(more)),
    };
    writeln!(out, "    {}{more}", visible(&rows.keys.join(", ")))
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

/// How far a reading has come, for who waits longer than two seconds: on a terminal one line that is written anew, and
/// elsewhere a line each time when as much time has gone again.
struct Progress<'s> {
    schema: &'s RecordSchema,
    begun: Instant,
    pause: Duration,
}

impl<'s> Progress<'s> {
    fn new(schema: &'s RecordSchema) -> Self {
        Self {
            schema,
            begun: Instant::now(),
            pause: Duration::from_secs(2),
        }
    }

    fn tell(&mut self, rows: u64) {
        if self.begun.elapsed() < self.pause {
            return;
        }
        let mut err = io::stderr().lock();
        let line = format!("{}: {} rows so far", self.schema.name(), grouped(rows));
        // Progress that nobody can read is no reason to stop.
        let _ = if err.is_terminal() {
            self.pause += Duration::from_millis(200);
            write!(err, "\r{line} ").and_then(|()| err.flush())
        } else {
            self.pause *= 2;
            writeln!(err, "{line}")
        };
    }
}

fn wipe() {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\u{1b}[K");
    }
}
