//! Whether a new revision of the registry breaks those who read by the old one.
//!
//! The verdicts on what protobuf means are those of `buf breaking`, for proto3; the tests compare the two.

mod enums;
mod fields;
mod files;
mod governance;
mod messages;
pub mod rule;
mod services;
mod side;

use std::collections::BTreeMap;
use std::ops::Range;

use prost_reflect::DescriptorPool;
use prost_reflect::FileDescriptor;
use prost_types::source_code_info::Location;

use super::schema::RecordSchema;
use rule::Rule;
use side::Side;

/// One thing that a change breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file's name in the registry: of the new revision, or of the old one where the file is gone.
    pub file: String,
    /// 1-based; 0 when unknown. Of something deleted: the line of what it stood in.
    pub line: usize,
    pub rule: Rule,
    /// The full name of what is changed, e.g. `civil.v1.Resident.name`.
    pub element: String,
    /// What breaks.
    pub message: String,
}

/// All findings of all rules, by file and line.
///
/// The pools hold what was compiled with source information; files that the gateway itself brings are not compared.
pub fn compare(before: &DescriptorPool, after: &DescriptorPool) -> Vec<Finding> {
    let mut report = Report {
        before: &Side::of(before),
        after: &Side::of(after),
        findings: Vec::new(),
    };
    report.files();
    report.messages();
    report.enums();
    report.services();
    report.fields();
    report.governance();
    report.findings.sort();
    report.findings
}

struct Report<'a> {
    before: &'a Side,
    after: &'a Side,
    findings: Vec<Finding>,
}

/// A declaration: its file, and its path there (`google.protobuf.SourceCodeInfo.Location.path`).
pub(super) struct Site<'a> {
    pub(super) file: &'a FileDescriptor,
    pub(super) path: &'a [i32],
}

impl Finding {
    /// About a record type of the new revision.
    pub fn of_record(rule: Rule, record: &RecordSchema, element: String, message: String) -> Self {
        let descriptor = record.descriptor();
        let file = descriptor.parent_file();
        let site = Site {
            file: &file,
            path: descriptor.path(),
        };
        Self {
            line: site.line(),
            file: file.name().to_owned(),
            rule,
            element,
            message,
        }
    }
}

impl Report<'_> {
    fn add(&mut self, rule: Rule, site: &Site<'_>, element: &str, message: String) {
        self.findings.push(Finding {
            file: site.file.name().to_owned(),
            line: site.line(),
            rule,
            element: element.to_owned(),
            message,
        });
    }
}

impl Site<'_> {
    /// 1-based; 0 when unknown.
    pub(super) fn line(&self) -> usize {
        let line = self.location().and_then(|location| location.span.first());
        let line = line.and_then(|line| usize::try_from(*line).ok());
        line.map_or(0, |line| line + 1)
    }

    pub(super) fn has_comment(&self) -> bool {
        self.location().is_some_and(|location| {
            !location.leading_comments().trim().is_empty()
                || !location.trailing_comments().trim().is_empty()
        })
    }

    /// The lines of the declaration and of the comment before it, counted from 0.
    pub(super) fn lines(&self) -> Option<Range<usize>> {
        let location = self.location()?;
        let number = |at: &i32| usize::try_from(*at).ok();
        // Start line, start column, end line, end column; without the end line where it is the first, too.
        let (first, last) = match location.span.as_slice() {
            [first, _, last, _] => (number(first)?, number(last)?),
            [first, ..] => (number(first)?, number(first)?),
            [] => return None,
        };
        let comment = location.leading_comments().lines().count();
        Some(first.saturating_sub(comment)..last + 1)
    }

    fn location(&self) -> Option<&Location> {
        let file = self.file.file_descriptor_proto();
        let mut locations = file.source_code_info.iter().flat_map(|info| &info.location);
        locations.find(|location| location.path == self.path)
    }
}

/// Pairs what both revisions have.
fn pairs<'a, K: Ord, V>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a V, &'a V)> {
    before
        .iter()
        .filter_map(|(key, old)| Some((old, after.get(key)?)))
}

#[cfg(test)]
mod tests;
