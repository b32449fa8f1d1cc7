//! Whose key speaks for which journal, as the federation's directory has it.

use std::collections::BTreeMap;

use super::note::VerifierKey;
use crate::fault::Fault;
use crate::identity::directory::Department;
use crate::identity::directory::Directory;
use crate::name::DepartmentId;
use crate::name::Origin;
use crate::name::TrustDomain;

/// The journals of all departments. Immutable: a reload makes another one.
#[derive(Debug, Default)]
pub struct Journals {
    keys: BTreeMap<DepartmentId, Vec<VerifierKey>>,
}

impl Journals {
    /// Reads the directory's `journal` keys. Each must bear the origin of a journal of its own department: otherwise one
    /// department could speak for another.
    pub fn read(
        file: &str,
        directory: &Directory,
        domain: &TrustDomain,
    ) -> Result<Self, Vec<Fault>> {
        let (mut keys, mut faults) = (BTreeMap::new(), Vec::new());
        for department in directory.departments() {
            let mut own = Vec::with_capacity(department.journal.len());
            for (number, text) in department.journal.iter().enumerate() {
                match read(text, department, domain) {
                    Ok(key) => own.push(key),
                    Err(message) => faults.push(Fault {
                        file: file.to_owned(),
                        line: 0,
                        column: 0,
                        key: format!("department[{}].journal[{number}]", department.id),
                        message,
                    }),
                }
            }
            keys.insert(department.id.clone(), own);
        }
        if faults.is_empty() {
            Ok(Self { keys })
        } else {
            Err(faults)
        }
    }

    /// The keys of a department's journals; several for one journal while its key changes.
    pub fn of(&self, department: &DepartmentId) -> &[VerifierKey] {
        self.keys.get(department).map_or(&[], Vec::as_slice)
    }

    /// The keys that speak for one journal.
    pub fn keys<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = &'a VerifierKey> {
        let name = origin.to_string();
        self.of(origin.department())
            .iter()
            .filter(move |key| key.name() == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&DepartmentId, &[VerifierKey])> {
        self.keys.iter().map(|(id, keys)| (id, keys.as_slice()))
    }
}

/// What is wrong with a key, and how to mend it.
fn read(text: &str, department: &Department, domain: &TrustDomain) -> Result<VerifierKey, String> {
    let mend =
        "take the line that `landbridge audit key --config <settings>` prints at that department";
    let key: VerifierKey = text.parse().map_err(|error| format!("{error}; {mend}"))?;
    let origin: Origin = key
        .name()
        .parse()
        .map_err(|error| format!("{error}; {mend}"))?;
    if origin.domain() != domain || *origin.department() != department.id {
        return Err(format!(
            "is the key of `{origin}`, which is no journal of `{domain}/{}`; {mend}",
            department.id
        ));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
