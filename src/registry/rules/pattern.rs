//! Patterns as RE2 means them: its classes `\d`, `\w` and `\s` and its word boundaries are those of ASCII.

use regex::Regex;
use regex::RegexBuilder;

/// The most memory that a compiled pattern may take, in bytes.
const MAX_SIZE: usize = 1 << 20;

pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&in_ascii(pattern))
        .size_limit(MAX_SIZE)
        .build()
}

/// The classes that `regex` takes from Unicode, written out.
fn in_ascii(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[\t\n\f\r ]"),
            Some('S') => out.push_str(r"[^\t\n\f\r ]"),
            Some(b @ ('b' | 'B')) => out.extend(["(?-u:\\", b.encode_utf8(&mut [0; 4]), ")"]),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}
