//! Refuses files whose brackets nest so deep that a recursive parser would overflow its stack.

use super::tree::Source;
use crate::fault::Fault;
use crate::fault::position;

/// Far above what schemas need: the parser itself stops messages at 31.
const MAX_NESTING: usize = 100;

pub(super) fn check(source: &Source) -> Result<(), Fault> {
    let Some(offset) = too_deep(&source.text) else {
        return Ok(());
    };
    let (line, column) = position(&source.text, offset);
    let message = format!("brackets nest deeper than {MAX_NESTING} levels");
    Err(source.fault(line, column, "", message))
}

/// Where the nesting first exceeds the limit. Brackets in comments and texts do not count.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => skip_text(&mut bytes, byte),
            b'#' => skip_line(&mut bytes),
            b'/' if bytes.next_if(|(_, b)| *b == b'/').is_some() => skip_line(&mut bytes),
            b'/' if bytes.next_if(|(_, b)| *b == b'*').is_some() => skip_block(&mut bytes),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some(offset);
        }
    }
    None
}

/// A text ends at its quote, and at the latest with its line.
fn skip_text(bytes: &mut impl Iterator<Item = (usize, u8)>, quote: u8) {
    while let Some((_, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote || byte == b'\n' {
            return;
        }
    }
}

fn skip_line(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    bytes.find(|(_, byte)| *byte == b'\n');
}

fn skip_block(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    let mut last = 0;
    for (_, byte) in bytes {
        if last == b'*' && byte == b'/' {
            return;
        }
        last = byte;
    }
}
