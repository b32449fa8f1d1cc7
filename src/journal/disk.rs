//! The few file operations by which a journal changes its directory, so that tests can make each of them fail.

use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} `{}`", path.display())]
pub struct DiskError {
    /// What was tried, e.g. `write`.
    pub operation: &'static str,
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl DiskError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            source,
        }
    }

    /// Whether it failed for want of space before anything was given to the disk, so that it can be tried again.
    /// A failed flush never can: the system may have dropped what it could not write.
    pub(super) fn may_be_retried(&self) -> bool {
        let full = matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        full && self.operation != FLUSH
    }
}

pub(super) const FLUSH: &str = "flush";

pub(crate) trait Disk: Send + Sync {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// An empty file to write to, whatever stood there.
    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError>;
    /// A file to write to, made if it is not there.
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError>;
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Makes the names in a directory durable.
    fn flush_dir(&self, path: &Path) -> Result<(), DiskError>;
}

impl fmt::Debug for dyn Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

pub(crate) trait DiskFile: Send {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError>;
    fn truncate(&self, length: u64) -> Result<(), DiskError>;
    /// Makes the content durable (fdatasync).
    fn flush(&self) -> Result<(), DiskError>;
}

/// Writes a small file so that after a crash either its old or its new content stands there, whole.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<(), DiskError> {
    let temporary = path.with_extension("new");
    let file = disk.create(&temporary)?;
    file.write_at(content, 0)?;
    file.flush()?;
    // Dies here: the old content stands; the next write takes the temporary file over.
    disk.rename(&temporary, path)?;
    // Dies here: old or new, each whole.
    match path.parent() {
        Some(parent) => disk.flush_dir(parent),
        None => Ok(()),
    }
}

/// The disk itself. Only the owner may read what is created: records name people.
#[derive(Debug)]
pub(crate) struct RealDisk;

#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
}

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| DiskError::new("create", path, source))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        open(path, "create", OpenOptions::new().truncate(true))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        open(path, "open", OpenOptions::new().truncate(false))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(|source| DiskError::new("rename", from, source))
    }

    fn flush_dir(&self, path: &Path) -> Result<(), DiskError> {
        File::open(path)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| DiskError::new(FLUSH, path, source))
    }
}

fn open(
    path: &Path,
    operation: &'static str,
    options: &mut OpenOptions,
) -> Result<Box<dyn DiskFile>, DiskError> {
    let file = options
        .write(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| DiskError::new(operation, path, source))?;
    Ok(Box::new(RealFile {
        file,
        path: path.to_owned(),
    }))
}

impl DiskFile for RealFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|source| DiskError::new("write", &self.path, source))
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.file
            .set_len(length)
            .map_err(|source| DiskError::new("truncate", &self.path, source))
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.file
            .sync_data()
            .map_err(|source| DiskError::new(FLUSH, &self.path, source))
    }
}
