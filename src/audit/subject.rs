//! Keyed hashes of the people and records that an entry is about: searched for with the key, not guessed without it.

use std::fmt;

use aws_lc_rs::hmac;
use time::UtcOffset;

use super::digest::length_prefixed;
use crate::clock::Moment;
use crate::name::RecordType;
use crate::pb;

/// The tag of one identifier under one month's key.
pub type Tag = [u8; 16];

/// A department's secret, from which each month's key is derived. Tags of two departments or two months cannot be joined.
#[derive(Clone)]
pub struct SubjectKeys {
    secret: hmac::Key,
}

impl SubjectKeys {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The tag of a person or body that a record is about. `scheme` says what kind of identifier it is, e.g. the full name of
    /// the field that holds it.
    pub fn subject(&self, scheme: &str, id: &str, at: Moment) -> pb::SubjectTag {
        self.subject_in(epoch(at), scheme, id)
    }

    /// The tags that one identifier had in the months from one time to another, at most 1,200 of them.
    pub fn subject_between(
        &self,
        scheme: &str,
        id: &str,
        since: Moment,
        until: Moment,
    ) -> Vec<pb::SubjectTag> {
        (epoch(since)..=epoch(until))
            .take(1_200)
            .map(|epoch| self.subject_in(epoch, scheme, id))
            .collect()
    }

    /// The tag of the key by which a record is asked for, so that tries at one record can be counted.
    pub fn record_key(&self, record: &RecordType, key: &str, at: Moment) -> Tag {
        self.tag("landbridge record key\0", epoch(at), record.as_str(), key)
    }

    fn subject_in(&self, epoch: u32, scheme: &str, id: &str) -> pb::SubjectTag {
        let tag = self.tag("landbridge subject\0", epoch, scheme, id);
        pb::SubjectTag {
            epoch,
            tag: tag.to_vec().into(),
        }
    }

    /// `HMAC(HMAC(secret, purpose || u32 epoch), LP(scheme) || LP(id))[:16]`.
    fn tag(&self, purpose: &str, epoch: u32, scheme: &str, id: &str) -> Tag {
        let mut derived = hmac::Context::with_key(&self.secret);
        derived.update(purpose.as_bytes());
        derived.update(&epoch.to_be_bytes());
        let mut context =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, derived.sign().as_ref()));
        for part in [scheme, id] {
            length_prefixed(part.as_bytes(), |bytes| context.update(bytes));
        }
        // An HMAC-SHA-256 has 32 bytes.
        context
            .sign()
            .as_ref()
            .first_chunk()
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Debug for SubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKeys(..)")
    }
}

/// Months since January 1970, UTC; 0 for what was before.
pub fn epoch(at: Moment) -> u32 {
    let date = at.date(UtcOffset::UTC);
    let months = (date.year() - 1970) * 12 + i32::from(u8::from(date.month())) - 1;
    u32::try_from(months).unwrap_or(0)
}

#[cfg(test)]
mod tests;
