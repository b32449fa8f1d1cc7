//! A person or body that is asked about: by which fields, in which spellings, and what the journal cannot tell of them.
//!
//! Whoever asks, at the command line, over the API or at the console, asks through here.

use std::collections::BTreeSet;

use super::criteria::Criteria;
use super::hit::Hit;
use super::index::Index;
use super::search::Page;
use super::search::each;
use super::search::find;
use crate::clock::Moment;
use crate::journal::Kind;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::subject::KeyState;
use crate::journal::subject::MAX_SUBJECTS;
use crate::journal::subject::SubjectKeyError;
use crate::journal::subject::SubjectKeys;
use crate::journal::subject::Tag;
use crate::journal::subject::epoch;
use crate::journal::subject::month_name;
use crate::journal::subject::month_of;
use crate::name::FieldPath;
use crate::pb;
use crate::registry::Registry;
use crate::registry::field::Field;
use crate::registry::identifier::IdentifierForm;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

/// The longest identifier, in bytes.
const MAX_BYTES: usize = 128;
/// Answers of the consumer's that are read to see whether they say whose they were.
const MAX_READ: u64 = 20_000;

/// Whose data, and when.
#[derive(Clone, Default)]
pub struct Person {
    /// The person's tags.
    pub tags: Vec<pb::SubjectTag>,
    /// Tags of the keys of the person's own records.
    pub keys: Vec<Tag>,
    /// The earliest time.
    pub since: Option<Moment>,
    /// The first time that is too late.
    pub until: Option<Moment>,
    schemes: BTreeSet<String>,
}

/// Why nobody can be asked about.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    #[error("`{scheme}` is no field that identifies; those that do are {}", known.join(", "))]
    UnknownScheme { scheme: String, known: Vec<String> },
    #[error("an identifier has 1 to {MAX_BYTES} bytes")]
    NoIdentifier,
    #[error(transparent)]
    Keys(#[from] SubjectKeyError),
}

/// What an answer about a person does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Months of which exchanges are on record and the key is missing: nothing can be said of them.
    pub without_key: Vec<String>,
    /// Months whose records were erased, when their retention had ended, and the key with them.
    pub erased: Vec<String>,
    /// Answers with records of more people than an entry lists.
    pub bulk: u64,
    /// Answers that this department received without the field that says whose they are.
    pub unattributed: u64,
    /// Whether there may be more of those than were read.
    pub has_more: bool,
}

/// The names of the fields that identify somebody or something: the subjects and keys of all record types, and such names
/// as these types had before.
pub fn schemes(registry: &Registry) -> BTreeSet<String> {
    let of = |schema: &RecordSchema| {
        let fields = schema.subject().into_iter().chain([schema.key()]);
        let names = fields.map(|field| field.own_name().to_owned());
        let former = schema.descriptor().reserved_names().map(str::to_owned);
        names.chain(former).collect::<Vec<_>>()
    };
    registry.records().flat_map(|schema| of(schema)).collect()
}

impl Person {
    /// Somebody who is asked about for that time: who, is to be added.
    pub fn between(since: Option<Moment>, until: Option<Moment>) -> Self {
        Self {
            since,
            until,
            ..Self::default()
        }
    }

    /// Adds an identifier of the person, by the name of the field that holds it.
    ///
    /// Without a registry the name is taken as it is, and records are not looked for by their keys.
    pub fn add(
        &mut self,
        keys: &SubjectKeys,
        registry: Option<&Registry>,
        scheme: &str,
        identifier: &str,
    ) -> Result<(), PersonError> {
        if identifier.is_empty() || identifier.len() > MAX_BYTES {
            return Err(PersonError::NoIdentifier);
        }
        if let Some(known) = registry
            .map(schemes)
            .filter(|known| !known.contains(scheme))
        {
            return Err(PersonError::UnknownScheme {
                scheme: name_or_nothing(scheme),
                known: known.into_iter().collect(),
            });
        }
        self.schemes.insert(scheme.to_owned());
        let (since, until) = (self.since, self.until);
        for spelling in spellings(registry, scheme, identifier) {
            let tags = keys.subject_between(scheme, &spelling, since, until)?;
            self.tags.extend(tags);
            let schemas = registry.into_iter().flat_map(Registry::records);
            for schema in schemas.filter(|schema| schema.key().own_name() == scheme) {
                let tags = keys.record_key_between(schema.name(), &spelling, since, until)?;
                self.keys.extend(tags);
            }
        }
        Ok(())
    }

    /// Whether no tag was found: there is no key of that time.
    pub fn is_unknown(&self) -> bool {
        self.tags.is_empty() && self.keys.is_empty()
    }

    /// What an answer about the person does not tell.
    pub fn gaps(
        &self,
        reader: &Reader,
        index: Option<&Index>,
        keys: &SubjectKeys,
        registry: Option<&Registry>,
        now: Moment,
    ) -> Result<Gaps, GapsError> {
        let mut gaps = self.months(reader, index, keys, now)?;
        self.count_bulk(reader, index, registry, &mut gaps)?;
        self.count_unattributed(reader, index, registry, &mut gaps)?;
        Ok(gaps)
    }

    /// The months of which an answer tells nothing.
    pub fn months(
        &self,
        reader: &Reader,
        index: Option<&Index>,
        keys: &SubjectKeys,
        now: Moment,
    ) -> Result<Gaps, GapsError> {
        let mut gaps = Gaps::default();
        let Some(first) = reader.entry(0)? else {
            return Ok(gaps);
        };
        let begun = first.leaf.time;
        let since = self.since.map_or(begun, |since| since.max(begun));
        let until = self.until.map_or(now, |until| until.min(now));
        for month in epoch(since)..=epoch(until) {
            match keys.state(month)? {
                KeyState::Held => {}
                KeyState::Destroyed => gaps.erased.push(month_name(month)),
                KeyState::Missing if has_exchanges(reader, index, month)? => {
                    gaps.without_key.push(month_name(month));
                }
                KeyState::Missing => {}
            }
        }
        Ok(gaps)
    }

    fn count_bulk(
        &self,
        reader: &Reader,
        index: Option<&Index>,
        registry: Option<&Registry>,
        gaps: &mut Gaps,
    ) -> Result<(), ReadError> {
        let criteria = Criteria {
            min_records: MAX_SUBJECTS as u64 + 1,
            ..self.time()
        };
        each(reader, index, &criteria, None, |hit| {
            let listed = subjects(&hit);
            let is_cut =
                listed.len() >= MAX_SUBJECTS && !listed.iter().any(|tag| self.tags.contains(tag));
            gaps.bulk += u64::from(is_cut && self.may_be_of(&hit, registry));
            true
        })?;
        Ok(())
    }

    fn count_unattributed(
        &self,
        reader: &Reader,
        index: Option<&Index>,
        registry: Option<&Registry>,
        gaps: &mut Gaps,
    ) -> Result<(), ReadError> {
        let criteria = Criteria {
            role: Some(Role::Consumer),
            ..self.time()
        };
        let mut read = 0;
        each(reader, index, &criteria, None, |hit| {
            read += 1;
            gaps.unattributed += u64::from(self.is_unattributed(&hit, registry));
            gaps.has_more = read == MAX_READ;
            read < MAX_READ
        })?;
        Ok(())
    }

    /// Whether records were received of which the entry does not say whose they are, and the key does not either.
    fn is_unattributed(&self, hit: &Hit, registry: Option<&Registry>) -> bool {
        let by_key = hit.exchange().is_some_and(|record| {
            let tag = record.key_tag.as_ref();
            record.mode == Mode::Count.as_str() || self.keys.iter().any(|key| key == tag)
        });
        hit.released() && !by_key && subjects(hit).is_empty() && self.may_be_of(hit, registry)
    }

    /// Whether records of that type are of people who are identified as this person is.
    fn may_be_of(&self, hit: &Hit, registry: Option<&Registry>) -> bool {
        let Some(registry) = registry else {
            return true;
        };
        let record_type = hit.exchange().map_or("", |record| &record.record_type);
        let schema = registry.record(record_type).ok();
        let subject = schema.and_then(|schema| schema.subject());
        subject.is_some_and(|subject| self.schemes.contains(subject.own_name()))
    }

    fn time(&self) -> Criteria {
        Criteria {
            since: self.since,
            until: self.until,
            ..Criteria::default()
        }
    }
}

/// Why it cannot be told what is missing.
#[derive(Debug, thiserror::Error)]
pub enum GapsError {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Keys(#[from] SubjectKeyError),
}

/// What was given for a field's name, unless it cannot be one: an identifier that went astray is not repeated.
fn name_or_nothing(scheme: &str) -> String {
    let name = scheme.parse::<FieldPath>().ok();
    name.map_or_else(|| "…".to_owned(), |name| name.to_string())
}

/// Every spelling under which the identifier may be on record, by the rules of all fields of that name.
fn spellings(registry: Option<&Registry>, scheme: &str, identifier: &str) -> BTreeSet<String> {
    let schemas = registry.into_iter().flat_map(Registry::records);
    let fields = schemas.flat_map(|schema| schema.subject().into_iter().chain([schema.key()]));
    let mut forms: Vec<_> = fields
        .filter(|field| field.own_name() == scheme)
        .map(Field::identifier_form)
        .collect();
    if forms.is_empty() {
        forms.push(IdentifierForm::Plain);
    }
    let asked = forms.into_iter().flat_map(|form| form.asked(identifier));
    asked.collect()
}

fn has_exchanges(reader: &Reader, index: Option<&Index>, month: u32) -> Result<bool, ReadError> {
    let (since, until) = month_of(month);
    for kind in [Kind::Exchange, Kind::Intent] {
        let criteria = Criteria {
            kind: Some(kind),
            since: Some(since),
            until: Some(until),
            ..Criteria::default()
        };
        if !find(reader, index, &criteria, Page::newest(1))?
            .hits
            .is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whose data it was, as far as the entry lists it.
fn subjects(hit: &Hit) -> &[pb::SubjectTag] {
    let of_end = hit.end.as_ref().map(|end| end.record.subjects.as_slice());
    let of_record = hit.exchange().map(|record| record.subjects.as_slice());
    of_end
        .filter(|tags| !tags.is_empty())
        .or(of_record)
        .unwrap_or_default()
}

impl Gaps {
    /// Whether something is on record of which nothing can be said that should be there to be said.
    pub fn is_unanswerable(&self) -> bool {
        !self.without_key.is_empty()
    }

    /// A sentence for each gap.
    pub fn warnings(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.without_key.is_empty() {
            told.push(format!(
                "cannot be said for {}: exchanges are on record, and the month's key is missing; restore it from its backup",
                self.without_key.join(", ")
            ));
        }
        if !self.erased.is_empty() {
            told.push(format!(
                "erased, when its retention had ended: what was on record for {}",
                self.erased.join(", ")
            ));
        }
        if self.bulk > 0 {
            told.push(format!(
                "{} more answers had records of more than {MAX_SUBJECTS} people each: whether this person was among them is not on record",
                self.bulk
            ));
        }
        if self.unattributed > 0 {
            let more = if self.has_more { " or more" } else { "" };
            told.push(format!(
                "{}{more} answers were received without the field that says whose they are: for these, ask the provider, or by the record's key",
                self.unattributed
            ));
        }
        told
    }
}

/// Nothing of it is shown: it is about a person.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(..)")
    }
}
