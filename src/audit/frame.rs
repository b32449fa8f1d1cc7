//! One commit as it stands in a segment: a checksummed header and the entries, each a leaf with its salted record.
//!
//! An erased record leaves zeros in its place, and its salt likewise; the highest bit of its length says that it was erased.
//! The frame keeps its length, so that nothing that knows a place in the segment has to learn another one.

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;

use super::digest::record_commitment;
use super::leaf::LEAF_BYTES;
use super::merkle::Hash;

/// Magic 4, frame length 4, first index 8, count 4, CRC-32C 4, root after the frame 32, oldest open intent 8; big-endian.
/// The checksum covers the whole frame but its own four bytes.
pub(super) const HEADER_BYTES: usize = 64;
/// Not valid UTF-8, so that no text that a caller chose can pass for the start of a frame.
pub(super) const MAGIC: [u8; 4] = [0xff, b'L', b'B', 1];
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
const MAX_FRAME_BYTES: usize = COMMIT_BYTES + ENTRY_OVERHEAD + MAX_RECORD_BYTES + HEADER_BYTES;

/// Why bytes are not a frame.
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
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
        let mut rest = bytes.as_slice();
        let mut magic = [0; 4];
        rest.copy_to_slice(&mut magic);
        if magic != MAGIC {
            return Err(BadFrame::Magic);
        }
        let length = rest.get_u32() as usize;
        let first = rest.get_u64();
        let count = rest.get_u32();
        let crc = rest.get_u32();
        let mut root = [0; 32];
        rest.copy_to_slice(&mut root);
        let oldest_open = Some(rest.get_u64()).filter(|&index| index != NONE_OPEN);
        let least = HEADER_BYTES as u64 + u64::from(count) * ENTRY_OVERHEAD as u64;
        if count == 0 || length as u64 > MAX_FRAME_BYTES as u64 || (length as u64) < least {
            return Err(BadFrame::Length);
        }
        Ok(Self {
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
    pub(super) sealed: Option<Sealed>,
}

/// A record with the salt of its commitment.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) record: Bytes,
}

impl Sealed {
    pub(super) fn commitment(&self) -> Hash {
        record_commitment(&self.salt, &self.record)
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.record.len())
    }
}

impl Frame {
    /// Takes apart the `header.length` bytes of a frame.
    pub(super) fn parse(header: Header, bytes: Bytes) -> Result<Self, BadFrame> {
        let mut rest = bytes.clone();
        if rest.len() != header.length || rest.len() < HEADER_BYTES {
            return Err(BadFrame::Length);
        }
        rest.advance(HEADER_BYTES);
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

    pub(super) fn entries(&self) -> &[RawEntry] {
        &self.entries
    }

    /// The frame as it stands, or with the records of those entries erased: the same length, root and leaves.
    pub(super) fn without(&self, is_erased: impl Fn(u64) -> bool) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let mut rest = bytes
            .as_mut_slice()
            .get_mut(HEADER_BYTES..)
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
            false => Some(Sealed { salt, record }),
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

/// A frame that is being filled.
#[derive(Debug, Default)]
pub(super) struct FrameBuilder(Vec<u8>);

impl FrameBuilder {
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.resize(HEADER_BYTES, 0);
    }

    pub(super) fn push(&mut self, leaf: &[u8; LEAF_BYTES], salt: &[u8; 32], record: &[u8]) {
        self.0.put_slice(leaf);
        self.0.put_slice(salt);
        self.0.put_u32(record.len() as u32);
        self.0.put_slice(record);
    }

    /// The whole frame of `count` entries, the first of which is at `first`.
    pub(super) fn finish(
        &mut self,
        first: u64,
        count: u32,
        root: &Hash,
        oldest_open: Option<u64>,
    ) -> &[u8] {
        let length = self.0.len() as u32;
        self.put_header(length, first, count, 0, root, oldest_open);
        let crc = checksum(&self.0).unwrap_or(0);
        self.put_header(length, first, count, crc, root, oldest_open);
        &self.0
    }

    fn put_header(
        &mut self,
        length: u32,
        first: u64,
        count: u32,
        crc: u32,
        root: &Hash,
        oldest_open: Option<u64>,
    ) {
        let Some(mut header) = self
            .0
            .first_chunk_mut::<HEADER_BYTES>()
            .map(|h| h.as_mut_slice())
        else {
            return;
        };
        header.put_slice(&MAGIC);
        header.put_u32(length);
        header.put_u64(first);
        header.put_u32(count);
        header.put_u32(crc);
        header.put_slice(root);
        header.put_u64(oldest_open.unwrap_or(NONE_OPEN));
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
