//! `audit search`: the entries that fit, the newest first.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use super::Place;
use super::entry;
use super::entry::Row;
use super::unreadable;
use crate::audit::Kind;
use crate::audit::Outcome;
use crate::audit::search::Criteria;
use crate::audit::search::Hit;
use crate::audit::search::search;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output;
use crate::cli::output::Format;
use crate::cli::output::OutputOptions;
use crate::cli::when;
use crate::cli::when::When;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::exchange::secret::Secrets;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::name::SystemName;
use crate::pb;

#[derive(Args)]
pub(super) struct SearchArgs {
    /// A department, whether it asked or was asked
    #[arg(long, value_name = "DEPARTMENT")]
    peer: Option<DepartmentId>,
    /// The asking system
    #[arg(long)]
    system: Option<SystemName>,
    /// The record type, such as `civil.v1.Resident`
    #[arg(long, value_name = "RECORD TYPE")]
    record: Option<RecordType>,
    #[arg(long)]
    purpose: Option<Purpose>,
    #[arg(long, value_name = "ID")]
    agreement: Option<AgreementId>,
    /// How it ended; a streamed answer by its end
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// The stable reason, such as `FIELD_NOT_GRANTED`
    #[arg(long)]
    reason: Option<String>,
    /// What an entry records: `exchange`, `intent`, `connection`, `policy`, `lifecycle` and others
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// From this time on: `2026-05-01`, `2026-05-01T10:00`, or a while ago such as `7d`
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    since: Option<When>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    until: Option<When>,
    /// The exchange's id, which is the same at both gateways
    #[arg(long, value_name = "ID")]
    exchange: Option<ExchangeId>,
    /// Whose data it was: the name of the field that says it, and the identifier; needs the gateway's secret
    #[arg(long, value_name = "FIELD=ID", value_parser = subject)]
    subject: Option<Subject>,
    /// The gateway's secret, for `--subject` [default: that of the settings]
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The most entries
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

/// An identifier of somebody: not to be shown.
#[derive(Clone)]
struct Subject {
    scheme: String,
    id: String,
}

/// A journal's first month, for a search by subject without `--since`. No gateway is older.
const BEGINNING: Moment = Moment::from_micros(1_735_689_600_000_000);

fn subject(text: &str) -> Result<Subject, String> {
    match text.split_once('=') {
        Some((scheme, id)) if !scheme.is_empty() && !id.is_empty() => Ok(Subject {
            scheme: scheme.to_owned(),
            id: id.to_owned(),
        }),
        _ => Err("expected `FIELD=ID`, such as `national_id=990101199001011234`".to_owned()),
    }
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let found = Outcome::ALL.iter().find(|outcome| outcome.as_str() == text);
    found.copied().ok_or_else(|| {
        format!(
            "expected one of {}",
            words(Outcome::ALL.iter().map(|o| o.as_str()))
        )
    })
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.iter().find(|kind| kind.as_str() == text);
    found.copied().ok_or_else(|| {
        format!(
            "expected one of {}",
            words(Kind::ALL.iter().map(|k| k.as_str()))
        )
    })
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

impl SearchArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let limit = self.limit;
        let criteria = self.criteria(place, Clock::System.now())?;
        let hits = search(&place.reader(), &criteria, limit).map_err(unreadable)?;
        match output.for_lists() {
            Format::Json => print_json(&hits, place)?,
            _ if hits.is_empty() => {}
            format => output::list(format, &rows(&hits, place), &entry::HEADER, |row| {
                row.0.cells()
            })?,
        }
        if hits.is_empty() {
            writeln!(io::stderr(), "no entry fits")?;
        }
        if hits.len() >= limit && limit > 0 {
            writeln!(
                io::stderr(),
                "these are the newest {limit}: there may be more, see `--limit`"
            )?;
        }
        Ok(Exit::Done)
    }

    fn criteria(self, place: &Place, now: Moment) -> Result<Criteria, Failure> {
        let moment = |when: When| when.moment(place.offset, now);
        let (since, until) = (self.since.map(moment), self.until.map(moment));
        let secret = self.secret.as_deref().or(place.secret.as_deref());
        let subjects = match &self.subject {
            Some(subject) => tags(
                subject,
                secret,
                since.unwrap_or(BEGINNING),
                until.unwrap_or(now),
            )?,
            None => Vec::new(),
        };
        Ok(Criteria {
            kind: self.kind,
            peer: self.peer,
            system: self.system,
            record_type: self.record,
            purpose: self.purpose,
            agreement: self.agreement,
            outcome: self.outcome,
            reason: self.reason,
            since,
            until,
            exchange: self.exchange,
            subjects,
        })
    }
}

fn tags(
    subject: &Subject,
    secret: Option<&Path>,
    since: Moment,
    until: Moment,
) -> Result<Vec<pb::SubjectTag>, Failure> {
    let Some(path) = secret else {
        let failure = Failure::usage(
            "`--subject` needs the gateway's secret: entries name nobody without it",
        );
        return Err(failure
            .mend("give it with `--secret FILE`, or the gateway's settings with `--config FILE`"));
    };
    let secret = std::fs::read(path).map_err(|error| {
        Failure::from(
            anyhow::Error::from(error)
                .context(format!("the secret `{}` cannot be read", path.display())),
        )
    })?;
    let secret: [u8; 32] = secret.try_into().map_err(|_| {
        Failure::usage(format!(
            "`{}` is not a gateway's secret: one has 32 bytes",
            path.display()
        ))
    })?;
    let keys = Secrets::derive(&secret)?.subjects;
    Ok(keys.subject_between(&subject.scheme, &subject.id, since, until))
}

/// JSON is printed apart: it has all of an entry, not what a line shows.
struct Listed(Row);

impl serde::Serialize for Listed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.cells().serialize(serializer)
    }
}

fn rows(hits: &[Hit], place: &Place) -> Vec<Listed> {
    let row = |hit: &Hit| {
        let end = hit.end.as_ref().map(|end| (&end.leaf, &end.record));
        Listed(Row::new(
            hit.index,
            &hit.leaf,
            hit.record.as_ref(),
            end,
            place.offset,
        ))
    };
    hits.iter().map(row).collect()
}

fn print_json(hits: &[Hit], place: &Place) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for hit in hits {
        let mut json = entry::json(hit.index, &hit.leaf, hit.record.as_ref(), place.offset)?;
        if let Some(end) = &hit.end {
            let record = pb::JournalRecord {
                kind: Some(pb::journal_record::Kind::StreamEnd(end.record.clone())),
            };
            let end = entry::json(end.index, &end.leaf, Some(&record), place.offset)?;
            json.as_object_mut()
                .map(|json| json.insert("end".to_owned(), end));
        }
        writeln!(out, "{json}")?;
    }
    Ok(out.flush()?)
}
