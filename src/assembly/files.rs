//! Reads the policy's files, and the gateway's own keys.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::exchange::secret;
use crate::fault::Fault;
use crate::mode;
use crate::policy::PolicyFile;
use crate::text;

/// A policy file larger than this is no policy file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The extension of agreements.
pub(crate) const AGREEMENTS: &str = "toml";
/// The extension of guardrails.
pub(crate) const GUARDRAILS: &str = "cedar";

/// Every file of a folder with that extension, by name. A folder that is not there is a fault, an empty one is not.
pub(super) fn policy_files(folder: &Path, extension: &str) -> Result<Vec<PolicyFile>, Fault> {
    mode::check(folder)?;
    let paths = policy_paths(folder, extension)?;
    paths.iter().map(|path| read(path)).collect()
}

/// Where the files of a folder with that extension are, by name.
pub(crate) fn policy_paths(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Fault> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|e| e == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<PolicyFile, Fault> {
    mode::check(path)?;
    let size = fs::metadata(path)
        .map_err(|error| unreadable(path, &error))?
        .len();
    if size > MAX_FILE {
        let error = io::Error::other(format!("it has {size} bytes, and {MAX_FILE} is the most"));
        return Err(unreadable(path, &error));
    }
    let text = text::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(PolicyFile {
        path: path.display().to_string(),
        text,
    })
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        key: String::new(),
        message: format!("cannot be read: {error}"),
    }
}

/// The gateway's secret: made at the first start, with mode 0600.
pub(crate) fn secret(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| {
                io::Error::other("a secret has 32 bytes; restore the file from its backup")
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_secret(path),
        Err(error) => Err(error),
    }
}

fn create_secret(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    let secret = Zeroizing::new(secret::random::<32>().map_err(io::Error::other)?);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // If we die before the rename, no secret was ever used and the next start makes another.
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    io::Write::write_all(&mut file, secret.as_slice())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(secret)
}
