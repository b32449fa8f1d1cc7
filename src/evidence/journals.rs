//! Whose key speaks for which journal, as the federation's directory has it.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Instant;

use super::cosigned::Cosigned;
use super::cosigned::Rollback;
use crate::fault::Fault;
use crate::identity::directory::Department;
use crate::identity::directory::Directory;
use crate::name::DepartmentId;
use crate::name::Origin;
use crate::name::TrustDomain;
use crate::tlog::note::KeyKind;
use crate::tlog::note::NoteError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::CheckpointError;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// Checkpoints of one department that are remembered as verified: those of the latest commits, and of its replicas.
const REMEMBERED: usize = 8;

/// The journals of all departments. The keys never change: a reload makes another one, which remembers nothing.
#[derive(Debug, Default)]
pub struct Journals {
    departments: BTreeMap<DepartmentId, DepartmentKeys>,
    /// What this gateway has cosigned, from when its witness knows of them.
    cosigned: OnceLock<Arc<Cosigned>>,
}

#[derive(Debug, Default)]
struct DepartmentKeys {
    keys: Vec<VerifierKey>,
    /// What these keys were found to have signed, the latest first.
    verified: Mutex<VecDeque<Arc<SignedCheckpoint>>>,
}

impl Journals {
    /// Reads the directory's `journal` keys. Each must bear the origin of a journal of its own department: otherwise one
    /// department could speak for another.
    pub fn read(
        file: &str,
        directory: &Directory,
        domain: &TrustDomain,
    ) -> Result<Self, Vec<Fault>> {
        let (mut departments, mut faults) = (BTreeMap::new(), Vec::new());
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
            let known = DepartmentKeys {
                keys: own,
                ..DepartmentKeys::default()
            };
            departments.insert(department.id.clone(), known);
        }
        if faults.is_empty() {
            Ok(Self {
                departments,
                cosigned: OnceLock::new(),
            })
        } else {
            Err(faults)
        }
    }

    /// The keys of a department's journals; several for one journal while its key changes.
    pub fn of(&self, department: &DepartmentId) -> &[VerifierKey] {
        self.departments
            .get(department)
            .map_or(&[], |known| known.keys.as_slice())
    }

    /// Whether a department has a key here that signs each of its commits, so that its receipts can be verified.
    pub fn can_prove(&self, department: &DepartmentId) -> bool {
        let mut keys = self.of(department).iter();
        keys.any(|key| key.kind() == KeyKind::Ed25519)
    }

    /// Verifies that a note is the checkpoint of a journal of that department. One signature is verified for each commit of
    /// theirs, however many receipts come with it.
    pub fn checkpoint(
        &self,
        department: &DepartmentId,
        note: &str,
    ) -> Result<Arc<SignedCheckpoint>, CheckpointError> {
        let Some(known) = self.departments.get(department) else {
            return Err(CheckpointError::Note(NoteError::Unsigned));
        };
        if let Some(verified) = known.lock().iter().find(|known| known.note() == note) {
            return Ok(verified.clone());
        }
        // Without the lock: others must not wait for a signature.
        let checkpoint = Arc::new(SignedCheckpoint::open(note, &known.keys)?);
        let mut verified = known.lock();
        verified.truncate(REMEMBERED - 1);
        verified.push_front(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Holds receipts against what the own witness has cosigned.
    pub(super) fn hold_against(&self, cosigned: Arc<Cosigned>) {
        // The first one stays: there is one witness.
        let _ = self.cosigned.set(cosigned);
    }

    /// Whether an entry that was written after `asked` can stand there, by what the own witness has cosigned.
    pub(super) fn check_entry(
        &self,
        origin: &str,
        index: u64,
        asked: Instant,
    ) -> Result<(), Rollback> {
        match self.cosigned.get() {
            Some(cosigned) => cosigned.check_entry(origin, index, asked),
            None => Ok(()),
        }
    }

    /// The keys that speak for one journal.
    pub fn keys<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = &'a VerifierKey> {
        let name = origin.to_string();
        self.of(origin.department())
            .iter()
            .filter(move |key| key.name() == name)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self, department: &DepartmentId) -> usize {
        self.departments
            .get(department)
            .map_or(0, |known| known.lock().len())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&DepartmentId, &[VerifierKey])> {
        self.departments
            .iter()
            .map(|(id, known)| (id, known.keys.as_slice()))
    }
}

impl DepartmentKeys {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<SignedCheckpoint>>> {
        // The list is whole at every moment.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with a key, and how to correct it.
fn read(text: &str, department: &Department, domain: &TrustDomain) -> Result<VerifierKey, String> {
    let hint =
        "take the line that `landbridge audit key --config <settings>` prints at that department";
    let key: VerifierKey = text.parse().map_err(|error| format!("{error}; {hint}"))?;
    let origin: Origin = key
        .name()
        .parse()
        .map_err(|error| format!("{error}; {hint}"))?;
    if origin.domain() != domain || *origin.department() != department.id {
        return Err(format!(
            "is the key of `{origin}`, which is no journal of `{domain}/{}`; {hint}",
            department.id
        ));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
