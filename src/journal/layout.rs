//! Where the files of a journal lie.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::disk::DiskError;

/// A journal's directory: `seg/<first index>.seg`, `leaves.dat`, `hash/<level>.dat`, `state/signed`,
/// `state/witnessed`, `state/erasing`, `policy/<digest>`, `policy/in-force`, `lock`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.root.join("seg")
    }

    /// The segment whose first entry has that index.
    pub(super) fn segment(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:020}.seg"))
    }

    /// A segment filled with zeros that has no entry yet.
    pub(super) fn spare(&self) -> PathBuf {
        self.segments().join("spare")
    }

    pub(super) fn unfinished_spare(&self) -> PathBuf {
        self.segments().join("spare.new")
    }

    pub(crate) fn leaves(&self) -> PathBuf {
        self.root.join("leaves.dat")
    }

    pub(super) fn hash_dir(&self) -> PathBuf {
        self.root.join("hash")
    }

    pub(super) fn hashes(&self, level: usize) -> PathBuf {
        self.hash_dir().join(format!("{level}.dat"))
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The published checkpoint. The tree's files hold at least its entries, durably.
    pub(super) fn signed(&self) -> PathBuf {
        self.state().join("signed")
    }

    /// The checkpoint that witnesses have cosigned last.
    pub(super) fn witnessed(&self) -> PathBuf {
        self.state().join("witnessed")
    }

    /// From which entry on a pass of the expiry may have announced erasures that it has not carried out; empty if none.
    pub(super) fn erasing(&self) -> PathBuf {
        self.state().join("erasing")
    }

    /// The texts of the policy as they were in force.
    pub(super) fn policies(&self) -> PathBuf {
        self.root.join("policy")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The first indexes of the segments, ascending.
    pub(super) fn list_segments(&self) -> Result<Vec<u64>, DiskError> {
        let dir = self.segments();
        let error = |source| DiskError::new("list", &dir, source);
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&dir).map_err(error)? {
            let name = entry.map_err(error)?.file_name();
            let first: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_suffix(".seg")?.parse().ok());
            firsts.extend(first);
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// The published note, if there is one.
    pub(super) fn read_signed(&self) -> Result<Option<String>, DiskError> {
        read_text(&self.signed())
    }

    /// The witnessed note, if there is one.
    pub(super) fn read_witnessed(&self) -> Result<Option<String>, DiskError> {
        read_text(&self.witnessed())
    }
}

/// What a file says; none if it is not there.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, DiskError> {
    match fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DiskError::new("read", path, source)),
    }
}
