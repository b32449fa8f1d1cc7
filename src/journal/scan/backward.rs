//! Reading the commits of a journal from the newest to the oldest.

use super::CommitAt;
use super::ReadError;
use super::Scanner;
use crate::journal::frame::BadFrame;
use crate::journal::frame::Frame;
use crate::journal::layout::Layout;

/// Goes through the segments from the last to the first, and through the commits of each likewise.
#[derive(Debug)]
pub(in crate::journal) struct BackwardWalker {
    layout: Layout,
    /// The last one to give.
    oldest: CommitAt,
    /// The segments still to come, ascending.
    segments: Vec<u64>,
    /// The last segment, whose end may be half written.
    newest: Option<u64>,
    current: Option<Scanner>,
    /// Where the commits of the current segment begin: byte and first index, ascending.
    commits: Vec<(u64, u64)>,
    /// Whether the next commit is the newest of all.
    at_tail: bool,
}

impl BackwardWalker {
    pub(in crate::journal) fn new(layout: Layout, oldest: CommitAt) -> Result<Self, ReadError> {
        let mut segments = layout.list_segments()?;
        segments.retain(|&first| first >= oldest.segment);
        let newest = segments.last().copied();
        Ok(Self {
            layout,
            oldest,
            segments,
            newest,
            current: None,
            commits: Vec::new(),
            at_tail: true,
        })
    }

    /// The commit before the last one given; `None` when the first has been given.
    pub(in crate::journal) fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            let (Some(scanner), Some((offset, first))) = (&mut self.current, self.commits.pop())
            else {
                if !self.enter_segment()? {
                    return Ok(None);
                }
                continue;
            };
            let at_tail = std::mem::replace(&mut self.at_tail, false);
            scanner.offset = offset;
            match scanner.read(first)? {
                Ok(Some(frame)) if frame.is_intact() => return Ok(Some(frame)),
                // The newest commit is just being written, or a crash cut it off.
                _ if at_tail => {}
                Err(cause) => return Err(scanner.damaged(first, cause)),
                Ok(_) => return Err(scanner.damaged(first, BadFrame::Checksum)),
            }
        }
    }

    fn enter_segment(&mut self) -> Result<bool, ReadError> {
        let Some(first) = self.segments.pop() else {
            return Ok(false);
        };
        let mut scanner =
            Scanner::open(&self.layout, first)?.ok_or(ReadError::Missing { entry: first })?;
        let mut next = first;
        if first == self.oldest.segment {
            (scanner.offset, next) = (self.oldest.offset, self.oldest.first);
        }
        self.commits.clear();
        loop {
            match scanner.read_header(next)? {
                Ok(Some(header)) => {
                    self.commits.push((scanner.offset, next));
                    next = header.end();
                    scanner.offset += header.length as u64;
                }
                Ok(None) => break,
                Err(_) if self.newest == Some(first) => break,
                Err(cause) => return Err(scanner.damaged(next, cause)),
            }
        }
        self.current = Some(scanner);
        Ok(true)
    }
}
