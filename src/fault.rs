//! How faults are written: in a file with place and hint, in an error with all of its causes.

use std::error::Error;
use std::fmt;

/// One fault. Commands print all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    pub file: String,
    /// 1-based; 0 when the fault is of the whole file.
    pub line: usize,
    /// 1-based, in characters; 0 when unknown.
    pub column: usize,
    /// The key in the file, e.g. `grant[0].fields[4]`; empty when there is none.
    pub key: String,
    /// What is wrong and how to correct it, e.g. "unknown field `adress` in civil.v1.Resident; did you mean `address`?".
    pub message: String,
}

impl Fault {
    /// Of a setting. Whoever read the settings knows their file.
    pub fn of_setting(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            line: 0,
            column: 0,
            key: key.into(),
            message: message.into(),
        }
    }
}

impl Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The 1-based line and column, in characters, of a byte offset into a text.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (line, column)
}

/// What came from outside, made short and printable so that it may be echoed.
pub fn shown(input: &str) -> String {
    let short = input.chars().take(96);
    short.flat_map(char::escape_default).collect()
}

/// The candidate that the input was most likely meant to be.
pub fn nearest<'a>(input: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(input, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// An error with its causes on one line. Many errors repeat their cause: what has been said is not said again.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
