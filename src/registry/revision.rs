//! One revision of a package: its files, identified by what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::Registry;
use super::digests;
use crate::digest::Digest;
use crate::digest::hex;
use crate::name::DepartmentId;
use crate::name::PackageName;

/// The most that a package's files may have together: they go to other gateways in one message.
pub const MAX_BYTES: usize = 16 << 20;

/// The files of one package, by the names under which others import them.
#[derive(Clone, PartialEq, Eq)]
pub struct PackageFiles {
    package: PackageName,
    texts: BTreeMap<String, String>,
    digest: Digest,
}

/// Why files are no revision of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPackage {
    #[error("`{0}` has no file")]
    Empty(PackageName),
    #[error("`{file}` does not lie in the folder of `{package}`; move it to `{}`", package.folder())]
    Misplaced { package: PackageName, file: String },
    #[error("the files of `{0}` have more than {most} MiB together; divide it", most = MAX_BYTES >> 20)]
    TooLarge(PackageName),
}

/// A package as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRevision {
    /// Whose record types are in it; none if it has none.
    pub owner: Option<DepartmentId>,
    /// SHA-256 over the names and texts of its files.
    pub digest: Digest,
}

impl PackageFiles {
    /// A package's files lie in its folder: `civil/v1/resident.proto` is of `civil.v1`.
    pub fn new(package: PackageName, texts: BTreeMap<String, String>) -> Result<Self, NoPackage> {
        if texts.is_empty() {
            return Err(NoPackage::Empty(package));
        }
        if let Some(file) = texts.keys().find(|file| !is_in(file, &package)) {
            let file = crate::fault::shown(file);
            return Err(NoPackage::Misplaced { package, file });
        }
        if texts.values().map(String::len).sum::<usize>() > MAX_BYTES {
            return Err(NoPackage::TooLarge(package));
        }
        Ok(Self {
            digest: digests::of_package(&texts),
            package,
            texts,
        })
    }

    pub fn package(&self) -> &PackageName {
        &self.package
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Name and text of each, by name.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }
}

impl fmt::Debug for PackageFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackageFiles")
            .field("package", &self.package)
            .field("digest", &hex(&self.digest))
            .finish_non_exhaustive()
    }
}

/// Whether the name is of a file in the package's folder itself. It may become a path: nothing else may be meant by it.
pub(super) fn is_in(file: &str, package: &PackageName) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let stem = file
        .strip_prefix(&package.folder())
        .and_then(|name| name.strip_suffix(".proto"));
    stem.is_some_and(|stem| {
        (1..=128).contains(&stem.len()) && !stem.starts_with('.') && stem.bytes().all(plain)
    })
}

/// A package whose published revision stands for whatever the tree has of it.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// The folder that the files lie in, for faults.
    pub place: &'a Path,
    pub files: &'a PackageFiles,
}

impl Registry {
    /// The packages of the tree, by name.
    pub fn packages(&self) -> &BTreeMap<String, PackageRevision> {
        &self.packages
    }

    /// The files of a package, as a revision of it.
    pub fn revision(&self, package: &PackageName) -> Result<PackageFiles, NoPackage> {
        let files = self.pool.files();
        let own = files.filter(|file| file.package_name() == package.as_str());
        let texts = own.filter_map(|file| {
            let text = self.texts.get(file.name())?;
            Some((file.name().to_owned(), text.clone()))
        });
        PackageFiles::new(package.clone(), texts.collect())
    }

    /// Packages of which the tree has something else than what is published.
    pub fn drafts(&self) -> &[PackageName] {
        &self.drafts
    }
}
