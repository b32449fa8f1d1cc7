//! The witness's file: which checkpoint of each log it cosigned last.
//!
//! Commits stand one after the other: `LBW1`, the payload's length and CRC-32C as big-endian u32, then the payload, which
//! is notes, each after its length as a big-endian u32. A later note of a log replaces the earlier.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::WitnessError;
use crate::journal::disk;
use crate::journal::disk::Disk;
use crate::journal::disk::DiskError;
use crate::journal::disk::DiskFile;

const MAGIC: &[u8; 4] = b"LBW1";
const HEADER: usize = 12;
/// A file that is smaller is not rewritten.
const SMALL: u64 = 1 << 20;
/// What is still in force may be this fraction of a file before it is rewritten.
const DEAD: u64 = 8;

/// Owned by the witness's thread.
pub(super) struct StateFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
    /// The length right after it was rewritten last.
    rewritten: u64,
}

/// Every note of the file, the oldest first. A commit that was being written when the machine died is passed over: nobody
/// was told of it. Damage before the last commit is an error: to pass over that would forget what was cosigned.
pub(super) fn read(path: &Path) -> Result<Vec<String>, WitnessError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(DiskError::new("read", path, source).into()),
    };
    let mut notes = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((commit, after)) = split_commit(rest) {
        notes.extend(commit);
        rest = after;
    }
    let offset = bytes.len() - rest.len();
    if (1..rest.len()).any(|at| rest.get(at..).and_then(split_commit).is_some()) {
        return Err(WitnessError::Damaged {
            path: path.to_owned(),
            offset,
        });
    }
    Ok(notes)
}

/// The notes of the first commit, and what follows it.
fn split_commit(bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = split_u32(rest)?;
    let (crc, rest) = split_u32(rest)?;
    let (mut payload, after) = rest.split_at_checked(length as usize)?;
    if payload.is_empty() || crc32c::crc32c(payload) != crc {
        return None;
    }
    let mut notes = Vec::new();
    while !payload.is_empty() {
        let (length, rest) = split_u32(payload)?;
        let (note, rest) = rest.split_at_checked(length as usize)?;
        notes.push(str::from_utf8(note).ok()?.to_owned());
        payload = rest;
    }
    Some((notes, after))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

/// Empty for no notes.
fn commit_of(notes: &[&str]) -> Vec<u8> {
    if notes.is_empty() {
        return Vec::new();
    }
    let mut payload = Vec::new();
    for note in notes {
        payload.extend((note.len() as u32).to_be_bytes());
        payload.extend(note.as_bytes());
    }
    let mut commit = Vec::with_capacity(HEADER + payload.len());
    commit.extend(MAGIC);
    commit.extend((payload.len() as u32).to_be_bytes());
    commit.extend(crc32c::crc32c(&payload).to_be_bytes());
    commit.extend(payload);
    commit
}

impl StateFile {
    /// Writes the file anew with what is in force.
    pub(super) fn rewrite(
        disk: Arc<dyn Disk>,
        path: &Path,
        notes: &[&str],
    ) -> Result<Self, DiskError> {
        let commit = commit_of(notes);
        // Dies in this: the old file stands, or the new one, each whole; both say the same.
        disk::replace(&*disk, path, &commit)?;
        let length = commit.len() as u64;
        Ok(Self {
            file: disk.open(path)?,
            disk,
            path: path.to_owned(),
            length,
            rewritten: length,
        })
    }

    /// Makes notes durable, all in one commit.
    pub(super) fn append(&mut self, notes: &[&str]) -> Result<(), DiskError> {
        let commit = commit_of(notes);
        // Dies before the flush has ended: the commit is whole or torn; nobody was told that it is there. After it: a log
        // that does not get its answer learns from the next one how far this witness is.
        self.file.write_at(&commit, self.length)?;
        self.file.flush()?;
        self.length += commit.len() as u64;
        Ok(())
    }

    /// Whether most of the file has been replaced by what came later.
    pub(super) fn is_stale(&self) -> bool {
        self.length > SMALL.max(self.rewritten * DEAD)
    }

    pub(super) fn compact(&mut self, notes: &[&str]) -> Result<(), DiskError> {
        *self = Self::rewrite(self.disk.clone(), &self.path, notes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
