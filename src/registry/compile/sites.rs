//! Where each declaration stands in its file, with its comment.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

use super::tree::Source;
use crate::fault::Fault;

/// The declarations of one file.
pub(super) struct Sites<'a> {
    source: &'a Source,
    by_path: HashMap<Vec<i32>, Site>,
}

#[derive(Default)]
struct Site {
    line: usize,
    column: usize,
    comment: String,
}

impl<'a> Sites<'a> {
    pub(super) fn of(file: &FileDescriptor, source: &'a Source) -> Self {
        let by_path = file
            .file_descriptor_proto()
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .map(|location| {
                let comment = location
                    .leading_comments
                    .as_ref()
                    .or(location.trailing_comments.as_ref());
                let site = Site {
                    line: one_based(location.span.first()),
                    column: one_based(location.span.get(1)),
                    comment: comment.map(|text| plain(text)).unwrap_or_default(),
                };
                (location.path.clone(), site)
            })
            .collect();
        Self { source, by_path }
    }

    /// A fault at the declaration with that path (`google.protobuf.SourceCodeInfo.Location.path`).
    pub(super) fn fault(&self, path: &[i32], key: &str, message: String) -> Fault {
        let (line, column) = self
            .by_path
            .get(path)
            .map_or((0, 0), |site| (site.line, site.column));
        self.source.fault(line, column, key, message)
    }

    /// Whether the declaration with that path stands in the file.
    pub(super) fn has(&self, path: &[i32]) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn comment(&self, path: &[i32]) -> String {
        self.by_path
            .get(path)
            .map(|site| site.comment.clone())
            .unwrap_or_default()
    }
}

/// Positions in descriptors count from zero.
fn one_based(position: Option<&i32>) -> usize {
    position
        .and_then(|p| usize::try_from(*p).ok())
        .map_or(0, |p| p + 1)
}

/// A comment without the blanks that begin and end its lines.
fn plain(comment: &str) -> String {
    let lines: Vec<_> = comment.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}
