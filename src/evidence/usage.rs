//! Who received a person's data, when, for which purpose and under which agreement.

use super::criteria::Criteria;
use super::hit::Hit;
use super::index::Index;
use super::person::Person;
use super::search::Coverage;
use super::search::each;
use crate::clock::Moment;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::subject::SubjectKeys;
use crate::journal::subject::epoch;
use crate::journal::subject::month_name;
use crate::journal::subject::month_of;
use crate::name::ExchangeId;
use crate::pb::journal_record;

/// Which of a person's usages are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Requests, too, by which nothing was received.
    pub attempts: bool,
    /// How many of the newest are left out.
    pub offset: u64,
    /// The most that are given.
    pub limit: usize,
}

/// One exchange in which a person's data was received, or asked for.
#[derive(Clone)]
pub struct Usage {
    /// The entry; of a stream, its opening.
    pub index: u64,
    pub time: Moment,
    /// As the consumer, this department received the data; as the provider, it gave them away.
    pub role: Role,
    /// Whether the consumer received or had confirmed anything; otherwise it was an attempt.
    pub received: bool,
    pub consumer: String,
    pub provider: String,
    pub system: String,
    /// The consumer's employee: to be shown to the person only where the law says so.
    pub officer: String,
    pub record_type: String,
    /// get, query, verify or count.
    pub mode: String,
    /// What was received, each path with whether it was masked.
    pub fields: Vec<(String, bool)>,
    pub purpose: String,
    pub case_reference: String,
    pub agreement: String,
    pub exchange: Option<ExchangeId>,
    pub outcome: Outcome,
    /// `answered`, or the stable reason why not.
    pub reason: String,
}

/// A part of a person's usages.
#[derive(Debug)]
pub struct Usages {
    /// The newest first.
    pub usages: Vec<Usage>,
    /// How many there are in all.
    pub total: u64,
    pub reach: Coverage,
}

/// The months of whose key the journal's entries have tags, and of which the folder knows nothing.
pub fn lost_months(reader: &Reader, keys: &SubjectKeys) -> Result<Vec<String>, ReadError> {
    let (Some(first), Some(last)) = (reader.entry(0)?, reader.backward()?.next().transpose()?)
    else {
        return Ok(Vec::new());
    };
    let mut lost = Vec::new();
    for month in epoch(first.leaf.time)..=epoch(last.leaf.time) {
        if !keys.accounts_for(month) && has_tags_of(reader, month)? {
            lost.push(month_name(month));
        }
    }
    Ok(lost)
}

/// Whether an exchange of that month names a subject by its key. Read only where the key is missing.
fn has_tags_of(reader: &Reader, month: u32) -> Result<bool, ReadError> {
    for stored in reader.since(month_of(month).0)? {
        let stored = stored?;
        if epoch(stored.leaf.time) > month {
            return Ok(false);
        }
        let subjects = match stored.record()?.and_then(|record| record.kind) {
            Some(journal_record::Kind::Exchange(record)) => record.subjects,
            Some(journal_record::Kind::StreamEnd(record)) => record.subjects,
            _ => continue,
        };
        if subjects.iter().any(|tag| tag.epoch == month) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A person's usages.
pub fn usages(
    reader: &Reader,
    index: Option<&Index>,
    person: &Person,
    pick: Pick,
) -> Result<Usages, ReadError> {
    let criteria = Criteria {
        subjects: person.tags.clone(),
        keys: person.keys.clone(),
        since: person.since,
        until: person.until,
        ..Criteria::default()
    };
    // Open criteria would find everything.
    let nobody = person.is_unknown();
    let (mut total, mut usages) = (0, Vec::new());
    let reach = each(reader, index, &criteria, nobody.then_some(0), |hit| {
        let usage = Usage::of(&hit).filter(|usage| usage.received || pick.attempts);
        if let Some(usage) = usage {
            if total >= pick.offset && usages.len() < pick.limit {
                usages.push(usage);
            }
            total += 1;
        }
        true
    })?;
    Ok(Usages {
        usages,
        total,
        reach,
    })
}

impl Usage {
    fn of(hit: &Hit) -> Option<Self> {
        let record = hit.exchange()?;
        let reason = hit
            .end
            .as_ref()
            .map_or(&record.reason, |end| &end.record.reason);
        let received = hit.released();
        let field = |path: &String| (path.clone(), record.masked.contains(path));
        Some(Self {
            index: hit.index,
            time: hit.leaf.time,
            role: hit.leaf.role,
            received,
            consumer: record.consumer.clone(),
            provider: record.provider.clone(),
            system: record.system.clone(),
            officer: record.officer.clone(),
            record_type: record.record_type.clone(),
            mode: record.mode.clone(),
            fields: match received {
                true => record.fields.iter().map(field).collect(),
                false => Vec::new(),
            },
            purpose: record.purpose.clone(),
            case_reference: record.case_reference.clone(),
            agreement: record.agreement.clone(),
            exchange: hit.leaf.exchange,
            outcome: hit.outcome(),
            reason: reason.clone(),
        })
    }
}

/// Nothing of it is shown: it is about a person.
impl std::fmt::Debug for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Usage")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
