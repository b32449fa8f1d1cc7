//! Who received a person's data, as auditors see it and as the person is told.

use std::path::Path;
use std::sync::Arc;

use super::desk::ReadingDesk;
use super::error::ReadingError;
use super::lookup;
use super::visibility::Disclosure;
use super::visibility::HidingRule;
use super::visibility::Visibility;
use crate::clock::Moment;
use crate::evidence::person::Gaps;
use crate::evidence::person::Person;
use crate::evidence::usage::Pick;
use crate::evidence::usage::Usage;
use crate::evidence::usage::Usages;
use crate::identity::directory::Directory;

/// One page of a person's usages.
pub(crate) struct Question {
    pub(crate) person: Person,
    /// How many of the newest are left out.
    pub(crate) offset: u64,
    pub(crate) limit: usize,
}

/// For whom the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Auditor,
    /// Who is not told of what a rule hides, nor that there is something.
    Person,
}

pub(crate) async fn find(
    desk: &Arc<ReadingDesk>,
    question: Question,
    whom: Audience,
) -> Result<(Usages, Gaps), ReadingError> {
    let (own, now) = (desk.clone(), desk.now());
    desk.look_up(move || {
        let person = &question.person;
        Ok(match whom {
            Audience::Auditor => (all(&own.journal, &question)?, lookup::gaps(&own, person)?),
            Audience::Person => {
                let shown = shown(&own.journal, &question, &own.subjects, now)?;
                (shown, lookup::months(&own, person)?)
            }
        })
    })
    .await
}

fn all(journal: &Path, question: &Question) -> Result<Usages, ReadingError> {
    let pick = Pick {
        attempts: false,
        offset: question.offset,
        limit: question.limit,
    };
    lookup::usages(journal, &question.person, pick)
}

/// Without those that a rule hides. Which page one is on depends on the rules, so all are found before pages are made.
fn shown(
    journal: &Path,
    question: &Question,
    rules: &Visibility,
    now: Moment,
) -> Result<Usages, ReadingError> {
    let pick = Pick {
        attempts: false,
        offset: 0,
        limit: usize::MAX,
    };
    let mut found = lookup::usages(journal, &question.person, pick)?;
    found
        .usages
        .retain(|usage| hidden(usage, rules, now).is_none());
    found.total = found.usages.len() as u64;
    let offset = usize::try_from(question.offset).unwrap_or(usize::MAX);
    found.usages.drain(..offset.min(found.usages.len()));
    found.usages.truncate(question.limit);
    Ok(found)
}

/// Why the person is not told of it, if so.
pub(crate) fn hidden<'a>(
    usage: &Usage,
    rules: &'a Visibility,
    now: Moment,
) -> Option<HidingRule<'a>> {
    let used = Disclosure {
        at: usage.time,
        purpose: &usage.purpose,
        consumer: &usage.consumer,
        record_type: &usage.record_type,
    };
    rules.hides(&used, now)
}

/// The consumer's name, or its id where the directory does not have it any more.
pub(crate) fn receiver(usage: &Usage, directory: &Directory) -> String {
    let consumer = &usage.consumer;
    let known = consumer
        .parse()
        .ok()
        .and_then(|id| directory.department(&id));
    known.map_or_else(|| consumer.clone(), |department| department.name.clone())
}
