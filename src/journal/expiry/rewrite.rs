//! Erases records of a sealed segment: a copy without them takes its place.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest;
use bytes::Bytes;

use super::ExpiryError;
use super::plan::count;
use crate::digest::to_hash;
use crate::journal::disk::Disk;
use crate::journal::disk::DiskError;
use crate::journal::disk::DiskFile;
use crate::journal::frame::BadFrame;
use crate::journal::frame::Frame;
use crate::journal::frame::HEADER_BYTES;
use crate::journal::frame::Header;
use crate::journal::layout::Layout;
use crate::journal::leaf::Leaf;
use crate::journal::pace::Pace;
use crate::journal::reader::ReadError;
use crate::journal::scan::Walker;
use crate::tlog::merkle::Hash;

/// So that a flush never holds up a commit's for long.
const FLUSH_EVERY: u64 = 1 << 20;

/// A sealed segment, and the records that it is to lose, in their order.
pub(super) struct Rewrite<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) layout: &'a Layout,
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) erase: &'a [Range<u64>],
}

/// What the copy must have in common with what it was made from.
#[derive(PartialEq, Eq)]
struct Content {
    bytes: u64,
    /// Over each commit's root and each entry's leaf.
    tree: Hash,
    records: u64,
}

impl Rewrite<'_> {
    /// Readers that have the old file open read on in it: it goes when the last of them lets go of it.
    pub(super) fn run(&self, pace: &mut Pace) -> Result<(), ExpiryError> {
        let path = self.layout.segment(self.first);
        let copy = path.with_extension("new");
        // Dies before or in this: the segment stands as it did. The half-made copy is made anew by the next pass.
        let file = self.disk.create(&copy)?;
        let written = self.write(&*file, pace);
        if written.is_err() {
            // What was written is given back; whether that succeeds changes nothing.
            let _ = file.truncate(0);
        }
        let mut expected = written?;
        expected.records = expected.records.saturating_sub(count(self.erase));
        if self.read_back(&copy)? != expected {
            return Err(self.damaged(&copy, 0, BadFrame::Checksum).into());
        }
        // Dies before this: as above. After: the old or the new segment stands, each whole, and what is still there of an
        // erasure that was announced is erased by the next pass.
        self.disk.rename(&copy, &path)?;
        self.disk.flush_dir(&self.layout.segments())?;
        Ok(())
    }

    /// Gives what it read, before anything was erased.
    fn write(&self, file: &dyn DiskFile, pace: &mut Pace) -> Result<Content, ExpiryError> {
        let mut content = Tally::new();
        let mut walker = Walker::at(self.layout.clone(), self.first)?;
        let mut unflushed = 0;
        while let Some(frame) = walker.next()?.filter(|frame| frame.header.first < self.end) {
            let bytes = frame.without(|index| self.is_erased(index));
            file.write_at(&bytes, content.bytes)?;
            content.add(&frame);
            unflushed += bytes.len() as u64;
            if unflushed >= FLUSH_EVERY {
                file.flush()?;
                unflushed = 0;
            }
            pace.pause_after(bytes.len())?;
        }
        file.flush()?;
        Ok(content.finish())
    }

    fn is_erased(&self, index: u64) -> bool {
        let at = self.erase.partition_point(|range| range.end <= index);
        self.erase
            .get(at)
            .is_some_and(|range| range.contains(&index))
    }

    /// Reads the copy by other means than it was written, before the only original goes.
    fn read_back(&self, path: &Path) -> Result<Content, ReadError> {
        let unreadable = |source| DiskError::new("read", path, source);
        let file = File::open(path).map_err(unreadable)?;
        let mut content = Tally::new();
        let mut next = self.first;
        while next < self.end {
            let bad = |cause| self.damaged(path, content.bytes, cause);
            let mut header = [0; HEADER_BYTES];
            file.read_exact_at(&mut header, content.bytes)
                .map_err(unreadable)?;
            let header = Header::parse(&header).map_err(bad)?;
            let mut bytes = vec![0; header.length];
            file.read_exact_at(&mut bytes, content.bytes)
                .map_err(unreadable)?;
            let frame = Frame::parse(header, Bytes::from(bytes)).map_err(bad)?;
            if header.first != next || !frame.is_intact() || !is_bound(&frame) {
                return Err(bad(BadFrame::Checksum));
            }
            content.add(&frame);
            next = header.end();
        }
        Ok(content.finish())
    }

    fn damaged(&self, path: &Path, offset: u64, cause: BadFrame) -> ReadError {
        ReadError::Damaged {
            entry: self.first,
            path: path.to_owned(),
            offset,
            cause,
        }
    }
}

/// Whether every record that is left is the one to which its leaf commits.
fn is_bound(frame: &Frame) -> bool {
    frame.entries().iter().all(|entry| match &entry.sealed {
        Some(sealed) => {
            Leaf::parse(&entry.leaf).is_ok_and(|leaf| leaf.record_commitment == sealed.commitment())
        }
        None => true,
    })
}

struct Tally {
    bytes: u64,
    tree: digest::Context,
    records: u64,
}

impl Tally {
    fn new() -> Self {
        Self {
            bytes: 0,
            tree: digest::Context::new(&digest::SHA256),
            records: 0,
        }
    }

    fn add(&mut self, frame: &Frame) {
        self.bytes += frame.header.length as u64;
        self.tree.update(&frame.header.root);
        for entry in frame.entries() {
            self.tree.update(&entry.leaf);
            self.records += u64::from(entry.sealed.is_some());
        }
    }

    fn finish(self) -> Content {
        Content {
            bytes: self.bytes,
            tree: to_hash(&self.tree.finish()),
            records: self.records,
        }
    }
}
