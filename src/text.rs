//! Texts that people wrote, in UTF-8: some editors put a byte order mark before them, which says nothing.

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
