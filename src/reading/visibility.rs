//! What a person is told of who received their data: all of it, unless a rule hides it for a while or for good.

use std::time::Duration;

use crate::clock::Moment;
use crate::name::DepartmentId;
use crate::name::Purpose;
use crate::name::RecordType;

/// The settings' section `[subjects]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visibility {
    /// The fields whose value identifies a person, by their own names: the schemes of the journal's tags.
    pub schemes: Vec<String>,
    /// What stands before the identifier in a user code, such as `EE`, and not in the records.
    pub user_code_prefix: String,
    pub rules: Vec<Rule>,
}

/// Hides what fits every list that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub purposes: Vec<Purpose>,
    pub consumers: Vec<DepartmentId>,
    pub record_types: Vec<RecordType>,
    /// How long after the exchange; for good without it.
    pub until: Option<Duration>,
    /// By what law.
    pub reason: String,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Disclosure<'a> {
    pub at: Moment,
    pub purpose: &'a str,
    pub consumer: &'a str,
    pub record_type: &'a str,
}

/// Why a person is not told of something, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HidingRule<'a> {
    pub reason: &'a str,
    /// None: for good.
    pub until: Option<Moment>,
}

impl Visibility {
    /// The rule that hides it longest, if any does.
    pub fn hides(&self, used: &Disclosure<'_>, now: Moment) -> Option<HidingRule<'_>> {
        self.rules
            .iter()
            .filter(|rule| rule.is_about(used))
            .map(|rule| rule.hidden(used.at))
            .filter(|hidden| hidden.until.is_none_or(|until| now < until))
            .max_by_key(|hidden| hidden.until.map_or(i64::MAX, Moment::micros))
    }
}

impl Rule {
    fn is_about(&self, used: &Disclosure<'_>) -> bool {
        (self.purposes.is_empty() || self.purposes.iter().any(|p| p.as_str() == used.purpose))
            && (self.consumers.is_empty()
                || self.consumers.iter().any(|c| c.as_str() == used.consumer))
            && (self.record_types.is_empty()
                || self
                    .record_types
                    .iter()
                    .any(|r| r.as_str() == used.record_type))
    }

    fn hidden(&self, at: Moment) -> HidingRule<'_> {
        let until = self.until.map(|delay| {
            let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
            Moment::from_micros(at.micros().saturating_add(delay))
        });
        HidingRule {
            reason: &self.reason,
            until,
        }
    }
}

#[cfg(test)]
mod tests;
