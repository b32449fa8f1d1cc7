//! A disk to which nothing is written: what would be is compared with what is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use crate::journal::disk::Disk;
use crate::journal::disk::DiskError;
use crate::journal::disk::DiskFile;
use crate::journal::leaf::LEAF_BYTES;

/// Compares as far as the tree's files are published; after that they need not be there yet.
pub(super) struct Compare {
    /// Entries.
    pub(super) published: u64,
}

struct ComparedFile {
    file: Option<File>,
    path: PathBuf,
    /// The bytes that must be there.
    length: u64,
}

impl Disk for Compare {
    fn create_dir(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        self.open(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = match File::open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(DiskError::new("open", path, source)),
        };
        // `hash/<level>.dat` has one hash for 256^level entries, `leaves.dat` a leaf for each.
        let level: Option<u32> = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        let length = match level {
            Some(level) => (self.published >> (8 * level)) * 32,
            None => self.published * LEAF_BYTES as u64,
        };
        Ok(Box::new(ComparedFile {
            file,
            path: path.to_owned(),
            length,
        }))
    }

    fn rename(&self, _: &Path, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn flush_dir(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }
}

impl DiskFile for ComparedFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        let published = self.length.saturating_sub(offset).min(bytes.len() as u64) as usize;
        let expected = bytes.get(..published).unwrap_or(bytes);
        let mut found = vec![0; published];
        let read = match &self.file {
            _ if published == 0 => return Ok(()),
            Some(file) => file.read_exact_at(&mut found, offset),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        read.map_err(|source| DiskError::new("compare", &self.path, source))?;
        // All at once first: byte by byte takes as long as hashing them.
        if found == expected {
            return Ok(());
        }
        let differ = |(expected, found)| expected != found;
        let at = expected.iter().zip(&found).position(differ).unwrap_or(0);
        let differs = io::Error::other(format!("it differs at byte {}", offset + at as u64));
        Err(DiskError::new("compare", &self.path, differs))
    }

    fn truncate(&self, _: u64) -> Result<(), DiskError> {
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}
