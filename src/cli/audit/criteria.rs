//! What entries are looked for, as people type it.

use std::path::PathBuf;
use std::slice;

use clap::Args;

use super::Place;
use super::subject_arg::SubjectArg;
use crate::cli::exit::Failure;
use crate::cli::time_arg;
use crate::cli::time_arg::TimeArg;
use crate::clock::Moment;
use crate::evidence::criteria::Criteria;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::journal::subject::SubjectKeys;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::name::SystemName;
use crate::registry::query::Mode;

#[derive(Args)]
pub(super) struct CriteriaArgs {
    /// A department, whether it asked or was asked
    #[arg(long, value_name = "DEPARTMENT")]
    peer: Option<DepartmentId>,
    /// The department that asked
    #[arg(long, value_name = "DEPARTMENT")]
    consumer: Option<DepartmentId>,
    /// The department that was asked
    #[arg(long, value_name = "DEPARTMENT")]
    provider: Option<DepartmentId>,
    /// The side that this gateway was on: `consumer` or `provider`
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// The asking system
    #[arg(long)]
    system: Option<SystemName>,
    /// The officer on whose behalf it was asked
    #[arg(long, value_name = "NAME")]
    officer: Option<String>,
    /// The case reference that was given
    #[arg(long, value_name = "REFERENCE")]
    case: Option<String>,
    /// The record type, such as `civil.v1.Resident`
    #[arg(long, value_name = "RECORD TYPE")]
    record: Option<RecordType>,
    /// How it was asked: `get`, `query`, `verify` or `count`
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    #[arg(long)]
    purpose: Option<Purpose>,
    #[arg(long, value_name = "ID")]
    agreement: Option<AgreementId>,
    /// The policy revision, or how it begins
    #[arg(long, value_name = "HEX", value_parser = revision)]
    policy: Option<String>,
    /// A field that was released, such as `address.district`
    #[arg(long, value_name = "FIELD")]
    released: Option<FieldPath>,
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
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse)]
    since: Option<TimeArg>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse)]
    until: Option<TimeArg>,
    /// The exchange's id, which is the same at both gateways
    #[arg(long, value_name = "ID")]
    exchange: Option<ExchangeId>,
    /// At least so many records
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    min_records: u64,
    /// At least so many bytes
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    min_bytes: u64,
    /// At least so many milliseconds from request to answer
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0,
        hide_default_value = true
    )]
    min_latency: u64,
    /// Whose data it was: the name of the field that says it, and the identifier; needs the monthly keys
    #[arg(long, value_name = "FIELD=ID", value_parser = Identifier::parse)]
    subject: Option<Identifier>,
    #[command(flatten)]
    keys: KeysArgs,
}

/// Where the keys of subject tags are.
#[derive(Args)]
pub(super) struct KeysArgs {
    /// The folder of the gateway's monthly keys, to look for a person [default: that of the settings]
    #[arg(long, value_name = "DIR")]
    subject_keys: Option<PathBuf>,
}

/// An identifier of somebody: not to be shown.
#[derive(Clone)]
pub(super) struct Identifier {
    /// The name of the field that holds it.
    pub(super) scheme: String,
    pub(super) id: String,
}

impl Identifier {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((scheme, id)) if !scheme.is_empty() && !id.is_empty() => Ok(Self {
                scheme: scheme.to_owned(),
                id: id.to_owned(),
            }),
            _ => Err("expected `FIELD=ID`, such as `national_id=990101199001011234`".to_owned()),
        }
    }
}

impl KeysArgs {
    pub(super) fn open(&self, place: &Place) -> Result<SubjectKeys, Failure> {
        let settings = place.config.as_ref();
        let folder = self
            .subject_keys
            .as_ref()
            .or(settings.map(|config| &config.journal.subjects));
        let Some(folder) = folder else {
            let failure = Failure::usage(
                "a person is looked for with the gateway's monthly keys: entries name nobody without them",
            );
            return Err(failure.hint(
                "give their folder with `--subject-keys DIR`, or the gateway's settings with `--config FILE`",
            ));
        };
        Ok(SubjectKeys::at(folder))
    }
}

impl CriteriaArgs {
    /// With the person who is asked about, if somebody is.
    pub(super) fn criteria(
        self,
        place: &Place,
        now: Moment,
    ) -> Result<(Criteria, Option<SubjectArg>), Failure> {
        let moment = |when: TimeArg| when.moment(place.offset, now);
        let (since, until) = (self.since.map(moment), self.until.map(moment));
        let whom = match &self.subject {
            Some(who) => {
                let who = slice::from_ref(who);
                Some(SubjectArg::find(who, (since, until), &self.keys, place)?)
            }
            None => None,
        };
        let (subjects, keys) = match &whom {
            // Open criteria would find everything.
            Some(whom) if whom.person.is_unknown() => return Err(whom.no_key(place)),
            Some(whom) => (whom.person.tags.clone(), whom.person.keys.clone()),
            None => Default::default(),
        };
        let criteria = Criteria {
            kind: self.kind,
            role: self.role,
            peer: self.peer,
            consumer: self.consumer,
            provider: self.provider,
            system: self.system,
            officer: self.officer,
            case_reference: self.case,
            purpose: self.purpose,
            record_type: self.record,
            mode: self.mode,
            agreement: self.agreement,
            policy_revision: self.policy,
            field: self.released,
            outcome: self.outcome,
            reason: self.reason,
            since,
            until,
            exchange: self.exchange,
            subjects,
            keys,
            min_records: self.min_records,
            min_bytes: self.min_bytes,
            min_latency_us: self.min_latency.saturating_mul(1_000),
        };
        Ok((criteria, whom))
    }
}

fn outcome(text: &str) -> Result<Outcome, String> {
    word(text, Outcome::ALL, Outcome::as_str)
}

fn kind(text: &str) -> Result<Kind, String> {
    word(text, Kind::ALL, Kind::as_str)
}

fn role(text: &str) -> Result<Role, String> {
    word(text, &[Role::Consumer, Role::Provider], Role::as_str)
}

fn mode(text: &str) -> Result<Mode, String> {
    let modes = [Mode::Get, Mode::Query, Mode::Verify, Mode::Count];
    word(text, &modes, Mode::as_str)
}

fn word<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().find(|one| name(**one) == text).copied();
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn revision(text: &str) -> Result<String, String> {
    let digits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    match digits {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("expected up to 64 hexadecimal digits".to_owned()),
    }
}
