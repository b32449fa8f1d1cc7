//! `audit subject`: who received a person's data, when, for which purpose and under which agreement.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use clap::Args;
use serde_json::Value as Json;
use time::UtcOffset;

use super::Place;
use super::criteria::Identifier;
use super::criteria::KeysArgs;
use super::search::write_coverage;
use super::subject_arg::SubjectArg;
use super::unreadable;
use crate::assembly;
use crate::cli::exit::Run;
use crate::cli::output;
use crate::cli::output::OutputOptions;
use crate::cli::time_arg;
use crate::cli::time_arg::TimeArg;
use crate::clock::Clock;
use crate::config::Config;
use crate::evidence::usage::Pick;
use crate::evidence::usage::Usage;
use crate::evidence::usage::Usages;
use crate::evidence::usage::usages;
use crate::fault::Fault;
use crate::registry::Registry;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit subject --config config/civil.toml national_id=990101199001011234
  landbridge audit subject --config config/civil.toml national_id=990101199001011234 \\
      head_national_id=990101199001011234 \\
      --since 2026-01-01
  landbridge audit subject --config config/market.toml credit_code=91110000000000001X \\
      --attempts --json

An identifier is looked for under the name of the field that holds it: the subject or the key of a record type, and no other
name. One person may have several. Spellings that differ in case, width or white space are one, unless the registry says
otherwise. Entries name nobody: they are found with the department's monthly keys, and not without.

What the answer does not tell is said beside it: months whose key is missing (exit code 3), months that were erased, transfers
of more people than an entry lists, and what this department received without the field that says whose it is.

Listed is what was received: by this department, as the consumer, or from it, as the provider. `--attempts` adds requests
by which nothing was received. Officers are left out unless `--officers` asks for them: a person has no right to their
names in general (CJEU C-579/21). The legal basis is shown where the agreement is at hand.")]
pub(super) struct SubjectArgs {
    /// Whose data: the name of the field that says it, and the identifier
    #[arg(required = true, value_name = "FIELD=ID", value_parser = Identifier::parse)]
    who: Vec<Identifier>,
    /// From this time on: `2026-05-01`, `2026-05-01T10:00`, or a while ago such as `7d`
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse)]
    since: Option<TimeArg>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse)]
    until: Option<TimeArg>,
    /// Requests, too, by which nothing was received
    #[arg(long)]
    attempts: bool,
    /// The consumer's officers, too
    #[arg(long)]
    officers: bool,
    /// The most of them
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: usize,
    /// Leaves out so many of the newest
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    offset: u64,
    #[command(flatten)]
    keys: KeysArgs,
}

const HEADER: [&str; 9] = [
    "time",
    "side",
    "received by",
    "from",
    "what",
    "purpose",
    "agreement",
    "outcome",
    "exchange",
];

/// An agreement's title and legal basis, by its id.
type LegalBases = BTreeMap<String, (String, String)>;

impl SubjectArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let format = output.for_lists();
        let now = Clock::System.now();
        let moment = |when: TimeArg| when.moment(place.offset, now);
        let period = (self.since.map(moment), self.until.map(moment));
        let whom = SubjectArg::find(&self.who, period, &self.keys, place)?;
        let bases = bases(place.config.as_ref(), whom.registry())?;
        let pick = Pick {
            attempts: self.attempts,
            offset: self.offset,
            limit: self.limit,
        };
        let index = place.index();
        let found =
            usages(&place.reader(), index.as_ref(), &whom.person, pick).map_err(unreadable)?;
        let rows: Vec<_> = found
            .usages
            .iter()
            .map(|usage| Row {
                usage,
                basis: bases.get(&usage.agreement),
                officers: self.officers,
                offset: place.offset,
            })
            .collect();
        let mut header = HEADER.to_vec();
        if self.officers {
            header.push("officer");
        }
        if !rows.is_empty() {
            output::list(format, &rows, &header, Row::cells)?;
        }
        print(&found, self.offset)?;
        whom.print_gaps(found.total == 0, index.as_ref(), place)
    }
}

/// The agreements of the settings. What is broken there does not hide the ledger.
fn bases(config: Option<&Config>, registry: Option<&Registry>) -> io::Result<LegalBases> {
    let Some((config, registry)) = config.zip(registry) else {
        return Ok(LegalBases::new());
    };
    let read = || -> Result<LegalBases, Vec<Fault>> {
        let directory = assembly::directory(&config.directory)?;
        let departments: Vec<_> = directory.ids().cloned().collect();
        let policy = assembly::policy(config, &departments, registry, None)?;
        let basis = policy.agreements().map(|agreement| {
            let basis = (agreement.title.clone(), agreement.legal_basis.clone());
            (agreement.id.to_string(), basis)
        });
        Ok(basis.collect())
    };
    match read() {
        Ok(bases) => Ok(bases),
        Err(faults) => {
            let faults = faults.len();
            writeln!(
                io::stderr(),
                "note: without legal bases, since the agreements have faults ({faults}): see `landbridge check`"
            )?;
            Ok(LegalBases::new())
        }
    }
}

fn print(found: &Usages, offset: u64) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let shown = found.usages.len() as u64;
    match found.total {
        0 => {}
        total if shown < total => {
            writeln!(
                err,
                "{shown} of {total}, from number {}: see `--offset`",
                offset + 1
            )?;
        }
        total => writeln!(err, "{total} in all")?,
    }
    write_coverage(&mut err, &found.reach)
}

struct Row<'a> {
    usage: &'a Usage,
    basis: Option<&'a (String, String)>,
    officers: bool,
    offset: UtcOffset,
}

impl Row<'_> {
    fn cells(&self) -> Vec<String> {
        let usage = self.usage;
        let receiver = match usage.system.as_str() {
            "" => usage.consumer.clone(),
            system => format!("{}/{system}", usage.consumer),
        };
        let fields: Vec<_> = usage.fields.iter().map(shown_field).collect();
        let what = match fields.is_empty() {
            true => format!("{} {}", usage.mode, usage.record_type),
            false => format!(
                "{} {}: {}",
                usage.mode,
                usage.record_type,
                fields.join(", ")
            ),
        };
        let agreement = match self.basis {
            Some((_, basis)) => format!("{} ({basis})", usage.agreement),
            None => usage.agreement.clone(),
        };
        let outcome = match usage.received {
            true => "received".to_owned(),
            false => format!("nothing received: {}", usage.reason),
        };
        let mut cells = vec![
            time_arg::shown(usage.time, self.offset),
            usage.role.to_string(),
            receiver,
            usage.provider.clone(),
            what,
            usage.purpose.clone(),
            agreement,
            outcome,
            usage.exchange.map(|id| id.to_string()).unwrap_or_default(),
        ];
        if self.officers {
            cells.push(usage.officer.clone());
        }
        cells
    }

    fn json(&self) -> Json {
        let usage = self.usage;
        let fields: Vec<_> = usage
            .fields
            .iter()
            .map(|(path, masked)| serde_json::json!({ "path": path, "masked": masked }))
            .collect();
        let mut json = serde_json::json!({
            "index": usage.index,
            "time": time_arg::rfc3339(usage.time, self.offset),
            "role": usage.role.as_str(),
            "received": usage.received,
            "consumer": usage.consumer,
            "system": usage.system,
            "provider": usage.provider,
            "record_type": usage.record_type,
            "mode": usage.mode,
            "fields": fields,
            "purpose": usage.purpose,
            "case_reference": usage.case_reference,
            "agreement": usage.agreement,
            "agreement_title": self.basis.map(|(title, _)| title),
            "legal_basis": self.basis.map(|(_, basis)| basis),
            "exchange": usage.exchange.map(|id| id.to_string()),
            "outcome": usage.outcome.as_str(),
            "reason": usage.reason,
        });
        if let (true, Some(json)) = (self.officers, json.as_object_mut()) {
            json.insert("officer".to_owned(), usage.officer.clone().into());
        }
        json
    }
}

impl serde::Serialize for Row<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

fn shown_field((path, masked): &(String, bool)) -> String {
    match masked {
        true => format!("{path} (masked)"),
        false => path.clone(),
    }
}
