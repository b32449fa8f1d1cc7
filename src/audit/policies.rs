//! The texts of a policy as they were in force, beside the journal.
//!
//! `policy/<digest>` has the text of an agreement or of a file of guardrails, under the digest by which entries name it;
//! `policy/in-force` has a line for each that is in force now: its digest, a space and its name.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::disk::Disk;
use super::disk::DiskError;
use super::disk::RealDisk;
use super::disk::replace;
use super::layout::Layout;
use super::layout::read_text;
use crate::pb;
use crate::policy::Part;
use crate::policy::text_digest;
use crate::registry::Digest;
use crate::registry::digest_of;
use crate::registry::hex;
use crate::text;

const IN_FORCE: &str = "in-force";
/// The most changes that an entry names.
const MAX_CHANGES: usize = 200;

/// What is in force: each agreement by its id, each file of guardrails by its name.
pub type InForce = BTreeMap<String, Digest>;

/// The folder.
#[derive(Debug, Clone)]
pub struct Policies {
    folder: PathBuf,
}

/// What has changed, as an entry tells it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Changes {
    pub changes: Vec<pb::PolicyChange>,
    /// How many more there are than it tells.
    pub untold: usize,
}

impl Policies {
    pub fn beside(journal: &Path) -> Self {
        Self {
            folder: Layout::new(journal).policies(),
        }
    }

    /// The text that is kept under a digest.
    pub fn text(&self, digest: &[u8]) -> Result<Option<String>, DiskError> {
        read_text(&self.folder.join(hex(digest)))
    }

    /// Whether a text is kept.
    pub fn has(&self, digest: &Digest) -> bool {
        self.folder.join(hex(digest)).exists()
    }

    /// Keeps texts, whole or not at all each, and on disk when it comes back.
    pub fn keep(&self, texts: impl Iterator<Item = (Digest, String)>) -> Result<(), DiskError> {
        RealDisk.create_dir(&self.folder)?;
        let mut written = Vec::new();
        for (digest, text) in texts {
            let place = self.folder.join(hex(&digest));
            let fresh = place.with_extension("new");
            RealDisk.create(&fresh)?.write_at(text.as_bytes(), 0)?;
            written.push((fresh, place));
        }
        // Behind one another the flushes are cheap: the first writes nearly all of it.
        for (fresh, place) in &written {
            RealDisk.open(fresh)?.flush()?;
            RealDisk.rename(fresh, place)?;
        }
        RealDisk.flush_dir(&self.folder)
    }

    /// What differs from what was in force; nothing where nothing was taken down before.
    pub fn changes(&self, now: &InForce) -> Result<Changes, DiskError> {
        let before = read_text(&self.folder.join(IN_FORCE))?;
        Ok(before.map_or_else(Changes::default, |before| Changes::between(&before, now)))
    }

    /// Takes down what is in force from now on.
    pub fn put_in_force(&self, now: &InForce) -> Result<(), DiskError> {
        RealDisk.create_dir(&self.folder)?;
        let lines = now
            .iter()
            .map(|(name, digest)| format!("{} {name}\n", hex(digest)));
        let lines: String = lines.collect();
        replace(&RealDisk, &self.folder.join(IN_FORCE), lines.as_bytes())
    }
}

impl Changes {
    fn between(before: &str, now: &InForce) -> Self {
        let mut names: BTreeMap<&str, [Option<Digest>; 2]> = BTreeMap::new();
        for (digest, name) in before.lines().filter_map(|line| line.split_once(' ')) {
            names.entry(name).or_default()[0] = digest_of(digest);
        }
        for (name, digest) in now {
            names.entry(name).or_default()[1] = Some(*digest);
        }
        let bytes = |digest: Option<Digest>| digest.map(|digest| digest.to_vec().into());
        let changed = names
            .into_iter()
            .filter(|(_, [before, after])| before != after);
        let mut changes: Vec<_> = changed
            .map(|(name, [before, after])| pb::PolicyChange {
                name: name.to_owned(),
                before: bytes(before).unwrap_or_default(),
                after: bytes(after).unwrap_or_default(),
            })
            .collect();
        let untold = changes.len().saturating_sub(MAX_CHANGES);
        changes.truncate(MAX_CHANGES);
        Self { changes, untold }
    }
}

/// The text of a part of a policy as it was compiled; none if the file is another by now.
pub fn text_of(part: &Part<'_>) -> Option<String> {
    let text = text::read(Path::new(part.file)).ok()?;
    (text_digest(&text) == *part.text).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::temporary;

    #[test]
    fn what_comes_into_force_is_compared_with_what_was() {
        let dir = temporary();
        let policies = Policies::beside(dir.path());
        let one = InForce::from([("A-1".to_owned(), [1; 32]), ("B-1".to_owned(), [2; 32])]);
        assert_eq!(policies.changes(&one).unwrap(), Changes::default());
        policies.put_in_force(&one).unwrap();
        let two = InForce::from([("A-1".to_owned(), [3; 32]), ("C-1".to_owned(), [4; 32])]);
        let told = policies.changes(&two).unwrap();
        let told: Vec<_> = told
            .changes
            .iter()
            .map(|change| (&*change.name, &*change.before, &*change.after))
            .collect();
        let none: &[u8] = &[];
        assert_eq!(
            told,
            [
                ("A-1", &[1; 32][..], &[3; 32][..]),
                ("B-1", &[2; 32][..], none),
                ("C-1", none, &[4; 32][..]),
            ]
        );
        policies.put_in_force(&two).unwrap();
        assert_eq!(policies.changes(&two).unwrap(), Changes::default());
    }

    #[test]
    fn a_text_is_found_by_its_digest() {
        let dir = temporary();
        let policies = Policies::beside(dir.path());
        assert_eq!(policies.text(&[7; 32]).unwrap(), None);
        let text = ([7; 32], "id = \"A-1\"\n".to_owned());
        policies.keep([text].into_iter()).unwrap();
        assert!(policies.has(&[7; 32]));
        assert_eq!(
            policies.text(&[7; 32]).unwrap().as_deref(),
            Some("id = \"A-1\"\n")
        );
    }
}
