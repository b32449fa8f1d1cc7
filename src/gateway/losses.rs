//! Finds, before anything is made anew, the secrets that the journal's entries show to have been there.
//!
//! Made anew in silence, they would let `audit subject` say that nothing is on record, or a witness cosign what contradicts
//! it.

use std::path::Path;

use super::StartError;
use crate::config::Config;
use crate::evidence::usage::lost_months;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::subject::SubjectKeys;

/// What was lost, as operators know it. Nothing, in a journal without entries: its secrets are about to be made.
pub(super) fn find(config: &Config, subjects: &SubjectKeys) -> Result<Vec<String>, StartError> {
    let (journal, witness) = (&config.journal, &config.witness);
    if !has_entries(&journal.path)? {
        return Ok(Vec::new());
    }
    if !journal.key.exists() {
        // Another key can never go on with this journal.
        return Err(StartError::JournalKeyLost {
            path: journal.key.clone(),
        });
    }
    let files = [
        &journal.post_quantum_key,
        &journal.secret,
        &witness.key,
        &witness.state,
    ];
    let gone = files.into_iter().filter(|path| !path.exists());
    let mut lost: Vec<String> = gone.map(|path| path.display().to_string()).collect();
    for month in lost_months(&Reader::open(&journal.path), subjects)? {
        let path = journal.subjects.join(format!("{month}.key"));
        lost.push(path.display().to_string());
    }
    Ok(lost)
}

/// Lets the gateway go on without what was lost: from here on it is not missed again.
pub(super) fn accept(config: &Config, subjects: &SubjectKeys) -> Result<(), StartError> {
    if !has_entries(&config.journal.path)? {
        return Ok(());
    }
    for month in lost_months(&Reader::open(&config.journal.path), subjects)? {
        subjects.give_up(&month)?;
    }
    Ok(())
}

/// Keeps a key from being made anew that a journal with entries has had.
pub fn demand(journal: &Path, keys: &[&Path]) -> Result<(), StartError> {
    let gone = keys.iter().filter(|path| !path.exists());
    let lost: Vec<String> = gone.map(|path| path.display().to_string()).collect();
    match lost.is_empty() || !has_entries(journal)? {
        true => Ok(()),
        false => Err(StartError::SecretsLost(lost)),
    }
}

fn has_entries(journal: &Path) -> Result<bool, ReadError> {
    match journal.join("seg").exists() {
        true => Ok(Reader::open(journal).entry(0)?.is_some()),
        false => Ok(false),
    }
}
