//! The texts of a policy as they were in force, beside the journal.
//!
//! `policy/<digest>` has a text under the digest of its own, [`text_digest`]: of an agreement, of a file of guardrails, or a
//! list of what was in force together, with a line for each: the digest by which entries name it, that of its text, and its
//! name. Entries of starts and reloads name the list; so the journal says which text an agreement's digest means.
//! `policy/in-force` has a line for each that is in force now: its digest, a space and its name.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::disk::Disk;
use super::disk::DiskError;
use super::disk::RealDisk;
use super::disk::replace;
use super::layout::Layout;
use super::layout::read_text;
use crate::digest::Digest;
use crate::digest::digest_of;
use crate::digest::hex;
use crate::pb;
use crate::pb::journal_record;
use crate::policy::Part;
use crate::policy::text_digest;
use crate::text;

const IN_FORCE: &str = "in-force";
/// The most changes that an entry names.
const MAX_CHANGES: usize = 200;

/// What is in force: each agreement by its id, each file of guardrails by its name.
pub type PoliciesInForce = BTreeMap<String, Digest>;

/// The folder.
#[derive(Debug, Clone)]
pub struct Policies {
    folder: PathBuf,
}

/// What stands under a digest. Whoever has the folder could have written there what he likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptText {
    Text(String),
    /// Another text than the one that was kept.
    Altered,
    /// It was kept under an agreement's digest, as earlier versions did: nothing on record says that this is the text.
    Unproven(String),
    Nothing,
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

    /// The text that has this digest.
    pub fn read(&self, digest: &Digest) -> Result<KeptText, DiskError> {
        self.look(digest, |text| match text_digest(&text) == *digest {
            true => KeptText::Text(text),
            false => KeptText::Altered,
        })
    }

    fn look(
        &self,
        digest: &Digest,
        judge: impl FnOnce(String) -> KeptText,
    ) -> Result<KeptText, DiskError> {
        match read_text(&self.folder.join(hex(digest))) {
            Ok(text) => Ok(text.map_or(KeptText::Nothing, judge)),
            // Only texts are kept.
            Err(error) if error.source.kind() == io::ErrorKind::InvalidData => {
                Ok(KeptText::Altered)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a text is kept, and is what it was.
    pub fn has(&self, digest: &Digest) -> bool {
        self.read(digest)
            .is_ok_and(|kept| matches!(kept, KeptText::Text(_)))
    }

    /// Under which something is kept.
    fn digests(&self) -> Result<Vec<Digest>, DiskError> {
        let failed = |source| DiskError::new("list", &self.folder, source);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            digests.extend(name.to_str().and_then(digest_of));
        }
        digests.sort_unstable();
        Ok(digests)
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
    pub fn changes(&self, now: &PoliciesInForce) -> Result<Changes, DiskError> {
        let before = read_text(&self.folder.join(IN_FORCE))?;
        Ok(before.map_or_else(Changes::default, |before| Changes::between(&before, now)))
    }

    /// Takes down what is in force from now on.
    pub fn put_in_force(&self, now: &PoliciesInForce) -> Result<(), DiskError> {
        RealDisk.create_dir(&self.folder)?;
        let lines = now
            .iter()
            .map(|(name, digest)| format!("{} {name}\n", hex(digest)));
        let lines: String = lines.collect();
        replace(&RealDisk, &self.folder.join(IN_FORCE), lines.as_bytes())
    }
}

/// The texts of which a journal says that they were in force.
#[derive(Debug, Default)]
pub struct TextsOnRecord {
    /// The digest that entries have of a part of the policy, and the digests of its texts: notes in an agreement change the
    /// text and not what it means.
    texts: BTreeMap<Digest, BTreeSet<Digest>>,
    lists: BTreeSet<Digest>,
}

impl TextsOnRecord {
    /// An entry of the journal; its lists are read when all are known.
    pub(crate) fn note(&mut self, record: &journal_record::Kind) {
        self.lists.extend(list_of(record));
    }

    pub(crate) fn read_lists(&mut self, policies: &Policies) -> Result<(), DiskError> {
        for list in &self.lists {
            let KeptText::Text(lines) = policies.read(list)? else {
                continue;
            };
            for (part, text) in lines.lines().filter_map(listed) {
                self.texts.entry(part).or_default().insert(text);
            }
        }
        Ok(())
    }

    /// The text of an agreement or of guardrails, by the digest that entries have of it.
    pub fn text(&self, policies: &Policies, part: &Digest) -> Result<KeptText, DiskError> {
        let Some(texts) = self.texts.get(part) else {
            return Ok(match policies.read(part)? {
                KeptText::Altered => policies.look(part, KeptText::Unproven)?,
                // A digest that is the text's own.
                other => other,
            });
        };
        let mut found = KeptText::Nothing;
        for text in texts {
            match policies.read(text)? {
                KeptText::Nothing => {}
                KeptText::Text(text) => return Ok(KeptText::Text(text)),
                other => found = other,
            }
        }
        Ok(found)
    }

    /// How many texts are kept that nothing on record speaks for; the first digest whose text is another than it was.
    pub(super) fn check(&self, policies: &Policies) -> Result<(u64, Option<Digest>), DiskError> {
        let mut unproven = 0;
        for digest in policies.digests()? {
            if matches!(
                policies.read(&digest)?,
                KeptText::Text(_) | KeptText::Nothing
            ) {
                continue;
            }
            let mut texts = self.texts.values().flatten();
            if self.lists.contains(&digest) || texts.any(|text| *text == digest) {
                return Ok((unproven, Some(digest)));
            }
            unproven += 1;
        }
        Ok((unproven, None))
    }
}

/// The list of what was in force, by its digest: an entry of a start or a reload has it.
fn list_of(record: &journal_record::Kind) -> Option<Digest> {
    let list = match record {
        journal_record::Kind::Lifecycle(record) => &record.in_force,
        journal_record::Kind::Policy(record) => &record.in_force,
        _ => return None,
    };
    list.as_ref().try_into().ok()
}

/// The list of the parts of a policy, whose digest goes on record.
pub fn list<'a>(parts: impl Iterator<Item = Part<'a>>) -> String {
    let line = |part: Part<'_>| format!("{} {} {}\n", hex(part.digest), hex(part.text), part.name);
    parts.map(line).collect()
}

fn listed(line: &str) -> Option<(Digest, Digest)> {
    let mut words = line.split(' ');
    Some((digest_of(words.next()?)?, digest_of(words.next()?)?))
}

impl Changes {
    fn between(before: &str, now: &PoliciesInForce) -> Self {
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
    use crate::journal::testing::temporary;

    #[test]
    fn what_comes_into_force_is_compared_with_what_was() {
        let dir = temporary();
        let policies = Policies::beside(dir.path());
        let one = PoliciesInForce::from([("A-1".to_owned(), [1; 32]), ("B-1".to_owned(), [2; 32])]);
        assert_eq!(policies.changes(&one).unwrap(), Changes::default());
        policies.put_in_force(&one).unwrap();
        let two = PoliciesInForce::from([("A-1".to_owned(), [3; 32]), ("C-1".to_owned(), [4; 32])]);
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
    fn a_text_is_read_by_its_own_digest_and_no_other() {
        let dir = temporary();
        let policies = Policies::beside(dir.path());
        let (text, other) = ("id = \"A-1\"\n".to_owned(), "id = \"A-2\"\n");
        let digest = text_digest(&text);
        assert_eq!(policies.read(&digest).unwrap(), KeptText::Nothing);
        policies.keep([(digest, text.clone())].into_iter()).unwrap();
        assert!(policies.has(&digest));
        assert_eq!(policies.read(&digest).unwrap(), KeptText::Text(text));
        fs::write(dir.path().join("policy").join(hex(&digest)), other).unwrap();
        assert!(!policies.has(&digest));
        assert_eq!(policies.read(&digest).unwrap(), KeptText::Altered);
    }

    #[test]
    fn what_is_on_record_says_which_text_an_agreement_had() {
        let dir = temporary();
        let policies = Policies::beside(dir.path());
        let (text, agreement) = ("id = \"A-1\"\n".to_owned(), [7; 32]);
        let list = format!("{} {} A-1\n", hex(&agreement), hex(&text_digest(&text)));
        let [text_at, list_at] = [&text, &list].map(|text| text_digest(text));
        let texts = [(text_at, text.clone()), (list_at, list)];
        policies.keep(texts.into_iter()).unwrap();
        // What an earlier version kept, or somebody laid there.
        policies
            .keep([(agreement, "id = \"A-9\"\n".to_owned())].into_iter())
            .unwrap();
        let mut known = TextsOnRecord::default();
        let before = known.text(&policies, &agreement).unwrap();
        assert!(matches!(before, KeptText::Unproven(_)), "{before:?}");
        known.note(&journal_record::Kind::Lifecycle(pb::LifecycleRecord {
            in_force: list_at.to_vec().into(),
            ..pb::LifecycleRecord::default()
        }));
        known.read_lists(&policies).unwrap();
        assert_eq!(
            known.text(&policies, &agreement).unwrap(),
            KeptText::Text(text)
        );
        assert_eq!(known.check(&policies).unwrap(), (1, None));
        fs::write(dir.path().join("policy").join(hex(&text_at)), "edited").unwrap();
        assert_eq!(
            known.text(&policies, &agreement).unwrap(),
            KeptText::Altered
        );
        assert_eq!(known.check(&policies).unwrap().1, Some(text_at));
    }
}
