//! Refuses files whose brackets nest so deep that a recursive parser would overflow its stack.

use super::code;
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

/// Where the nesting first exceeds the limit.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code::bytes(text) {
        match byte {
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some(offset);
        }
    }
    None
}
