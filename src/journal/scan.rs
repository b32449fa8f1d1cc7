//! Reading the commits of a journal in order, also while its daemon writes.

pub(super) mod backward;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;

use super::disk::DiskError;
use super::frame::BadFrame;
use super::frame::Frame;
use super::frame::HEADER_BYTES;
use super::frame::Header;
use super::frame::START_BYTES;
use super::frame::is_start;
use super::layout::Layout;
use super::leaf::BadLeaf;

const WINDOW_BYTES: usize = 256 * 1024;

/// Why a journal cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the commit of entry {entry}, at byte {offset} of `{}`, is damaged", path.display())]
    Damaged {
        entry: u64,
        path: PathBuf,
        offset: u64,
        #[source]
        cause: BadFrame,
    },
    #[error("the segment that begins with entry {entry} is missing")]
    Missing { entry: u64 },
    #[error("entry {entry}")]
    Leaf {
        entry: u64,
        #[source]
        source: BadLeaf,
    },
    #[error(
        "the record of entry {entry} is not the one to which its leaf commits; see `landbridge audit verify`"
    )]
    Altered { entry: u64 },
    #[error("the record of entry {entry} cannot be read")]
    Record {
        entry: u64,
        #[source]
        source: prost::DecodeError,
    },
}

impl ReadError {
    /// Whether it is no more than a want of space: see there.
    pub(super) fn may_be_retried(&self) -> bool {
        matches!(self, Self::Disk(error) if error.may_be_retried())
    }
}

/// Where a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommitAt {
    /// The first entry of its segment, which names the file.
    pub(crate) segment: u64,
    /// The byte in the segment.
    pub(crate) offset: u64,
    /// Its first entry.
    pub(crate) first: u64,
}

impl CommitAt {
    pub(crate) const BEGINNING: Self = Self {
        segment: 0,
        offset: 0,
        first: 0,
    };
}

/// Reads one segment. Bytes are read ahead; what may have been written since is read again before it is judged.
#[derive(Debug)]
struct Scanner {
    file: File,
    path: PathBuf,
    first: u64,
    offset: u64,
    /// What was read ahead of the file's bytes from `window_at` on: the first `filled` bytes of the buffer.
    buffer: Vec<u8>,
    filled: usize,
    window_at: u64,
}

impl Scanner {
    /// `None` if there is no such segment.
    fn open(layout: &Layout, first: u64) -> Result<Option<Self>, DiskError> {
        let path = layout.segment(first);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DiskError::new("open", &path, source)),
        };
        Ok(Some(Self {
            file,
            path,
            first,
            offset: 0,
            buffer: Vec::new(),
            filled: 0,
            window_at: 0,
        }))
    }

    /// The frame at the offset, of which no more is known than that its lengths add up.
    fn read(&mut self, next: u64) -> Result<Result<Option<Frame>, BadFrame>, DiskError> {
        let header = match self.read_header(next)? {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(Ok(None)),
            Err(bad) => return Ok(Err(bad)),
        };
        let Some(bytes) = self.bytes(self.offset, header.length)? else {
            return Ok(Err(BadFrame::Length));
        };
        let bytes = Bytes::copy_from_slice(bytes);
        Ok(Frame::parse(header, bytes).map(Some))
    }

    fn read_header(&mut self, next: u64) -> Result<Result<Option<Header>, BadFrame>, DiskError> {
        let Some(bytes) = self
            .bytes(self.offset, HEADER_BYTES)?
            .and_then(|b| b.first_chunk())
        else {
            return Ok(Ok(None));
        };
        if bytes.starts_with(&[0; 4]) {
            return Ok(Ok(None));
        }
        Ok(Header::parse(bytes).and_then(|header| {
            if header.first == next {
                Ok(Some(header))
            } else {
                Err(BadFrame::Index)
            }
        }))
    }

    /// `None` beyond the end of the file.
    fn bytes(&mut self, offset: u64, length: usize) -> Result<Option<&[u8]>, DiskError> {
        let held = self.ahead(offset).len() >= length;
        if !held {
            self.fill(offset, length)?;
        }
        Ok(self.ahead(offset).get(..length))
    }

    /// What has been read ahead from that offset on.
    fn ahead(&self, offset: u64) -> &[u8] {
        let window = self.buffer.get(..self.filled).unwrap_or_default();
        let skip = offset
            .checked_sub(self.window_at)
            .and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| window.get(skip..)).unwrap_or_default()
    }

    fn fill(&mut self, offset: u64, length: usize) -> Result<(), DiskError> {
        if self.window_at != offset {
            (self.filled, self.window_at) = (0, offset);
        }
        if self.buffer.len() < length.max(WINDOW_BYTES) {
            // Pages that are zero already: a reader of one entry does not pay for the whole window.
            let mut buffer = vec![0; length.max(WINDOW_BYTES)];
            let held = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(kept) = buffer.get_mut(..held.len()) {
                kept.copy_from_slice(held);
            }
            self.buffer = buffer;
        }
        while let Some(rest) = self
            .buffer
            .get_mut(self.filled..)
            .filter(|rest| !rest.is_empty())
        {
            match self.file.read_at(rest, offset + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(DiskError::new("read", &self.path, source)),
            }
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.filled = 0;
    }

    fn damaged(&self, entry: u64, cause: BadFrame) -> ReadError {
        ReadError::Damaged {
            entry,
            path: self.path.clone(),
            offset: self.offset,
            cause,
        }
    }

    /// Whether a later commit than `next` stands anywhere after the offset. Each is flushed before the next is written, so
    /// what a crash tore has none after it.
    fn has_later(&mut self, next: u64) -> Result<bool, DiskError> {
        let torn = self.offset;
        let found = self.find_later(next);
        self.offset = torn;
        found
    }

    fn find_later(&mut self, next: u64) -> Result<bool, DiskError> {
        self.offset += 1;
        while let Some(skip) = self.find_start()? {
            self.offset += skip;
            let first = match self
                .bytes(self.offset, HEADER_BYTES)?
                .and_then(|b| b.first_chunk())
            {
                Some(header) => Header::parse(header).map(|header| header.first).ok(),
                None => return Ok(false),
            };
            if let Some(first) = first.filter(|&first| first > next)
                && let Ok(Some(frame)) = self.read(first)?
                && frame.is_intact()
            {
                return Ok(true);
            }
            self.offset += 1;
        }
        Ok(false)
    }

    /// How far from the offset the next frame may begin.
    fn find_start(&mut self) -> Result<Option<u64>, DiskError> {
        let mut skipped = 0;
        loop {
            let at = self.offset + skipped;
            if self.bytes(at, START_BYTES)?.is_none() {
                return Ok(None);
            }
            let window = self.ahead(at);
            if let Some(found) = window.windows(START_BYTES).position(is_start) {
                return Ok(Some(skipped + found as u64));
            }
            skipped += (window.len() - START_BYTES + 1) as u64;
        }
    }

    /// How many bytes after the offset are in use.
    fn used_after(&mut self) -> Result<u64, DiskError> {
        let (mut at, mut used) = (self.offset, 0);
        while self.bytes(at, 1)?.is_some() {
            let window = self.ahead(at);
            if let Some(last) = last_used(window) {
                used = at + last as u64 + 1 - self.offset;
            }
            at += window.len() as u64;
        }
        Ok(used)
    }
}

/// The last byte that is not zero. Almost all of a segment's end is, and whole blocks are compared fast.
fn last_used(window: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut start = window.len();
    for block in window.rchunks(ZEROS.len()) {
        start -= block.len();
        if !ZEROS.starts_with(block) {
            return block
                .iter()
                .rposition(|&byte| byte != 0)
                .map(|at| start + at);
        }
    }
    None
}

/// Reads the commits of all segments, one after another.
#[derive(Debug)]
pub(super) struct Walker {
    layout: Layout,
    scanner: Option<Scanner>,
    next: u64,
}

impl Walker {
    pub(super) fn start(layout: Layout) -> Self {
        Self {
            layout,
            scanner: None,
            next: 0,
        }
    }

    /// Stands before the commit that holds the entry `index`; at the end, if there is none yet.
    pub(super) fn at(layout: Layout, index: u64) -> Result<Self, ReadError> {
        let first = layout
            .list_segments()?
            .into_iter()
            .rfind(|&first| first <= index);
        let mut walker = Self {
            layout,
            scanner: None,
            next: first.unwrap_or(0),
        };
        walker.go_to(index)?;
        Ok(walker)
    }

    /// Stands before a commit, which must be there.
    pub(super) fn before(layout: Layout, commit: CommitAt) -> Result<Self, ReadError> {
        let mut scanner = Scanner::open(&layout, commit.segment)?.ok_or(ReadError::Missing {
            entry: commit.segment,
        })?;
        scanner.offset = commit.offset;
        Ok(Self {
            layout,
            scanner: Some(scanner),
            next: commit.first,
        })
    }

    /// As [`at`](Self::at), for an entry of that commit or of a later one.
    pub(super) fn near(layout: Layout, near: CommitAt, index: u64) -> Result<Self, ReadError> {
        let mut walker = Self::before(layout, near)?;
        walker.go_to(index)?;
        Ok(walker)
    }

    fn go_to(&mut self, index: u64) -> Result<(), ReadError> {
        while let Some(header) = self.read_header()? {
            if header.end() > index {
                break;
            }
            self.pass(&header);
        }
        Ok(())
    }

    /// Where the next commit begins or would begin: the first index of its segment and the byte in it.
    pub(super) fn position(&self) -> (u64, u64) {
        self.scanner
            .as_ref()
            .map_or((self.next, 0), |s| (s.first, s.offset))
    }

    /// The next commit; `None` at the end. Can be asked again when more may have been written.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        let frame = self.read_intact()?;
        if let Some(frame) = &frame {
            self.pass(&frame.header);
        }
        Ok(frame)
    }

    /// The next commit, its checksum checked, without passing it.
    pub(super) fn read_intact(&mut self) -> Result<Option<Frame>, ReadError> {
        match self.read()? {
            // The writer may have been at it when it was read ahead.
            Some(frame) if !frame.is_intact() => self.forget(),
            frame => return Ok(frame),
        }
        match self.read()? {
            Some(frame) if !frame.is_intact() => Err(self.damaged(BadFrame::Checksum)),
            frame => Ok(frame),
        }
    }

    /// The next commit whatever its checksum, without passing it.
    pub(super) fn read(&mut self) -> Result<Option<Frame>, ReadError> {
        self.twice(Scanner::read)
    }

    pub(super) fn read_header(&mut self) -> Result<Option<Header>, ReadError> {
        self.twice(Scanner::read_header)
    }

    pub(super) fn pass(&mut self, header: &Header) {
        self.next = header.end();
        if let Some(scanner) = &mut self.scanner {
            scanner.offset += header.length as u64;
        }
    }

    /// Reads at the end of what is known, afresh when that gives nothing, and on into the next segment.
    fn twice<T>(
        &mut self,
        read: impl Fn(&mut Scanner, u64) -> Result<Result<Option<T>, BadFrame>, DiskError>,
    ) -> Result<Option<T>, ReadError> {
        if self.scanner.is_none() {
            self.scanner = Scanner::open(&self.layout, self.next)?;
        }
        let next = self.next;
        let Some(scanner) = &mut self.scanner else {
            return self.end();
        };
        if let Ok(Some(found)) = read(scanner, next)? {
            return Ok(Some(found));
        }
        scanner.forget();
        match read(scanner, next)? {
            Ok(Some(found)) => return Ok(Some(found)),
            Err(cause) => return Err(self.damaged(cause)),
            Ok(None) if scanner.first == next => return self.end(),
            Ok(None) => {}
        }
        let Some(opened) = Scanner::open(&self.layout, next)? else {
            return self.end();
        };
        self.scanner = Some(opened);
        self.twice(read)
    }

    /// The end, unless later segments show that one is missing.
    fn end<T>(&mut self) -> Result<Option<T>, ReadError> {
        let later = self
            .layout
            .list_segments()?
            .into_iter()
            .any(|first| first > self.next);
        if !later {
            return Ok(None);
        }
        // The daemon may have gone on meanwhile, and into the next segment.
        if let Some(scanner) = &mut self.scanner {
            scanner.forget();
            if !matches!(scanner.read_header(self.next)?, Ok(None)) {
                return Ok(None);
            }
        }
        Err(ReadError::Missing { entry: self.next })
    }

    /// That the next commit is not as it should be.
    pub(super) fn damaged(&self, cause: BadFrame) -> ReadError {
        match &self.scanner {
            Some(scanner) => scanner.damaged(self.next, cause),
            None => ReadError::Missing { entry: self.next },
        }
    }

    fn forget(&mut self) {
        if let Some(scanner) = &mut self.scanner {
            scanner.forget();
        }
    }

    /// Whether what could not be read is the last commit, cut off by a crash or just being written: nothing follows it.
    pub(super) fn is_torn_tail(&mut self) -> Result<bool, ReadError> {
        let later = self
            .layout
            .list_segments()?
            .into_iter()
            .any(|first| first > self.next);
        let next = self.next;
        match &mut self.scanner {
            Some(scanner) if !later => Ok(!scanner.has_later(next)?),
            _ => Ok(false),
        }
    }

    /// The bytes in use after the last commit: what a crash left of one that was never acknowledged.
    pub(super) fn torn_bytes(&mut self) -> Result<u64, ReadError> {
        self.forget();
        match &mut self.scanner {
            Some(scanner) => Ok(scanner.used_after()?),
            None => Ok(0),
        }
    }
}
