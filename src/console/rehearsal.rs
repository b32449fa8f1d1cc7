//! What a policy would have said to the questions that a journal has, beside what another one says.
//!
//! Both judge each question as if it were asked now. A journal has no filters, orders, keys or claimed values: a question
//! is judged without them.

use std::collections::HashMap;

use crate::clock::Moment;
use crate::evidence::tally::Coverage;
use crate::evidence::tally::each_record;
use crate::identity::Caller;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::pb;
use crate::pb::journal_record::Kind;
use crate::policy::PolicySet;
use crate::policy::decision::Denial;
use crate::policy::decision::Permit;
use crate::registry::Registry;
use crate::registry::query::Mode;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;
use crate::registry::query::Selection;
use crate::registry::value::Literal;

/// Who asked for what, as a journal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Question {
    pub consumer: String,
    pub system: String,
    pub record_type: String,
    pub mode: String,
    pub purpose: String,
    /// Those released; none of a question that was refused.
    pub fields: Vec<String>,
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Lost,
    Gained,
    /// Permitted as before, with other masks or other rows.
    Otherwise,
}

/// A question to which the two policies do not say the same.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    pub question: Question,
    pub turn: Turn,
    /// Why the policy that refuses it does.
    pub denial: Option<Denial>,
    /// How often it was asked.
    pub exchanges: u64,
    pub last: Moment,
}

/// What was found in a period.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    /// Those most often asked first.
    pub shifts: Vec<Shift>,
    pub exchanges: u64,
    /// Of record types, departments or fields that are no more.
    pub unjudged: u64,
    pub coverage: Coverage,
}

/// Puts every question of a period to both policies.
pub(super) fn rehearse(
    reader: &Reader,
    since: Moment,
    until: Moment,
    policies: [&PolicySet; 2],
    registry: &Registry,
) -> Result<Rehearsal, ReadError> {
    let mut asked: HashMap<Question, (u64, Moment)> = HashMap::new();
    let coverage = each_record(reader, since, until, |leaf, record| {
        if let Some(Kind::Exchange(record)) = record.kind {
            let (exchanges, last) = asked.entry(Question::of(record)).or_insert((0, leaf.time));
            *exchanges += 1;
            *last = leaf.time;
        }
    })?;
    let mut rehearsal = Rehearsal {
        coverage,
        ..Rehearsal::default()
    };
    for (question, (exchanges, last)) in asked {
        rehearsal.exchanges += exchanges;
        let Some((caller, query)) = question.read(registry) else {
            rehearsal.unjudged += exchanges;
            continue;
        };
        let [before, after] = policies.map(|policy| policy.decide(&caller, query.clone(), until));
        if let Some((turn, denial)) = turn(before, after) {
            rehearsal.shifts.push(Shift {
                question,
                turn,
                denial,
                exchanges,
                last,
            });
        }
    }
    rehearsal.shifts.sort_by(|one, other| {
        (one.turn, other.exchanges, &one.question).cmp(&(
            other.turn,
            one.exchanges,
            &other.question,
        ))
    });
    Ok(rehearsal)
}

fn turn(
    before: Result<Permit, Denial>,
    after: Result<Permit, Denial>,
) -> Option<(Turn, Option<Denial>)> {
    match (before, after) {
        (Ok(_), Err(denial)) => Some((Turn::Lost, Some(denial))),
        (Err(denial), Ok(_)) => Some((Turn::Gained, Some(denial))),
        (Ok(before), Ok(after)) if !before.releases_as(&after) => Some((Turn::Otherwise, None)),
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => None,
    }
}

impl Question {
    fn of(record: pb::ExchangeRecord) -> Self {
        Self {
            consumer: record.consumer,
            system: record.system,
            record_type: record.record_type,
            mode: record.mode,
            purpose: record.purpose,
            fields: record.fields,
        }
    }

    /// None where it cannot be asked any more.
    fn read(&self, registry: &Registry) -> Option<(Caller, Query)> {
        let caller = Caller::assumed(self.consumer.parse().ok()?, self.system.parse().ok());
        let schema = registry.record(&self.record_type).ok()?;
        let raw = Raw {
            purpose: &self.purpose,
            fields: &self.fields,
            selection: RawSelection::Count { filter: "" },
        };
        let mut query = Query::check(schema, &raw).ok()?;
        query.selection = selection(&self.mode)?;
        Some((caller, query))
    }
}

/// No decision rests on a key.
fn selection(mode: &str) -> Option<Selection> {
    let key = Literal::Boolean(false);
    let mode = Mode::ALL.into_iter().find(|known| known.as_str() == mode)?;
    Some(match mode {
        Mode::Get => Selection::Get { key },
        Mode::Query => Selection::Query {
            filter: None,
            order: Vec::new(),
            limit: None,
            cursor: None,
        },
        Mode::Verify => Selection::Verify {
            key,
            claims: Vec::new(),
        },
        Mode::Count => Selection::Count { filter: None },
    })
}
