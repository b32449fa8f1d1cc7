//! The folder that keeps every published revision, and says which is in force.
//!
//! `<package>/<digest>/` has the files as the registry's tree has them, and the signed statement in `revision`;
//! `<package>/current` has the digest of the one in force. `inbox/<package>/` is laid out like a revision: there the
//! command line leaves what its gateway is to publish.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::PublishedPackages;
use super::Revision;
use super::RevisionName;
use crate::digest::Digest;
use crate::digest::digest_of;
use crate::digest::hex;
use crate::fault::Fault;
use crate::name::PackageName;
use crate::registry::Registry;
use crate::registry::revision::Overlay;
use crate::registry::revision::PackageFiles;
use crate::tlog::note;

/// The signed statement, beside the files.
const STATEMENT: &str = "revision";
const CURRENT: &str = "current";
const INBOX: &str = "inbox";

/// A revision on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRevision {
    pub place: PathBuf,
    pub revision: Revision,
    /// The statement with its signatures.
    pub note: String,
    pub files: PackageFiles,
}

impl KeptRevision {
    pub fn named(&self) -> RevisionName {
        RevisionName {
            number: Some(self.revision.number),
            digest: self.revision.digest,
        }
    }

    pub fn overlay(&self) -> Overlay<'_> {
        Overlay {
            place: &self.place,
            files: &self.files,
        }
    }
}

/// A revision that is not on the shelf yet: a statement with its signatures, and the files that came with it.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub revision: Revision,
    pub note: String,
    pub files: PackageFiles,
}

/// The folder. Whoever opens it may read; only the gateway puts anything in force.
#[derive(Debug, Clone)]
pub struct Shelf {
    root: PathBuf,
}

impl Shelf {
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where the command line leaves what is to be published.
    pub fn inbox(&self) -> PathBuf {
        self.root.join(INBOX)
    }

    /// Everything that is in force. A shelf that does not exist is empty.
    pub fn published(&self) -> Result<PublishedPackages, Vec<Fault>> {
        let (mut lines, mut faults) = (Vec::new(), Vec::new());
        for package in self
            .packages()
            .map_err(|error| vec![unread(&self.root, &error)])?
        {
            match self.current(&package) {
                Ok(Some(head)) => lines.push((self.line(&head), head)),
                // Kept, but never put in force.
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(PublishedPackages::new(
            lines.into_iter().map(|(known, head)| (head, known)),
        ))
    }

    fn packages(&self) -> io::Result<Vec<PackageName>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut packages = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            packages.extend(name.to_str().and_then(|name| name.parse().ok()));
        }
        packages.sort();
        Ok(packages)
    }

    /// The revision of the package that is in force.
    pub fn current(&self, package: &PackageName) -> Result<Option<KeptRevision>, Fault> {
        let path = self.of(package).join(CURRENT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(&path, &error)),
        };
        let digest = digest_of(text.trim_end())
            .ok_or_else(|| fault(&path, "is no digest; restore the file from its backup"))?;
        match self.kept(package, &digest)? {
            Some(kept) => Ok(Some(kept)),
            None => Err(fault(
                &path,
                "names a revision that is not here; restore the folder from its backup",
            )),
        }
    }

    /// A revision by its digest, if it is here.
    pub fn kept(
        &self,
        package: &PackageName,
        digest: &Digest,
    ) -> Result<Option<KeptRevision>, Fault> {
        let place = self.of(package).join(hex(digest));
        if !place.exists() {
            return Ok(None);
        }
        let candidate = read(&place, package)?;
        if candidate.revision.digest != *digest {
            return Err(damaged(&place));
        }
        Ok(Some(candidate.at(place)))
    }

    /// All that are kept of a package, by number.
    pub fn all(&self, package: &PackageName) -> Result<Vec<KeptRevision>, Fault> {
        let folder = self.of(package);
        let mut all = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            Err(error) => return Err(unread(&folder, &error)),
        };
        for entry in entries {
            let name = entry.map_err(|error| unread(&folder, &error))?.file_name();
            let digest = name.to_str().and_then(digest_of);
            if let Some(digest) = digest {
                all.extend(self.kept(package, &digest)?);
            }
        }
        all.sort_by_key(|kept| kept.revision.number);
        Ok(all)
    }

    /// The digests that a consumer may go by: of the revision and of all before it.
    fn line(&self, head: &KeptRevision) -> BTreeSet<Digest> {
        let mut known = BTreeSet::from([head.revision.digest]);
        let mut previous = head.revision.previous;
        while let Some(digest) = previous.filter(|digest| known.insert(*digest)) {
            // The first one's predecessor was never published; one that is damaged ends the line.
            let kept = self.kept(&head.revision.package, &digest);
            previous = kept.ok().flatten().and_then(|kept| kept.revision.previous);
        }
        known
    }

    /// Keeps a revision, without putting it in force.
    pub fn keep(&self, candidate: Candidate) -> io::Result<KeptRevision> {
        let folder = self.of(&candidate.revision.package);
        let place = folder.join(hex(&candidate.revision.digest));
        if !place.exists() {
            write(&folder, &place, &candidate)?;
        }
        Ok(candidate.at(place))
    }

    /// Puts a revision in force from the next start or reload on.
    pub fn put_in_force(&self, kept: &KeptRevision) -> io::Result<()> {
        let folder = self.of(&kept.revision.package);
        let fresh = folder.join(".current");
        let mut file = File::create(&fresh)?;
        writeln!(file, "{}", hex(&kept.revision.digest))?;
        file.sync_all()?;
        // Dies here: the one before stays in force, and this one is found again.
        fs::rename(&fresh, folder.join(CURRENT))?;
        File::open(&folder)?.sync_all()
    }

    /// Leaves a revision for the gateway to publish.
    pub fn leave(&self, candidate: &Candidate) -> io::Result<()> {
        let place = self.inbox().join(candidate.revision.package.as_str());
        if self.waits(&candidate.revision.package) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another publication waits for the gateway",
            ));
        }
        write(&self.inbox(), &place, candidate)
    }

    /// What was left, each with its folder.
    pub fn left(&self) -> io::Result<Vec<(PathBuf, Result<Candidate, Fault>)>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.inbox())? {
            let entry = entry?;
            let name = entry.file_name();
            // What is still being written has a dot before its name.
            if let Some(package) = name.to_str().and_then(|name| name.parse().ok()) {
                left.push((entry.path(), read(&entry.path(), &package)));
            }
        }
        Ok(left)
    }

    /// Clears what was left, and leaves word of why it was refused, if it was.
    pub fn take_away(&self, place: &Path, refused: Option<String>) -> io::Result<()> {
        let word = self.word(place);
        match refused {
            Some(why) => fs::write(&word, why)?,
            None if word.exists() => fs::remove_file(&word)?,
            None => {}
        }
        fs::remove_dir_all(place)
    }

    /// Why the gateway has refused what was left for it last.
    pub fn refusal(&self, package: &PackageName) -> Option<String> {
        fs::read_to_string(self.word(&self.inbox().join(package.as_str()))).ok()
    }

    fn word(&self, left: &Path) -> PathBuf {
        let package = left.file_name().unwrap_or_default().to_string_lossy();
        self.inbox().join(format!(".{package}.refused"))
    }

    /// Whether the gateway has still to take up what was left.
    pub fn waits(&self, package: &PackageName) -> bool {
        self.inbox().join(package.as_str()).exists()
    }

    fn of(&self, package: &PackageName) -> PathBuf {
        self.root.join(package.as_str())
    }
}

impl Candidate {
    fn at(self, place: PathBuf) -> KeptRevision {
        KeptRevision {
            place,
            revision: self.revision,
            note: self.note,
            files: self.files,
        }
    }
}

/// Reads what a folder holds. Whoever put it there has checked who signed it.
fn read(place: &Path, package: &PackageName) -> Result<Candidate, Fault> {
    let path = place.join(STATEMENT);
    let note = fs::read_to_string(&path).map_err(|error| unread(&path, &error))?;
    let revision: Revision = note::text(&note)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| damaged(place))?;
    let mut texts = BTreeMap::new();
    let found = Registry::texts(place).map_err(|faults| {
        let first = faults.into_iter().next();
        first.unwrap_or_else(|| damaged(place))
    })?;
    for (path, text) in found {
        let name = Path::new(&path).strip_prefix(place).ok();
        let name = name.and_then(Path::to_str).ok_or_else(|| damaged(place))?;
        texts.insert(name.to_owned(), text);
    }
    let files = PackageFiles::new(package.clone(), texts).map_err(|_| damaged(place))?;
    let files = revision.admit(files).map_err(|_| damaged(place))?;
    Ok(Candidate {
        revision,
        note,
        files,
    })
}

/// Writes a revision beside its place, then puts it there whole.
fn write(folder: &Path, place: &Path, candidate: &Candidate) -> io::Result<()> {
    let fresh = folder.join(format!(".{}", candidate.revision.package));
    match fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(fresh.join(candidate.revision.package.folder()))?;
    for (name, text) in candidate.files.texts() {
        write_file(&fresh.join(name), text)?;
    }
    write_file(&fresh.join(STATEMENT), &candidate.note)?;
    // Dies here: nobody looks at what has a dot before its name, and the next one writes over it.
    fs::rename(&fresh, place)?;
    File::open(folder)?.sync_all()
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn damaged(place: &Path) -> Fault {
    fault(
        place,
        "is not the revision that was signed; restore the folder from its backup",
    )
}

fn unread(path: &Path, error: &io::Error) -> Fault {
    fault(path, &format!("cannot be read: {error}"))
}

fn fault(path: &Path, message: &str) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        key: String::new(),
        message: message.to_owned(),
    }
}
