//! What of a file is code: neither comment nor text in quotes.

use std::iter::Enumerate;
use std::iter::Peekable;
use std::str::Bytes;

/// Each byte of code with its offset.
pub(super) fn bytes(text: &str) -> Code<'_> {
    Code(text.bytes().enumerate().peekable())
}

pub(super) struct Code<'a>(Peekable<Enumerate<Bytes<'a>>>);

impl Iterator for Code<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (offset, byte) = self.0.next()?;
            match byte {
                b'"' | b'\'' => self.skip_text(byte),
                b'#' => self.skip_line(),
                b'/' if self.0.next_if(|(_, b)| *b == b'/').is_some() => self.skip_line(),
                b'/' if self.0.next_if(|(_, b)| *b == b'*').is_some() => self.skip_block(),
                _ => return Some((offset, byte)),
            }
        }
    }
}

impl Code<'_> {
    /// A text ends at its quote, and at the latest with its line.
    fn skip_text(&mut self, quote: u8) {
        while let Some((_, byte)) = self.0.next() {
            if byte == b'\\' {
                self.0.next();
            } else if byte == quote || byte == b'\n' {
                return;
            }
        }
    }

    fn skip_line(&mut self) {
        self.0.find(|(_, byte)| *byte == b'\n');
    }

    fn skip_block(&mut self) {
        let mut last = 0;
        for (_, byte) in self.0.by_ref() {
            if last == b'*' && byte == b'/' {
                return;
            }
            last = byte;
        }
    }
}
