//! The files of a development CA: each is replaced whole, and keys are for their owner only.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::identity::pki::PkiError;

pub(super) fn folder(path: &Path) -> Result<(), PkiError> {
    fs::create_dir_all(path).map_err(of(path))
}

pub(super) fn read(path: &Path) -> Result<String, PkiError> {
    fs::read_to_string(path).map_err(of(path))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), PkiError> {
    replace(path, text, 0o644).map_err(of(path))
}

pub(super) fn write_private(path: &Path, text: &str) -> Result<(), PkiError> {
    replace(path, text, 0o600).map_err(of(path))
}

/// A reader, be it a gateway that watches the folder, finds the old text or the new one.
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // A leftover would keep its own mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    |source| PkiError::File { path, source }
}
