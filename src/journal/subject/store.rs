//! The folder in which the monthly keys lie.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::SubjectKeyError;
use super::month_name;

const KEY: &str = "key";
const DESTROYED: &str = "destroyed";
/// The month's key was lost, and somebody has said to go on without it.
const LOST: &str = "lost";

/// A month's key; gone from memory when it is dropped.
type Secret = Zeroizing<[u8; 32]>;

pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder, and destroys the keys that a crash left beside their markers.
    pub(super) fn prepare(&self) -> Result<(), SubjectKeyError> {
        let mut folders = fs::DirBuilder::new();
        folders
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|source| failed("create", &self.folder, source))?;
        for epoch in self.listed(DESTROYED)? {
            self.destroy(epoch)?;
        }
        Ok(())
    }

    /// The months that have a key, ascending.
    pub(super) fn epochs(&self) -> Result<Vec<u32>, SubjectKeyError> {
        let mut epochs = self.listed(KEY)?;
        epochs.retain(|&epoch| !self.is_destroyed(epoch));
        Ok(epochs)
    }

    /// Whether a key of the month was lost, though another may have been made since.
    pub(super) fn is_lost(&self, epoch: u32) -> bool {
        self.path(epoch, LOST).exists()
    }

    /// Whether it is known what became of a month's key: it is here, or is gone with somebody's knowledge.
    pub(super) fn accounts_for(&self, epoch: u32) -> bool {
        [KEY, DESTROYED, LOST]
            .iter()
            .any(|extension| self.path(epoch, extension).exists())
    }

    pub(super) fn give_up(&self, epoch: u32) -> Result<(), SubjectKeyError> {
        let marker = self.path(epoch, LOST);
        // Dies before this is durable: the next start misses the key again.
        write(&marker, b"").map_err(|source| failed("write", &marker, source))?;
        self.flush()
    }

    /// A month's key; `None` if it has none yet.
    pub(super) fn read(&self, epoch: u32) -> Result<Option<Secret>, SubjectKeyError> {
        if self.is_destroyed(epoch) {
            return Err(SubjectKeyError::Destroyed {
                month: month_name(epoch),
            });
        }
        let path = self.path(epoch, KEY);
        match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
                Ok(key) => Ok(Some(key.into())),
                Err(_) => Err(SubjectKeyError::NotAKey { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", &path, source)),
        }
    }

    /// Makes a month's key, for its owner's eyes only, unless another process has just made it.
    pub(super) fn make(&self, epoch: u32) -> Result<Secret, SubjectKeyError> {
        let mut key = Secret::default();
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| SubjectKeyError::NoRandomness)?;
        let (fresh, path) = (self.path(epoch, "new"), self.path(epoch, KEY));
        write(&fresh, key.as_slice()).map_err(|source| failed("write", &fresh, source))?;
        // Dies here: no tag was made with it, and the next run writes over it. A link, unlike a renaming, never puts a
        // second key in the place of one that is in use.
        let linked = fs::hard_link(&fresh, &path);
        // What is left of it does no harm.
        let _ = fs::remove_file(&fresh);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let theirs = self.read(epoch)?;
                return theirs.ok_or(SubjectKeyError::NotAKey { path });
            }
            Err(source) => return Err(failed("create", &path, source)),
        }
        // Dies here: the key may be gone, and no tag was made with it.
        self.flush()?;
        Ok(key)
    }

    pub(super) fn destroy(&self, epoch: u32) -> Result<(), SubjectKeyError> {
        let (marker, path) = (self.path(epoch, DESTROYED), self.path(epoch, KEY));
        write(&marker, b"").map_err(|source| failed("write", &marker, source))?;
        self.flush()?;
        // Dies here or below: the marker keeps the key from being used or made again, and the next start goes on here.
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed("find", &path, source)),
            Ok(_) => {}
        }
        // Written over first: a file's name goes sooner than what stood in it.
        write(&path, &[0; 32]).map_err(|source| failed("write", &path, source))?;
        fs::remove_file(&path).map_err(|source| failed("delete", &path, source))?;
        self.flush()
    }

    fn is_destroyed(&self, epoch: u32) -> bool {
        self.path(epoch, DESTROYED).exists()
    }

    fn path(&self, epoch: u32, extension: &str) -> PathBuf {
        self.folder
            .join(format!("{}.{extension}", month_name(epoch)))
    }

    fn listed(&self, extension: &str) -> Result<Vec<u32>, SubjectKeyError> {
        let unlisted = |source| failed("list", &self.folder, source);
        let mut epochs = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unlisted)? {
            let path = entry.map_err(unlisted)?.path();
            if path.extension().is_some_and(|found| found == extension) {
                epochs.extend(path.file_stem().and_then(|name| parse(name.to_str()?)));
            }
        }
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// Makes the names in the folder durable.
    fn flush(&self) -> Result<(), SubjectKeyError> {
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| failed("flush", &self.folder, source))
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> SubjectKeyError {
    SubjectKeyError::File {
        operation,
        path: path.to_owned(),
        source,
    }
}

pub(super) fn parse(month: &str) -> Option<u32> {
    let (year, number) = month.split_once('-')?;
    let (year, number): (u32, u32) = (year.parse().ok()?, number.parse().ok()?);
    let years = year.checked_sub(1970)?.checked_mul(12)?;
    let epoch = years.checked_add(number.checked_sub(1)?)?;
    (month_name(epoch) == month).then_some(epoch)
}
