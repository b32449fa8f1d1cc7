//! The policy as it would be with one of its files changed.

use std::path::Path;

use time::UtcOffset;

use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::journal::policies;
use crate::journal::policies::KeptText;
use crate::journal::policies::Policies;
use crate::name::DepartmentId;
use crate::policy::Part;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;

/// As files of guardrails end.
const GUARDRAILS: &str = ".cedar";

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
        Ok(KeptText::Text(text)) => Some(text),
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
