//! Texts that somebody else wrote: read without a byte order mark, and shown with what stands in them unseen written out.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

const MARK: &str = "\u{feff}";

pub fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map(unmarked)
}

/// The text without a byte order mark.
pub fn unmarked(mut text: String) -> String {
    if text.starts_with(MARK) {
        text.drain(..MARK.len());
    }
    text
}

/// What has not been decoded, without a byte order mark.
pub fn unmarked_bytes(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK.as_bytes()).unwrap_or(bytes)
}

/// Control characters, and those of Unicode that format and show nothing themselves (general category Cf, as far as texts
/// of people may have them).
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The name of a character that is not seen, e.g. ⟨U+202E⟩.
pub fn name_of(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

/// The text with what would steer a terminal, turn the direction of reading, break the line or stand unseen written out.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_unseen(c) {
            true => out.push_str(&name_of(c)),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_is_not_seen_is_written_out_and_all_else_stays() {
        assert_eq!(visible("纳税评估 — naïve"), "纳税评估 — naïve");
        assert_eq!(
            visible("a\u{202e}b\u{1b}[2J\n"),
            "a⟨U+202E⟩b⟨U+001B⟩[2J⟨U+000A⟩"
        );
        assert_eq!(
            visible("\u{200b}\u{feff}\u{2066}\u{ad}"),
            "⟨U+200B⟩⟨U+FEFF⟩⟨U+2066⟩⟨U+00AD⟩"
        );
    }
}
