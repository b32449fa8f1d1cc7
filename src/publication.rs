//! Published revisions: what a package's owner has signed, so that every gateway can tell it from a draft.

pub mod refused_revisions;
pub mod shelf;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::clock::Moment;
use crate::digest::Digest;
use crate::digest::digest_of;
use crate::digest::hex;
use crate::evidence::journals::Journals;
use crate::name::DepartmentId;
use crate::name::Origin;
use crate::name::PackageName;
use crate::registry::revision::PackageFiles;
use crate::registry::schema::RecordSchema;
use crate::tlog::key::JournalKey;
use crate::tlog::note;
use crate::tlog::note::NoteError;
use shelf::KeptRevision;

/// The first line of what is signed: no checkpoint begins so, whose first line is a journal's origin.
const TITLE: &str = "landbridge registry revision";

/// What an owner states of a package's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub package: PackageName,
    pub owner: DepartmentId,
    /// From 1; each is one more than the one before.
    pub number: u64,
    /// Of the package's files.
    pub digest: Digest,
    /// The digest of the one before; before the first: of what the owner's gateway answered by, if it had the package.
    pub previous: Option<Digest>,
    pub at: Moment,
}

/// Why a revision is not what it says that it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRevision {
    #[error("it is not signed by a journal key that the directory has of `{owner}`")]
    Signature {
        owner: DepartmentId,
        #[source]
        source: NoteError,
    },
    #[error("its statement makes no sense at `{0}`")]
    Statement(&'static str),
    #[error("it is stated to be of `{0}`, who did not sign it")]
    Foreign(String),
    #[error("its files are not those that were signed")]
    Altered,
}

impl Revision {
    /// The signed note (C2SP signed-note): this statement, and the signature of the owner's journal key.
    pub fn sign(&self, key: &JournalKey, origin: &Origin) -> Result<String, NoteError> {
        key.sign_text(&self.to_string(), &origin.to_string())
    }

    /// What a department has stated, if it was that department.
    pub fn open(
        note: &str,
        owner: &DepartmentId,
        journals: &Journals,
    ) -> Result<Self, BadRevision> {
        let opened = note::open(note, journals.of(owner)).map_err(|source| {
            let owner = owner.clone();
            BadRevision::Signature { owner, source }
        })?;
        let revision: Self = opened.text.parse()?;
        if revision.owner != *owner {
            return Err(BadRevision::Foreign(revision.owner.to_string()));
        }
        Ok(revision)
    }

    /// These files, if it is they that the revision is of.
    pub fn admit(&self, files: PackageFiles) -> Result<PackageFiles, BadRevision> {
        let is_same = *files.package() == self.package && *files.digest() == self.digest;
        is_same.then_some(files).ok_or(BadRevision::Altered)
    }
}

/// The text that is signed: a fixed line, then a word and its value on each.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.at(UtcOffset::UTC).format(&Rfc3339);
        writeln!(f, "{TITLE}")?;
        writeln!(f, "package {}", self.package)?;
        writeln!(f, "owner {}", self.owner)?;
        writeln!(f, "number {}", self.number)?;
        writeln!(f, "digest {}", hex(&self.digest))?;
        match &self.previous {
            Some(previous) => writeln!(f, "previous {}", hex(previous))?,
            None => writeln!(f, "previous none")?,
        }
        writeln!(f, "published {}", at.map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Revision {
    type Err = BadRevision;

    fn from_str(text: &str) -> Result<Self, BadRevision> {
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(TITLE) {
            return Err(BadRevision::Statement("title"));
        }
        let mut value = |word: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(word));
            let value = line.and_then(|line| line.strip_prefix(' '));
            value.ok_or(BadRevision::Statement(word))
        };
        let unfit = BadRevision::Statement;
        let revision = Self {
            package: value("package")?.parse().map_err(|_| unfit("package"))?,
            owner: value("owner")?.parse().map_err(|_| unfit("owner"))?,
            number: value("number")?.parse().map_err(|_| unfit("number"))?,
            digest: digest_of(value("digest")?).ok_or(unfit("digest"))?,
            previous: match value("previous")? {
                "none" => None,
                digits => Some(digest_of(digits).ok_or(unfit("previous"))?),
            },
            at: moment_of(value("published")?).ok_or(unfit("published"))?,
        };
        // One form only: what else is in the text was signed, and would be lost.
        match revision.number > 0 && revision.to_string() == text {
            true => Ok(revision),
            false => Err(unfit("end")),
        }
    }
}

fn moment_of(text: &str) -> Option<Moment> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let micros = i64::try_from(time.unix_timestamp_nanos() / 1_000).ok()?;
    Some(Moment::from_micros(micros))
}

/// What is in force of each published package, and what came before it.
#[derive(Debug, Default)]
pub struct PublishedPackages {
    packages: BTreeMap<PackageName, Line>,
}

/// The revisions of one package, up to the one in force.
#[derive(Debug)]
pub struct Line {
    pub head: KeptRevision,
    /// The digests of all of them: each is compatible with those before it.
    known: BTreeSet<Digest>,
}

/// The two gateways go by revisions of a package that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the consumer's gateway goes by {consumers}, the provider's by {providers} of `{package}`, and they do not fit; bring the consumer's registry into line"
)]
pub struct Incompatible {
    pub package: String,
    pub consumers: RevisionName,
    pub providers: RevisionName,
}

/// A revision as people tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionName {
    /// None of what was never published.
    pub number: Option<u64>,
    pub digest: Digest,
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = hex(&self.digest);
        let short = digest.get(..12).unwrap_or_default();
        match self.number {
            Some(number) => write!(f, "revision {number} ({short})"),
            None => write!(f, "an unpublished revision ({short})"),
        }
    }
}

impl PublishedPackages {
    pub(super) fn new(lines: impl IntoIterator<Item = (KeptRevision, BTreeSet<Digest>)>) -> Self {
        let line = |(head, known): (KeptRevision, _)| {
            let package = head.revision.package.clone();
            (package, Line { head, known })
        };
        Self {
            packages: lines.into_iter().map(line).collect(),
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.packages.values()
    }

    pub fn head(&self, package: &str) -> Option<&KeptRevision> {
        self.packages.get(package).map(|line| &line.head)
    }

    /// These, with others in force in the place of those of the same packages.
    pub fn with(&self, candidates: impl IntoIterator<Item = KeptRevision>) -> Self {
        let lines = self.packages.values();
        let mut all = Self::new(lines.map(|line| (line.head.clone(), line.known.clone())));
        for head in candidates {
            let package = head.revision.package.clone();
            let mut known = match all.packages.remove(&package) {
                Some(line) => line.known,
                None => BTreeSet::new(),
            };
            known.extend(head.revision.previous);
            known.insert(head.revision.digest);
            all.packages.insert(package, Line { head, known });
        }
        all
    }

    /// Whether a consumer that goes by that revision of a record type's package can read what is answered by the one in
    /// force. What was never published is not judged.
    pub fn fit(
        &self,
        schema: &RecordSchema,
        revision: &[u8],
        schema_digest: &[u8],
    ) -> Result<(), Incompatible> {
        let package = schema.name().package();
        let (Some(line), Ok(revision)) = (self.packages.get(package), Digest::try_from(revision))
        else {
            return Ok(());
        };
        // Another text may say the same of this record type.
        if line.known.contains(&revision) || *schema_digest == *schema.digest() {
            return Ok(());
        }
        Err(Incompatible {
            package: package.to_owned(),
            consumers: RevisionName {
                number: None,
                digest: revision,
            },
            providers: line.head.named(),
        })
    }
}

#[cfg(test)]
mod tests;
