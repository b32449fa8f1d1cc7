//! What everybody on the machine may write is nobody's policy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::fs::statvfs;

use crate::fault::Fault;

const OTHERS_WRITE: u32 = 0o002;

/// A fault if others than the owner and the group may change the file, or put files into the folder. What is not there is
/// for others to tell.
pub fn check(path: &Path) -> Result<(), Fault> {
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if mode & OTHERS_WRITE == 0 || is_read_only(path) {
        return Ok(());
    }
    Err(Fault {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        key: String::new(),
        message: format!(
            "everybody on this machine may write it (mode {:o}); `chmod o-w` it",
            mode & 0o7777
        ),
    })
}

/// Whether it is mounted so that nobody here can write it, whatever its mode says: Kubernetes mounts ConfigMaps and Secrets
/// with mode 0777.
pub fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}
