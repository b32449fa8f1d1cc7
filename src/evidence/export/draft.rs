//! A file or folder that has its name only once it is whole.

use crate::digest::to_hash;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::digest;

use super::ExportError;
use crate::digest::hex;
use crate::tlog::merkle::Hash;

/// The list of a folder's files with their SHA-256, in the form that `sha256sum --check` reads.
pub(super) const SUMS: &str = "SHA256SUMS";

/// What is being written, beside its place and under another name. Removed when it is dropped unpublished.
pub(super) struct Draft {
    temporary: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// For a place where nothing stands.
    pub(super) fn of(place: &Path) -> Result<Self, ExportError> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let temporary = place.with_file_name(name);
        for path in [place, &temporary] {
            if path.symlink_metadata().is_ok() {
                return Err(ExportError::Exists(path.to_owned()));
            }
        }
        let place = place.to_owned();
        Ok(Self { temporary, place })
    }

    pub(super) fn file(&self) -> Result<HashingFile, ExportError> {
        HashingFile::create(&self.temporary)
    }

    pub(super) fn folder(&self) -> Result<Folder, ExportError> {
        create_dir(&self.temporary)?;
        Ok(Folder {
            sums: HashingFile::create(&self.temporary.join(SUMS))?,
            root: self.temporary.clone(),
        })
    }

    /// Dies here: the temporary name stays behind, and the next export to the same place asks to have it removed.
    pub(super) fn publish(self) -> Result<(), ExportError> {
        fs::rename(&self.temporary, &self.place).map_err(|source| failed(&self.place, source))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more once it is published; what cannot be removed is in nobody's way but the next export's, which
        // names it.
        let _ = match self.temporary.is_dir() {
            true => fs::remove_dir_all(&self.temporary),
            false => fs::remove_file(&self.temporary),
        };
    }
}

/// A new file, for its owner's eyes only, that is hashed as it is written.
pub(super) struct HashingFile {
    file: BufWriter<File>,
    path: PathBuf,
    context: digest::Context,
}

impl HashingFile {
    fn create(path: &Path) -> Result<Self, ExportError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| failed(path, source))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
            context: digest::Context::new(&digest::SHA256),
        })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        let written = self.write_all(bytes);
        written.map_err(|source| failed(&self.path, source))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable, so that no power cut leaves an empty file under the name that it gets next.
    pub(super) fn finish(mut self) -> Result<Hash, ExportError> {
        let flushed = self.file.flush();
        flushed
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(|source| failed(&self.path, source))?;
        Ok(to_hash(&self.context.finish()))
    }

    fn hash(mut self) -> Result<Hash, ExportError> {
        let flushed = self.file.flush();
        flushed.map_err(|source| failed(&self.path, source))?;
        Ok(to_hash(&self.context.finish()))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.context
            .update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A new folder that ends in a list of its files. The files are not made durable one by one, as there may be thousands: a
/// power cut soon after can damage them, which the list shows.
pub(super) struct Folder {
    root: PathBuf,
    sums: HashingFile,
}

impl Folder {
    /// A file to be written bit by bit, and then [`close`](Self::close)d.
    pub(super) fn create(&self, name: &str) -> Result<HashingFile, ExportError> {
        HashingFile::create(&self.root.join(name))
    }

    pub(super) fn close(&mut self, name: &str, file: HashingFile) -> Result<(), ExportError> {
        let hash = file.hash()?;
        self.sums
            .put(format!("{}  {name}\n", hex(&hash)).as_bytes())
    }

    /// A whole file, in folders of its own where its name says so.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        if let Some((folder, _)) = name.rsplit_once('/') {
            create_dir(&self.root.join(folder))?;
        }
        let mut file = self.create(name)?;
        file.put(bytes)?;
        self.close(name, file)
    }

    /// Gives the hash of the list.
    pub(super) fn finish(self) -> Result<Hash, ExportError> {
        self.sums.finish()
    }
}

fn create_dir(path: &Path) -> Result<(), ExportError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| failed(path, source))
}

pub(super) fn failed(path: &Path, source: io::Error) -> ExportError {
    ExportError::Write {
        path: path.to_owned(),
        source,
    }
}
