//! A person who is asked about: known to the journal by tags only, one for each month and scheme.

use std::slice;

use super::desk::Desk;
use super::told::Told;
use super::unread::Unread;
use crate::audit::usage;
use crate::clock::Moment;
use crate::exchange::snapshot::Snapshot;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb;
use crate::registry::field::Field;

/// The longest identifier, in bytes.
const MAX_BYTES: usize = 128;
/// The longest scheme, in bytes.
const MAX_SCHEME: usize = 64;

/// The tags of one identifier.
pub(super) struct Person {
    /// Those of every month in question.
    pub(super) subject: usage::Subject,
    /// This month's, with its scheme, for the journal's account of the question.
    shown: Vec<(String, pb::SubjectTag)>,
}

/// The record types whose key is that identifier: what they are asked by says whom it is about, also where no record was
/// given.
fn own_records(schemes: &[String], snapshot: &Snapshot) -> Vec<RecordType> {
    let names = |field: &Field| {
        schemes
            .iter()
            .any(|scheme| scheme == field.descriptor().name())
    };
    snapshot
        .registry
        .records()
        .filter(|schema| {
            let key = schema.key();
            names(key)
                && schema
                    .subject()
                    .is_some_and(|subject| subject.path() == key.path())
        })
        .map(|schema| schema.name().clone())
        .collect()
}

/// The journal keeps the scheme, so it must be a field's name and not an identifier that went astray.
fn scheme(given: &str) -> Result<Option<String>, Unread> {
    if given.is_empty() {
        return Ok(None);
    }
    let is_name = given.len() <= MAX_SCHEME
        && given
            .parse::<FieldPath>()
            .is_ok_and(|path| path.segments().count() == 1);
    if !is_name {
        return Err(Unread::invalid(
            "subject.scheme",
            "is not the name of a field",
        ));
    }
    Ok(Some(given.to_owned()))
}

/// From the first moment, before the second.
pub(super) type Period = (Option<Moment>, Option<Moment>);

impl Person {
    /// A person as the API names one. Without a scheme, those of the settings are meant.
    pub(super) fn asked(
        subject: &pb::Subject,
        period: Period,
        desk: &Desk,
    ) -> Result<Self, Unread> {
        let own = scheme(&subject.scheme)?;
        let schemes = match &own {
            Some(scheme) => slice::from_ref(scheme),
            None => desk.subjects.schemes.as_slice(),
        };
        if schemes.is_empty() {
            let why = "say which field identifies, such as `national_id`: the settings have no [subjects] to go by";
            return Err(Unread::invalid("subject.scheme", why));
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
    pub(super) fn identified(
        field: &'static str,
        identifier: &str,
        schemes: &[String],
        (since, until): Period,
        desk: &Desk,
    ) -> Result<Self, Unread> {
        if identifier.is_empty() || identifier.len() > MAX_BYTES {
            let why = format!("an identifier has 1 to {MAX_BYTES} bytes");
            return Err(Unread::invalid(field, why));
        }
        let keys = desk.exchange.subject_keys();
        let now = keys.month(desk.now()).map_err(Unread::failed)?;
        let mut subject = usage::Subject {
            since,
            until,
            ..usage::Subject::default()
        };
        let mut shown = Vec::new();
        for scheme in schemes {
            let tags = keys.subject_between(scheme, identifier, since, until);
            subject.tags.extend(tags.map_err(Unread::failed)?);
            shown.push((scheme.clone(), now.subject(scheme, identifier)));
        }
        for record in own_records(schemes, &desk.exchange.snapshot()) {
            let keys = keys.record_key_between(&record, identifier, since, until);
            subject.keys.extend(keys.map_err(Unread::failed)?);
        }
        Ok(Self { subject, shown })
    }

    /// Tells whom it is about to those who have the key, and to nobody else.
    pub(super) fn tell(&self, key: &str, told: &mut Told) {
        for (scheme, tag) in &self.shown {
            told.person(key, scheme, tag);
        }
    }
}
