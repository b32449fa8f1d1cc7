//! Paths in settings.

use std::path::Path;
use std::path::PathBuf;

/// A path in a settings file is relative to the file.
pub(super) fn beside(settings: &Path, path: PathBuf) -> PathBuf {
    settings.parent().unwrap_or(Path::new("")).join(path)
}
