//! The policy as it would be with one of its files changed, and who would get what by it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use time::UtcOffset;

use crate::audit::policies;
use crate::audit::policies::Kept;
use crate::audit::policies::Policies;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::name::DepartmentId;
use crate::policy::Part;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;
use crate::registry::query::Mode;

/// As files of guardrails end.
const GUARDRAILS: &str = ".cedar";

/// Who may get a record type in which mode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) consumer: String,
    pub(super) record_type: String,
    pub(super) mode: Mode,
}

/// The fields, each with its mask, that somebody would get or get no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) gained: BTreeSet<String>,
    pub(super) lost: BTreeSet<String>,
}

/// Compiles what is in force with one file in place of its former self, or as a new one.
pub(super) fn compile(
    snapshot: &Snapshot,
    journal: &Path,
    own: &DepartmentId,
    offset: UtcOffset,
    edited: PolicyFile,
) -> Result<PolicySet, Vec<Fault>> {
    let departments: Vec<_> = snapshot.directory.ids().cloned().collect();
    let kept = Policies::beside(journal);
    let others = snapshot
        .policy
        .parts()
        .filter(|part| part.file != edited.path)
        .map(|part| {
            Ok(PolicyFile {
                text: text_in_force(&part, &kept)?,
                path: part.file.to_owned(),
            })
        });
    let mut files: Vec<_> = others
        .collect::<Result<_, Fault>>()
        .map_err(|fault| vec![fault])?;
    files.push(edited);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let (guardrails, agreements): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|file| file.path.ends_with(GUARDRAILS));
    PolicySet::compile(&PolicyInput {
        department: own,
        departments: &departments,
        registry: &snapshot.registry,
        agreements: &agreements,
        guardrails: &guardrails,
        offset,
        before: Some(&snapshot.policy),
    })
}

/// The text that is in force: the file's, or the one kept if the file is another by now.
fn text_in_force(part: &Part<'_>, kept: &Policies) -> Result<String, Fault> {
    let former = || match kept.read(part.text) {
        Ok(Kept::Text(text)) => Some(text),
        _ => None,
    };
    policies::text_of(part)
        .or_else(former)
        .ok_or_else(|| Fault {
            file: part.file.to_owned(),
            line: 0,
            column: 0,
            key: part.name.to_owned(),
            message: "is not what is in force, and its former text is not kept".to_owned(),
        })
}

/// Who would get other fields than now.
pub(super) fn moved(before: &PolicySet, after: &PolicySet) -> BTreeMap<Way, Moved> {
    let (before, after) = (ways(before), ways(after));
    let none = BTreeSet::new();
    let mut all = BTreeMap::new();
    for way in before.keys().chain(after.keys()) {
        let (old, new) = (
            before.get(way).unwrap_or(&none),
            after.get(way).unwrap_or(&none),
        );
        if old != new {
            let moved = Moved {
                gained: new.difference(old).cloned().collect(),
                lost: old.difference(new).cloned().collect(),
            };
            all.insert(way.clone(), moved);
        }
    }
    all
}

fn ways(policy: &PolicySet) -> BTreeMap<Way, BTreeSet<String>> {
    let mut ways: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for agreement in policy.agreements() {
        for grant in &agreement.grants {
            for &mode in &grant.modes {
                let way = Way {
                    consumer: agreement.consumer.to_string(),
                    record_type: grant.schema.name().to_string(),
                    mode,
                };
                let fields = grant.released.iter().map(|released| match released.mask {
                    None => released.field.path().to_string(),
                    Some(mask) => format!("{} ({mask})", released.field.path()),
                });
                ways.entry(way).or_default().extend(fields);
            }
        }
    }
    ways
}
