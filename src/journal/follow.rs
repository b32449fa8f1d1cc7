//! Follows the segments with the tree's files: reads each commit back from disk, proves it whole, and adds it to the tree.

use bytes::Bytes;

use super::frame::BadFrame;
use super::frame::Frame;
use super::frame::HEADER_BYTES;
use super::frame::Header;
use super::leaf::Leaf;
use super::leaf::leaf_hash;
use super::scan::ReadError;
use super::scan::Walker;
use super::tiles::writer::Growth;
use super::tiles::writer::TileWriter;
use crate::clock::Moment;
use crate::tlog::merkle::Frontier;

/// Stands at the end of what the tree's files hold.
pub(super) struct Follower {
    walker: Walker,
    tiles: TileWriter,
    frontier: Frontier,
    last: Option<LastCommit>,
}

/// What the next commit needs to know of the last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastCommit {
    pub(super) time: Moment,
    pub(super) oldest_open: Option<u64>,
}

impl Follower {
    /// `walker`, `tiles` and `frontier` stand at the same entry; `last` is the commit before it.
    pub(super) fn new(
        walker: Walker,
        tiles: TileWriter,
        frontier: Frontier,
        last: Option<LastCommit>,
    ) -> Self {
        Self {
            walker,
            tiles,
            frontier,
            last,
        }
    }

    pub(super) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(super) fn last(&self) -> Option<LastCommit> {
        self.last
    }

    pub(super) fn walker(&mut self) -> &mut Walker {
        &mut self.walker
    }

    /// Adds the next commit; false at the end. Hashes what stands on disk, so that a leaf that was damaged on its way there
    /// is found before its checkpoint is published. What fails can be tried again.
    pub(super) fn step(&mut self) -> Result<bool, ReadError> {
        self.step_if(|_| Ok(()))
    }

    /// The same, for a commit that may be relied on.
    pub(super) fn step_if(
        &mut self,
        check: impl FnOnce(&Frame) -> Result<(), BadFrame>,
    ) -> Result<bool, ReadError> {
        let Some(frame) = self.walker.read_intact()? else {
            return Ok(false);
        };
        let (frontier, growth) = grown(&self.frontier, &frame);
        if frontier.root() != frame.header.root {
            return Err(self.walker.damaged(BadFrame::Root));
        }
        check(&frame).map_err(|cause| self.walker.damaged(cause))?;
        let last = LastCommit::of(&frame)?;
        self.tiles.append(&frame.leaves(), &growth)?;
        self.walker.pass(&frame.header);
        self.frontier = frontier;
        self.last = last.or(self.last);
        Ok(true)
    }

    /// Makes the tree's files durable up to here.
    pub(super) fn flush(&self) -> Result<(), ReadError> {
        Ok(self.tiles.flush()?)
    }
}

/// The tree with a commit's entries, and what they add to its files.
fn grown(before: &Frontier, frame: &Frame) -> (Frontier, Growth) {
    let mut frontier = before.clone();
    let mut growth = Growth::default();
    for entry in frame.entries() {
        growth.push(&mut frontier, leaf_hash(&entry.leaf));
    }
    (frontier, growth)
}

/// Whether the bytes of a commit lead from the tree before it to the root that they name: worked out from the bytes, not from
/// what they were made of.
pub(super) fn leads_to_its_root(before: &Frontier, bytes: &[u8]) -> bool {
    let header = bytes
        .first_chunk::<HEADER_BYTES>()
        .and_then(|header| Header::parse(header).ok());
    let frame = header.and_then(|header| Frame::parse(header, Bytes::copy_from_slice(bytes)).ok());
    frame.is_some_and(|frame| {
        frame.is_intact() && grown(before, &frame).0.root() == frame.header.root
    })
}

impl LastCommit {
    pub(super) fn of(frame: &Frame) -> Result<Option<Self>, ReadError> {
        let Some(entry) = frame.entries().last() else {
            return Ok(None);
        };
        let leaf = Leaf::parse(&entry.leaf).map_err(|source| ReadError::Leaf {
            entry: frame.header.end() - 1,
            source,
        })?;
        Ok(Some(Self {
            time: leaf.time,
            oldest_open: frame.header.oldest_open,
        }))
    }
}
