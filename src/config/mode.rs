//! What everybody on the machine may write is nobody's policy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::fault::Fault;

const OTHERS_WRITE: u32 = 0o002;

/// A fault if others than the owner and the group may change the file, or put files into the folder. What is not there is
/// for others to tell.
pub fn check(path: &Path) -> Result<(), Fault> {
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if mode & OTHERS_WRITE == 0 {
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
