//! The question of a person's portal, from a query string and headers.

use axum::http::HeaderMap;

use crate::clock::Moment;
use crate::door::operators::parameters::Parameters;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::person::Period;
use crate::reading::person::Person;
use crate::reading::query_words::QueryWords;
use crate::reading::usages;
use crate::registry::identifier::IdentifierForm;

/// Usages of a page, unless fewer are asked for.
const LIMIT: usize = 1_000;

pub(super) struct TrackerRequest {
    pub(super) question: usages::Question,
    pub(super) told: QueryWords,
}

impl TrackerRequest {
    pub(super) fn read(
        headers: &HeaderMap,
        query: &str,
        desk: &ReadingDesk,
    ) -> Result<Self, ReadingError> {
        let parameters = Parameters::read(query)?;
        let mut told = QueryWords::default();
        let since = parameters.moment("periodStart", desk.offset)?;
        let last = parameters.moment("periodEnd", desk.offset)?;
        // The period's end belongs to it.
        let until = last.map(|last| Moment::from_micros(last.micros().saturating_add(1)));
        let code = parameters
            .one("userCode")?
            .ok_or_else(|| ReadingError::invalid("userCode", "is missing: whose data it is"))?;
        let user = headers
            .get("x-road-userid")
            .and_then(|value| value.to_str().ok());
        let user = user.ok_or_else(|| {
            ReadingError::invalid("X-Road-UserId", "the header is missing: who asks")
        })?;
        let person = person("userCode", code, (since, until), desk)?;
        person.add_words("subject", &mut told);
        person_who_asks(user, desk)?.add_words("user", &mut told);
        for (key, moment) in [("since", since), ("until", until)] {
            if let Some(moment) = moment {
                told.moment(key, moment);
            }
        }
        let offset = parameters
            .number("offset", 0..=i32::MAX as usize)?
            .unwrap_or(0);
        let limit = parameters.number("limit", 1..=LIMIT)?.unwrap_or(LIMIT);
        told.number("offset", offset as u64);
        told.number("limit", limit as u64);
        Ok(Self {
            question: usages::Question {
                person: person.found,
                offset: offset as u64,
                limit,
            },
            told,
        })
    }
}

fn person_who_asks(user: &str, desk: &ReadingDesk) -> Result<Person, ReadingError> {
    // Of the one who asks, this month's tag says enough.
    let now = desk.now();
    person("X-Road-UserId", user, (Some(now), Some(now)), desk)
}

/// The person with that code, which may have a country's letters before the identifier.
fn person(
    field: &'static str,
    code: &str,
    period: Period,
    desk: &ReadingDesk,
) -> Result<Person, ReadingError> {
    let settings = &desk.subjects;
    let prefix = settings.user_code_prefix.as_str();
    let written = |text| IdentifierForm::Plain.written(text);
    let (plain_code, plain_prefix) = (written(code), written(prefix));
    let identifier = code
        .strip_prefix(prefix)
        .or_else(|| plain_code.strip_prefix(plain_prefix.as_ref()))
        .unwrap_or(code);
    Person::identified(field, identifier, &settings.schemes, period, desk)
}
