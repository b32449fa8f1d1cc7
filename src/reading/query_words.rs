//! A question as the journal keeps it, e.g. `peer=tax since=2026-05-01T00:00:00Z limit=100`.

use std::fmt;

use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::clock::Moment;
use crate::digest::hex;
use crate::pb;

/// The longest word, in characters.
const MAX_WORD: usize = 160;

/// What was asked for, a word for each condition. Whoever puts a word in sees to it that it identifies nobody.
#[derive(Clone, Default)]
pub(crate) struct QueryWords(String);

impl QueryWords {
    pub(crate) fn word(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        let printable = value.chars().map(|c| {
            if c.is_control() || c.is_whitespace() {
                '_'
            } else {
                c
            }
        });
        self.0.extend(printable.take(MAX_WORD));
    }

    /// Gives the number back; 0 is not told.
    pub(crate) fn number(&mut self, key: &str, value: u64) -> u64 {
        if value > 0 {
            self.word(key, &value.to_string());
        }
        value
    }

    pub(crate) fn moment(&mut self, key: &str, at: Moment) {
        let text = at.at(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default();
        self.word(key, &text);
    }

    /// A person, by the tag that this month's key gives: `subject=national_id#682:9f…`.
    pub(crate) fn person(&mut self, key: &str, scheme: &str, tag: &pb::SubjectTag) {
        self.word(key, &format!("{scheme}#{}:{}", tag.epoch, hex(&tag.tag)));
    }
}

impl fmt::Display for QueryWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
