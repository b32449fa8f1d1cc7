//! Parses each file by itself.

use std::borrow::Cow;
use std::collections::HashMap;

use prost_types::FileDescriptorProto;
use protox::file::File;

use super::code;
use super::nesting;
use super::tree::Source;
use crate::fault::Fault;

const PROTO3: &str = "write `syntax = \"proto3\";` at the head of the file";

/// Field numbers of `google.protobuf.FileDescriptorProto`.
const DEPENDENCY_FIELD: i32 = 3;
const SYNTAX_FIELD: i32 = 12;

/// The files that parse, by name, and the faults of those that do not.
pub(super) fn all(sources: &[Source]) -> (HashMap<&str, FileDescriptorProto>, Vec<Fault>) {
    let mut parsed = HashMap::new();
    let mut faults = Vec::new();
    for source in sources {
        match one(source) {
            Ok(file) => drop(parsed.insert(source.name.as_str(), file)),
            Err(fault) => faults.push(fault),
        }
    }
    (parsed, faults)
}

fn one(source: &Source) -> Result<FileDescriptorProto, Fault> {
    nesting::check(source)?;
    let text = without_negative_words(&source.text);
    let file = File::from_source(&source.name, &text)
        .map_err(|error| edition(source).unwrap_or_else(|| syntax_fault(&error, source)))?;
    let file = FileDescriptorProto::from(file);
    if file.syntax() == "proto3" {
        return Ok(file);
    }
    let (line, column) = position_of(&file, &[SYNTAX_FIELD]).unwrap_or((1, 1));
    Err(source.fault(line, column, "", format!("proto2 is not read; {PROTO3}")))
}

/// The compiler reads no `-inf` and no `-nan` as the value of an option. A number that is too large for the type is
/// infinite, too, and the sign of `nan` says nothing.
fn without_negative_words(text: &str) -> Cow<'_, str> {
    if !(text.contains("inf") || text.contains("nan")) {
        return Cow::Borrowed(text);
    }
    let code: Vec<_> = code::bytes(text)
        .filter(|(_, byte)| !byte.is_ascii_whitespace())
        .collect();
    let mut corrected = text.to_owned();
    for pair in code.windows(3).rev() {
        let &[(_, b'='), (minus, b'-'), (word, _)] = pair else {
            continue;
        };
        let rest = text.get(word..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        match rest.get(..end.unwrap_or(rest.len())) {
            Some("inf") => corrected.replace_range(word..word + 3, "1e999"),
            Some("nan") => corrected.replace_range(minus..=minus, " "),
            _ => {}
        }
    }
    Cow::Owned(corrected)
}

/// The compiler knows no editions and calls them a syntax error.
fn edition(source: &Source) -> Option<Fault> {
    let line = source.text.lines().position(|line| {
        line.trim_start()
            .strip_prefix("edition")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })?;
    let message = format!("protobuf editions are not read; {PROTO3} instead of `edition`");
    Some(source.fault(line + 1, 1, "", message))
}

/// The compiler tells positions in its `Debug` form only: `file:line:column: message`.
fn syntax_fault(error: &protox::Error, source: &Source) -> Fault {
    let debug = format!("{error:?}");
    let mut position = debug
        .strip_prefix(&source.name)
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or_default()
        .split(':')
        .map_while(|part| part.parse().ok());
    let line = position.next().unwrap_or(0);
    let column = position.next().unwrap_or(0);
    source.fault(line, column, "", in_backticks(&error.to_string()))
}

/// The compiler quotes with apostrophes.
pub(super) fn in_backticks(message: &str) -> String {
    message.replace('\'', "`")
}

/// The 1-based line and column of the import with that index; zeros when unknown.
pub(super) fn position_of_import(file: &FileDescriptorProto, index: usize) -> (usize, usize) {
    i32::try_from(index)
        .ok()
        .and_then(|index| position_of(file, &[DEPENDENCY_FIELD, index]))
        .unwrap_or_default()
}

/// The 1-based line and column of the declaration with that path.
pub(super) fn position_of(file: &FileDescriptorProto, path: &[i32]) -> Option<(usize, usize)> {
    let info = file.source_code_info.as_ref()?;
    let location = info.location.iter().find(|l| l.path == path)?;
    let at = |i| usize::try_from(*location.span.get(i)?).ok();
    Some((at(0)? + 1, at(1)? + 1))
}
