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
    let mut at = text.bytes().enumerate().peekable();
    while let Some((offset, byte)) = at.next() {
        match byte {
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => {
                while let Some((_, b)) = at.next() {
                    match b {
                        b'\\' => drop(at.next()),
                        b'\n' => break,
                        b if b == byte => break,
                        _ => {}
                    }
                }
            }
            b'#' => while at.next_if(|(_, b)| *b != b'\n').is_some() {},
            b'/' if at.next_if(|(_, b)| *b == b'/').is_some() => {
                while at.next_if(|(_, b)| *b != b'\n').is_some() {}
            }
            b'/' if at.next_if(|(_, b)| *b == b'*').is_some() => {
                let mut last = 0;
                while let Some((_, b)) = at.next() {
                    if last == b'*' && b == b'/' {
                        break;
                    }
                    last = b;
                }
            }
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some(offset);
        }
    }
    None
}
