//! From a reader's words to a question that can be looked up, and to what the journal keeps of it.

use std::fmt::Display;
use std::str::FromStr;

use prost_types::Timestamp;

use super::desk::Action;
use super::desk::ReadingDesk;
use super::error::ReadingError;
use super::person::Person;
use super::proof::ProofTarget;
use super::query_words::QueryWords;
use super::usages;
use crate::clock::Moment;
use crate::evidence::criteria::Criteria;
use crate::evidence::person;
use crate::evidence::search::Page;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::pb;
use crate::pb::get_proof_request::Of;
use crate::registry::query::Mode;

/// Entries or usages of a page when the reader does not say.
const USUAL: usize = 100;
/// The most entries or usages of a page.
const MOST: usize = 1_000;
/// The longest free text, in bytes.
const MAX_TEXT: usize = 512;

const MODES: [Mode; 4] = [Mode::Get, Mode::Query, Mode::Verify, Mode::Count];

/// One page of a search.
pub(crate) struct Search {
    pub(crate) criteria: Criteria,
    pub(crate) page: Page,
    pub(crate) with_proofs: bool,
    pub(crate) action: Action,
    pub(crate) told: QueryWords,
    /// Who is asked about, where somebody is and this is the first page.
    pub(crate) about: Option<person::Person>,
}

impl Search {
    pub(crate) fn read(
        asked: &pb::SearchRequest,
        desk: &ReadingDesk,
    ) -> Result<Self, ReadingError> {
        let mut told = QueryWords::default();
        let mut criteria = criteria(asked, &mut told)?;
        let (mut action, mut about) = (Action::Search, None);
        if let Some(subject) = &asked.subject {
            action = Action::Subject;
            let period = (criteria.since, criteria.until);
            let person = Person::asked(subject, period, desk)?;
            person.add_words("subject", &mut told);
            criteria.subjects = person.found.tags.clone();
            criteria.keys = person.found.keys.clone();
            about = asked.cursor.is_empty().then_some(person.found);
        }
        let mut page = Page {
            before: cursor(&asked.cursor)?,
            limit: limit(asked.limit)?,
        };
        told.number("before", page.before.unwrap_or(0));
        // Nobody's tags: open criteria would find everything.
        if action == Action::Subject && criteria.subjects.is_empty() && criteria.keys.is_empty() {
            page.before = Some(0);
        }
        told.number("limit", page.limit as u64);
        Ok(Self {
            criteria,
            page,
            with_proofs: asked.with_proofs,
            action,
            told,
            about,
        })
    }
}

fn criteria(asked: &pb::SearchRequest, told: &mut QueryWords) -> Result<Criteria, ReadingError> {
    Ok(Criteria {
        kind: word("kind", &asked.kind, Kind::ALL, Kind::as_str, told)?,
        role: word("side", &asked.side, Role::ALL, Role::as_str, told)?,
        peer: name("peer", &asked.peer, told)?,
        consumer: name("consumer", &asked.consumer, told)?,
        provider: name("provider", &asked.provider, told)?,
        system: name("system", &asked.system, told)?,
        // An officer is a person: the journal keeps no more than that one was asked about.
        officer: text("officer", &asked.officer)?.inspect(|_| told.word("officer", "…")),
        case_reference: text("case_reference", &asked.case_reference)?
            .inspect(|case| told.word("case_reference", case)),
        purpose: name("purpose", &asked.purpose, told)?,
        record_type: name("record_type", &asked.record_type, told)?,
        mode: word("mode", &asked.mode, &MODES, Mode::as_str, told)?,
        agreement: name("agreement", &asked.agreement, told)?,
        policy_revision: of_letters("policy_revision", &asked.policy_revision, is_hex)?
            .inspect(|revision| told.word("policy_revision", revision)),
        field: name("field", &asked.field, told)?,
        outcome: word(
            "outcome",
            &asked.outcome,
            Outcome::ALL,
            Outcome::as_str,
            told,
        )?,
        reason: of_letters("reason", &asked.reason, is_reason)?
            .inspect(|reason| told.word("reason", reason)),
        since: moment("since", asked.since.as_ref(), told)?,
        until: moment("until", asked.until.as_ref(), told)?,
        exchange: name("exchange_id", &asked.exchange_id, told)?,
        min_records: told.number("min_records", asked.min_records),
        min_bytes: told.number("min_bytes", asked.min_bytes),
        min_latency_us: told.number("min_latency_us", asked.min_latency_us),
        ..Criteria::default()
    })
}

/// With what the journal keeps of it.
pub(crate) fn usages(
    asked: &pb::ListUsagesRequest,
    desk: &ReadingDesk,
) -> Result<(usages::Question, QueryWords), ReadingError> {
    let mut told = QueryWords::default();
    let since = moment("since", asked.since.as_ref(), &mut told)?;
    let until = moment("until", asked.until.as_ref(), &mut told)?;
    let Some(subject) = &asked.subject else {
        return Err(ReadingError::invalid("subject", "say whose data it is"));
    };
    let person = Person::asked(subject, (since, until), desk)?;
    person.add_words("subject", &mut told);
    told.number("offset", u64::from(asked.offset));
    let limit = limit(asked.limit)?;
    told.number("limit", limit as u64);
    let question = usages::Question {
        person: person.found,
        offset: asked.offset.into(),
        limit,
    };
    Ok((question, told))
}

pub(crate) fn which(asked: &pb::GetProofRequest) -> Result<ProofTarget, ReadingError> {
    match &asked.of {
        Some(Of::Index(index)) => Ok(ProofTarget::Index(*index)),
        Some(Of::ExchangeId(id)) => Ok(ProofTarget::Exchange(parsed("exchange_id", id)?)),
        None => Err(ReadingError::invalid(
            "of",
            "give an `exchange_id` or an `index`",
        )),
    }
}

fn parsed<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T, ReadingError> {
    text.parse()
        .map_err(|error: T::Err| ReadingError::invalid(field, error.to_string()))
}

fn name<T: FromStr<Err: Display>>(
    field: &'static str,
    given: &str,
    told: &mut QueryWords,
) -> Result<Option<T>, ReadingError> {
    if given.is_empty() {
        return Ok(None);
    }
    let name = parsed(field, given)?;
    told.word(field, given);
    Ok(Some(name))
}

/// One of a fixed set of words.
fn word<T: Copy>(
    field: &'static str,
    given: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
    told: &mut QueryWords,
) -> Result<Option<T>, ReadingError> {
    if given.is_empty() {
        return Ok(None);
    }
    let Some(found) = all.iter().copied().find(|&one| as_str(one) == given) else {
        let words: Vec<_> = all.iter().map(|&one| as_str(one)).collect();
        let why = format!("expected one of {}", words.join(", "));
        return Err(ReadingError::invalid(field, why));
    };
    told.word(field, given);
    Ok(Some(found))
}

fn text(field: &'static str, given: &str) -> Result<Option<String>, ReadingError> {
    if given.len() > MAX_TEXT {
        return Err(ReadingError::invalid(
            field,
            format!("longer than {MAX_TEXT} bytes"),
        ));
    }
    Ok((!given.is_empty()).then(|| given.to_owned()))
}

/// A text that the journal will keep: of such letters only, so that no identifier gets there by mistake.
fn of_letters(
    field: &'static str,
    given: &str,
    is_letter: fn(char) -> bool,
) -> Result<Option<String>, ReadingError> {
    if !given.chars().all(is_letter) {
        return Err(ReadingError::invalid(
            field,
            "has other letters than it can have",
        ));
    }
    text(field, given)
}

fn is_hex(letter: char) -> bool {
    matches!(letter, '0'..='9' | 'a'..='f')
}

fn is_reason(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

fn moment(
    field: &'static str,
    given: Option<&Timestamp>,
    told: &mut QueryWords,
) -> Result<Option<Moment>, ReadingError> {
    let Some(at) = given else { return Ok(None) };
    let micros = at
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(at.nanos / 1_000)));
    let Some(micros) = micros.filter(|_| (0..1_000_000_000).contains(&at.nanos)) else {
        return Err(ReadingError::invalid(field, "not a time"));
    };
    let moment = Moment::from_micros(micros);
    told.moment(field, moment);
    Ok(Some(moment))
}

fn limit(given: u32) -> Result<usize, ReadingError> {
    match usize::try_from(given) {
        Ok(0) => Ok(USUAL),
        Ok(limit) if limit <= MOST => Ok(limit),
        _ => Err(ReadingError::invalid(
            "limit",
            format!("at most {MOST} to a page; follow the cursor"),
        )),
    }
}

/// Where the page before ended, as a big-endian index.
fn cursor(given: &[u8]) -> Result<Option<u64>, ReadingError> {
    if given.is_empty() {
        return Ok(None);
    }
    let bytes = <[u8; 8]>::try_from(given)
        .map_err(|_| ReadingError::invalid("cursor", "not from the trailer of a page"))?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
