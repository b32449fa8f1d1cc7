//! `explain`: whether a question would be allowed, and what that rests on, from the evaluator that serves.

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use clap::ValueEnum;

use super::claim;
use super::claim::Claim;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use super::table::Table;
use super::time_arg;
use super::time_arg::TimeArg;
use crate::assembly;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::name::NameError;
use crate::name::SystemName;
use crate::policy::decision::Role;
use crate::policy::explanation::ConsideredGrant;
use crate::policy::explanation::Explanation;
use crate::policy::explanation::Outcome;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;
use crate::registry::schema::RecordSchema;
use crate::text::visible;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge explain --config config/civil.toml --as tax/assessment --record civil.v1.Resident \\
      --purpose arrears
  landbridge explain --config config/tax.toml --as tax/assessment --record civil.v1.Resident \\
      -p arrears --fields phone
  landbridge explain --config config/civil.toml --as tax/audit --record civil.v1.Resident \\
      -p arrears --mode query --filter 'national_id == \"1\"'
  landbridge explain --config config/civil.toml --as market --record civil.v1.Resident \\
      -p arrears --at 2031-01-01T10:00 --json

The agreements and guardrails are those of the given gateway: the asker's own gateway is the first to decide, the \
provider's the one that counts. Rates and quotas are not looked at, since nothing is spent.

Exit codes: 0 it would be allowed, 2 it would be denied, 64 bad usage or settings.")]
pub(super) struct ExplainArgs {
    /// The settings of the gateway that would decide
    #[arg(long, env = "LANDBRIDGE_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Who would ask: a department, or one of its systems
    #[arg(long = "as", value_name = "DEPARTMENT[/SYSTEM]")]
    asker: Asker,
    /// The record type, such as `civil.v1.Resident`
    #[arg(long, value_name = "RECORD TYPE")]
    record: String,
    /// Why it would be asked for
    #[arg(long, short = 'p')]
    purpose: String,
    /// How it would be asked for
    #[arg(long, value_enum, default_value_t = Mode::Get)]
    mode: Mode,
    /// Only these fields, by their paths [default: all that the grant releases]
    #[arg(long, short = 'f', value_delimiter = ',', value_name = "A,B.C")]
    fields: Vec<String>,
    /// For `query` and `count`: which records, in CEL
    #[arg(long, value_name = "CEL", default_value = "")]
    filter: String,
    /// For `query`: field paths, each with an optional ` desc`, separated by commas
    #[arg(long, value_name = "PATHS", default_value = "")]
    order_by: String,
    /// For `get` and `verify`: the record's key; no decision rests on it
    #[arg(long, default_value = "0")]
    key: String,
    /// For `verify`: a value held to be true; may be given several times
    #[arg(long = "claim", short = 'c', value_name = "FIELD=VALUE", value_parser = claim::parse, required_if_eq("mode", "verify"))]
    claims: Vec<Claim>,
    /// When it would be asked, at the gateway's offset [default: now]
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse)]
    at: Option<TimeArg>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Get,
    Query,
    Verify,
    Count,
}

#[derive(Clone)]
struct Asker {
    department: DepartmentId,
    system: Option<SystemName>,
}

impl FromStr for Asker {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let (department, system) = match s.split_once('/') {
            Some((department, system)) => (department, Some(system.parse()?)),
            None => (s, None),
        };
        Ok(Self {
            department: department.parse()?,
            system,
        })
    }
}

impl ExplainArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let registry = assembly::registry(&config, None, Vec::new());
        let (registry, _) = registry.map_err(Failure::Faults)?;
        let directory = assembly::directory(&config.directory).map_err(Failure::Faults)?;
        let departments: Vec<_> = directory.ids().cloned().collect();
        let policy =
            assembly::policy(&config, &departments, &registry, None).map_err(Failure::Faults)?;
        let schema = registry.record(&self.record).map_err(Failure::usage)?;
        let query = self.query(schema)?;
        let now = Clock::System.now();
        let at = self.at.map_or(now, |at| at.moment(config.offset, now));
        let caller = Caller::assumed(self.asker.department, self.asker.system);

        let explanation = policy.explain(&caller, &query, at);
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, &explanation).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            write(&explanation, &time_arg::shown(at, config.offset), &mut out)?;
        }
        out.flush()?;
        Ok(match explanation.denial {
            None => Exit::Done,
            Some(_) => Exit::Denied,
        })
    }

    fn query(&self, schema: &Arc<RecordSchema>) -> Result<Query, Failure> {
        let claims = self
            .claims
            .iter()
            .map(|claim| claim.typed(Some(schema.descriptor())));
        let claims: Vec<_> = claims.collect::<Result<_, _>>().map_err(Failure::usage)?;
        let cursor = Bytes::new();
        let selection = match self.mode {
            Mode::Get => RawSelection::Get { key: &self.key },
            Mode::Query => RawSelection::Query {
                filter: &self.filter,
                order_by: &self.order_by,
                limit: 0,
                cursor: &cursor,
            },
            Mode::Verify => RawSelection::Verify {
                key: &self.key,
                claims: &claims,
            },
            Mode::Count => RawSelection::Count {
                filter: &self.filter,
            },
        };
        let raw = Raw {
            purpose: &self.purpose,
            fields: &self.fields,
            selection,
        };
        Query::check(schema, &raw).map_err(Failure::usage)
    }
}

fn write(explanation: &Explanation, at: &str, to: &mut impl Write) -> io::Result<()> {
    let chosen = explanation
        .chosen
        .and_then(|chosen| explanation.considered.get(chosen));
    match (&explanation.denial, chosen) {
        (Some(denial), _) => {
            writeln!(
                to,
                "denied: {}: {}",
                denial.reason,
                visible(&denial.message)
            )?;
        }
        (None, Some(chosen)) => {
            writeln!(
                to,
                "permitted by {}, grant {}",
                chosen.agreement, chosen.grant
            )?;
        }
        (None, None) => writeln!(to, "permitted")?,
    }
    let role = match explanation.role {
        Role::Consumer => "as the consumer's gateway: the provider's decides again",
        Role::Provider => "as the provider's gateway",
    };
    let facts = [
        ("decided", role.to_owned()),
        ("at", at.to_owned()),
        ("policy", explanation.revision.clone()),
    ];
    writeln!(to, "{}", Table::of_pairs(facts))?;
    if let Some(chosen) = chosen {
        write_chosen(chosen, to)?;
    }
    if explanation.considered.is_empty() {
        return writeln!(
            to,
            "\nno grant of this record type to the asker's department"
        );
    }
    let mut table = Table::new(&["considered", "grant", "file", "outcome"]);
    for considered in &explanation.considered {
        table.row(&[
            considered.agreement.to_string(),
            considered.grant.to_string(),
            considered.file.clone(),
            outcome(considered),
        ]);
    }
    writeln!(to, "\n{table}")
}

fn outcome(considered: &ConsideredGrant) -> String {
    match &considered.outcome {
        Outcome::Permitted { .. } => "permitted".to_owned(),
        Outcome::Refused { check, why } => {
            format!("{}: {}", format!("{check:?}").to_lowercase(), why.message)
        }
    }
}

/// What the permit rests on, and what it would release.
fn write_chosen(chosen: &ConsideredGrant, to: &mut impl Write) -> io::Result<()> {
    let number = |number: Option<u64>, unit: &str| number.map(|n| format!("{n} {unit}"));
    let limits = [
        Some(format!("{} records an exchange", chosen.max_records)),
        number(chosen.rate.map(u64::from), "exchanges a second"),
        number(chosen.daily, "records a day"),
        number(
            Some(chosen.lookup_misses.into()),
            "values a day looked up or verified in vain",
        ),
        number(
            chosen.distinct_counts.map(u64::from),
            "different filters of counts a day",
        ),
        number(
            Some(chosen.count_step).filter(|step| *step > 1),
            "to the step of a count",
        ),
    ];
    let facts = [
        ("title", chosen.title.clone()),
        ("file", chosen.file.clone()),
        (
            "valid",
            format!("{} to {}", chosen.valid_from, chosen.valid_until),
        ),
        ("purposes", joined(&chosen.purposes)),
        ("systems", joined(&chosen.systems)),
        ("rows", chosen.rows.clone().unwrap_or_default()),
        (
            "limits",
            joined(&limits.into_iter().flatten().collect::<Vec<_>>()),
        ),
        ("guardrails", joined(&chosen.guardrails)),
    ];
    let stated = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    writeln!(to, "\n{}", Table::of_pairs(stated))?;
    match &chosen.outcome {
        Outcome::Permitted { released } if !released.is_empty() => {
            let mut table = Table::new(&["released", "mask"]);
            for field in released {
                table.row(&[
                    field.field.to_string(),
                    field.mask.clone().unwrap_or_default(),
                ]);
            }
            writeln!(to, "\n{table}")
        }
        Outcome::Permitted { .. } | Outcome::Refused { .. } => Ok(()),
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
