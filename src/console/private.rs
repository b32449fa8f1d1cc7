//! Files for the eyes of the daemon's user alone.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::text;

const GROUP_OR_OTHERS: u32 = 0o077;

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("others than its owner may read `{}` (mode {mode:03o}): `chmod 600` it", path.display())]
    Open { path: PathBuf, mode: u32 },
}

/// Reads it, unless others may too.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, NotPrivate> {
    let unreadable = |source| NotPrivate::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & GROUP_OR_OTHERS != 0 {
        let path = path.to_owned();
        return Err(NotPrivate::Open { path, mode });
    }
    text::read(path).map(Zeroizing::new).map_err(unreadable)
}
