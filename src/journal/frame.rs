//! One commit as it stands in a segment: a checksummed header, the journal's signature, and the entries, each a leaf with its
//! salted record.
//!
//! A commit of an earlier version has no signature. Nothing but a published checkpoint can speak for it.
//!
//! An erased record leaves zeros in its place, and its salt likewise; the highest bit of its length says that it was erased.
//! The frame keeps its length, so that nothing that knows a place in the segment has to learn another one.

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;

use super::leaf::LEAF_BYTES;
use crate::digest::record_commitment;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::Hash;
use crate::tlog::note::SIGNATURE_BYTES;
use crate::tlog::note::Signature;
use crate::tlog::note::VerifierKey;

/// Magic 3, version 1, frame length 4, first index 8, count 4, CRC-32C 4, root after the frame 32, oldest open intent 8;
/// big-endian. The checksum covers the whole frame but its own four bytes.
pub(super) const HEADER_BYTES: usize = 64;
/// What is written before the first entry.
pub(super) const FRAME_OVERHEAD: usize = HEADER_BYTES + SIGNATURE_BYTES;
/// Not valid UTF-8, so that no text that a caller chose can pass for the start of a frame.
const MAGIC: [u8; 3] = [0xff, b'L', b'B'];
/// Magic and version, by which the start of a frame is looked for.
pub(super) const START_BYTES: usize = 4;
const CRC_AT: usize = 20;
const NONE_OPEN: u64 = u64::MAX;
const SALT_BYTES: usize = 32;
/// In the length of a record that was erased. No record is so long.
const ERASED: u32 = 1 << 31;
/// Leaf, salt, and the record's length.
pub(super) const ENTRY_OVERHEAD: usize = LEAF_BYTES + 32 + 4;
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1024;
/// A commit closes when it has grown beyond this.
pub(super) const COMMIT_BYTES: usize = 1 << 20;
const MAX_FRAME_BYTES: usize = COMMIT_BYTES + ENTRY_OVERHEAD + MAX_RECORD_BYTES + FRAME_OVERHEAD;

/// The fourth byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Read, and no longer written.
    Unsigned = 1,
    Signed = 2,
}

impl Version {
    fn of(start: &[u8]) -> Option<Self> {
        match start.strip_prefix(&MAGIC)? {
            [1, ..] => Some(Self::Unsigned),
            [2, ..] => Some(Self::Signed),
            _ => None,
        }
    }

    /// Where the entries begin.
    const fn overhead(self) -> usize {
        match self {
            Self::Unsigned => HEADER_BYTES,
            Self::Signed => FRAME_OVERHEAD,
        }
    }
}

/// Whether a frame may begin with these bytes.
pub(super) fn is_start(bytes: &[u8]) -> bool {
    Version::of(bytes).is_some()
}

/// Why bytes are not a frame, or not one that may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    #[error("no commit begins there")]
    Magic,
    #[error("its lengths do not add up")]
    Length,
    #[error("it is not the commit that should follow")]
    Index,
    #[error("its checksum does not match")]
    Checksum,
    #[error("its root is not that of the tree")]
    Root,
    #[error("the oldest stream that it names as open is not the oldest that is")]
    Open,
    #[error("its signature is not by the journal's key")]
    Signature,
    #[error("it bears no signature, and no published checkpoint covers it")]
    Unsigned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    version: Version,
    /// Of the whole frame, in bytes.
    pub(super) length: usize,
    /// The index of the first entry.
    pub(super) first: u64,
    pub(super) count: u32,
    crc: u32,
    /// The tree's root after the last entry.
    pub(super) root: Hash,
    /// The oldest intent without its stream end, after this commit: where a recovery begins to look for such.
    pub(super) oldest_open: Option<u64>,
}

impl Header {
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BadFrame> {
        let version = Version::of(bytes).ok_or(BadFrame::Magic)?;
        let mut rest = bytes.as_slice();
        rest.advance(START_BYTES);
        let length = rest.get_u32() as usize;
        let first = rest.get_u64();
        let count = rest.get_u32();
        let crc = rest.get_u32();
        let mut root = [0; 32];
        rest.copy_to_slice(&mut root);
        let oldest_open = Some(rest.get_u64()).filter(|&index| index != NONE_OPEN);
        let least = version.overhead() as u64 + u64::from(count) * ENTRY_OVERHEAD as u64;
        if count == 0 || length as u64 > MAX_FRAME_BYTES as u64 || (length as u64) < least {
            return Err(BadFrame::Length);
        }
        Ok(Self {
            version,
            length,
            first,
            count,
            crc,
            root,
            oldest_open,
        })
    }

    /// The index after the last entry.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }
}

/// A frame whose lengths add up. Its checksum and root are for the reader to check.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) header: Header,
    bytes: Bytes,
    entries: Vec<RawEntry>,
}

/// One entry as it is stored.
#[derive(Debug, Clone)]
pub(super) struct RawEntry {
    pub(super) leaf: [u8; LEAF_BYTES],
    /// `None` once it was erased.
    pub(super) sealed: Option<SealedRecord>,
}

/// A record with the salt of its commitment.
#[derive(Clone)]
pub(super) struct SealedRecord {
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) record: Bytes,
}

impl SealedRecord {
    pub(super) fn commitment(&self) -> Hash {
        record_commitment(&self.salt, &self.record)
    }
}

impl std::fmt::Debug for SealedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.record.len())
    }
}

impl Frame {
    /// Takes apart the `header.length` bytes of a frame.
    pub(super) fn parse(header: Header, bytes: Bytes) -> Result<Self, BadFrame> {
        let mut rest = bytes.clone();
        let overhead = header.version.overhead();
        if rest.len() != header.length || rest.len() < overhead {
            return Err(BadFrame::Length);
        }
        rest.advance(overhead);
        let mut entries = Vec::with_capacity(header.count as usize);
        for _ in 0..header.count {
            entries.push(RawEntry::parse(&mut rest).ok_or(BadFrame::Length)?);
        }
        if !rest.is_empty() {
            return Err(BadFrame::Length);
        }
        Ok(Self {
            header,
            bytes,
            entries,
        })
    }

    pub(super) fn is_intact(&self) -> bool {
        checksum(&self.bytes) == Some(self.header.crc)
    }

    /// Whether one of the keys of the journal of that name has signed the tree that the commit leaves.
    pub(super) fn check_signature(
        &self,
        origin: &str,
        trusted: &[VerifierKey],
    ) -> Result<(), BadFrame> {
        if self.header.version == Version::Unsigned {
            return Err(BadFrame::Unsigned);
        }
        let signature = self.bytes.get(HEADER_BYTES..FRAME_OVERHEAD);
        let text = Checkpoint {
            origin: origin.to_owned(),
            size: self.header.end(),
            root: self.header.root,
        }
        .text();
        let has_signed = |key: &VerifierKey| {
            key.name() == origin && signature.is_some_and(|bytes| key.has_signed(&text, bytes))
        };
        match trusted.iter().any(has_signed) {
            true => Ok(()),
            false => Err(BadFrame::Signature),
        }
    }

    pub(super) fn entries(&self) -> &[RawEntry] {
        &self.entries
    }

    /// The frame as it stands, or with the records of those entries erased: the same length, root and leaves.
    pub(super) fn without(&self, is_erased: impl Fn(u64) -> bool) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let mut rest = bytes
            .as_mut_slice()
            .get_mut(self.header.version.overhead()..)
            .unwrap_or_default();
        for index in self.header.first..self.header.end() {
            rest = skip_or_erase(rest, is_erased(index));
        }
        if let Some(crc) = checksum(&bytes)
            && let Some(field) = bytes.get_mut(CRC_AT..CRC_AT + 4)
        {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        bytes
    }

    /// The leaves of all entries, one after another.
    pub(super) fn leaves(&self) -> Vec<u8> {
        let mut leaves = Vec::with_capacity(self.entries.len() * LEAF_BYTES);
        for entry in &self.entries {
            leaves.extend_from_slice(&entry.leaf);
        }
        leaves
    }

    /// The entries with their indexes.
    pub(super) fn into_entries(self) -> impl DoubleEndedIterator<Item = (u64, RawEntry)> {
        let first = self.header.first;
        // An exact length, so that the entries can be taken from the end.
        let count = self.entries.len();
        (0..count).map(move |n| first + n as u64).zip(self.entries)
    }
}

impl RawEntry {
    fn parse(rest: &mut Bytes) -> Option<Self> {
        let (&leaf, after) = rest.split_first_chunk::<LEAF_BYTES>()?;
        let (&salt, after) = after.split_first_chunk::<32>()?;
        let (&length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(length);
        let (erased, length) = (length & ERASED != 0, (length & !ERASED) as usize);
        if length > after.len() {
            return None;
        }
        rest.advance(ENTRY_OVERHEAD);
        let record = rest.split_to(length);
        let sealed = match erased {
            false => Some(SealedRecord { salt, record }),
            // What calls itself erased and still holds something is neither.
            true if salt.iter().chain(&record).any(|&byte| byte != 0) => return None,
            true => None,
        };
        Some(Self { leaf, sealed })
    }
}

/// Passes one entry, whose frame has been taken apart before, and erases its record if asked to.
fn skip_or_erase(entry: &mut [u8], erase: bool) -> &mut [u8] {
    let Some((overhead, rest)) = entry.split_at_mut_checked(ENTRY_OVERHEAD) else {
        return &mut [];
    };
    let Some((salt, length)) = overhead
        .get_mut(LEAF_BYTES..)
        .and_then(|tail| tail.split_first_chunk_mut::<SALT_BYTES>())
    else {
        return &mut [];
    };
    let marked = u32::from_be_bytes(length.first_chunk().copied().unwrap_or_default());
    let Some((record, rest)) = rest.split_at_mut_checked((marked & !ERASED) as usize) else {
        return &mut [];
    };
    if erase {
        salt.fill(0);
        length.copy_from_slice(&(marked | ERASED).to_be_bytes());
        record.fill(0);
    }
    rest
}

/// What stands before the entries of a commit.
#[derive(Debug)]
pub(super) struct NewCommit<'a> {
    /// The index of the first entry.
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) root: &'a Hash,
    pub(super) oldest_open: Option<u64>,
    pub(super) signature: &'a Signature,
}

/// A frame that is being filled.
#[derive(Debug, Default)]
pub(super) struct FrameBuilder(Vec<u8>);

impl FrameBuilder {
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.resize(FRAME_OVERHEAD, 0);
    }

    pub(super) fn push(&mut self, leaf: &[u8; LEAF_BYTES], salt: &[u8; 32], record: &[u8]) {
        self.0.put_slice(leaf);
        self.0.put_slice(salt);
        self.0.put_u32(record.len() as u32);
        self.0.put_slice(record);
    }

    /// The whole frame.
    pub(super) fn finish(&mut self, commit: &NewCommit<'_>) -> &[u8] {
        self.put_header(commit, 0);
        let crc = checksum(&self.0).unwrap_or(0);
        self.put_header(commit, crc);
        &self.0
    }

    fn put_header(&mut self, commit: &NewCommit<'_>, crc: u32) {
        let length = self.0.len() as u32;
        let Some(mut header) = self
            .0
            .first_chunk_mut::<FRAME_OVERHEAD>()
            .map(|h| h.as_mut_slice())
        else {
            return;
        };
        header.put_slice(&MAGIC);
        header.put_u8(Version::Signed as u8);
        header.put_u32(length);
        header.put_u64(commit.first);
        header.put_u32(commit.count);
        header.put_u32(crc);
        header.put_slice(commit.root);
        header.put_u64(commit.oldest_open.unwrap_or(NONE_OPEN));
        header.put_slice(commit.signature);
    }
}

fn checksum(frame: &[u8]) -> Option<u32> {
    let (before, after) = frame.split_at_checked(CRC_AT)?;
    Some(crc32c::crc32c_append(
        crc32c::crc32c(before),
        after.get(4..)?,
    ))
}

#[cfg(test)]
mod tests;
