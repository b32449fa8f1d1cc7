//! A person who is asked about: known to the journal by tags only, one for each month and scheme.

use std::slice;

use super::desk::ReadingDesk;
use super::error::ReadingError;
use super::query_words::QueryWords;
use crate::clock::Moment;
use crate::evidence::person;
use crate::evidence::person::PersonError;
use crate::pb;
use crate::registry::identifier::IdentifierForm;

/// The tags of one identifier.
pub(crate) struct Person {
    /// Those of every month in question.
    pub(crate) found: person::Person,
    /// This month's, with its scheme, for the journal's account of the question.
    shown: Vec<(String, pb::SubjectTag)>,
}

/// From the first moment, before the second.
pub(crate) type Period = (Option<Moment>, Option<Moment>);

impl Person {
    /// A person as the API names one. Without a scheme, those of the settings are meant.
    pub(super) fn asked(
        subject: &pb::Subject,
        period: Period,
        desk: &ReadingDesk,
    ) -> Result<Self, ReadingError> {
        let schemes = match subject.scheme.is_empty() {
            false => slice::from_ref(&subject.scheme),
            true => desk.subjects.schemes.as_slice(),
        };
        if schemes.is_empty() {
            let why = "say which field identifies, such as `national_id`: the settings have no [subjects] to go by";
            return Err(ReadingError::invalid("subject.scheme", why));
        }
        Self::identified(
            "subject.identifier",
            &subject.identifier,
            schemes,
            period,
            desk,
        )
    }

    /// Whoever has that identifier under any of the schemes.
    pub(crate) fn identified(
        field: &'static str,
        identifier: &str,
        schemes: &[String],
        (since, until): Period,
        desk: &ReadingDesk,
    ) -> Result<Self, ReadingError> {
        let keys = desk.exchange.subject_keys();
        let now = keys.month(desk.now()).map_err(ReadingError::failed)?;
        let snapshot = desk.exchange.snapshot();
        let mut found = person::Person::between(since, until);
        let mut shown = Vec::new();
        let written = IdentifierForm::Plain.written(identifier);
        for scheme in schemes {
            // Only a field's name goes on record: an identifier that went astray is none.
            found
                .add(keys, Some(&snapshot.registry), scheme, identifier)
                .map_err(|error| unread(field, error))?;
            shown.push((scheme.clone(), now.subject(scheme, &written)));
        }
        Ok(Self { found, shown })
    }

    /// Tells whom it is about to those who have the key, and to nobody else.
    pub(crate) fn add_words(&self, key: &str, told: &mut QueryWords) {
        for (scheme, tag) in &self.shown {
            told.person(key, scheme, tag);
        }
    }
}

fn unread(field: &'static str, error: PersonError) -> ReadingError {
    match error {
        PersonError::UnknownScheme { .. } => {
            ReadingError::invalid("subject.scheme", error.to_string())
        }
        PersonError::NoIdentifier => ReadingError::invalid(field, error.to_string()),
        PersonError::Keys(error) => ReadingError::failed(error),
    }
}
