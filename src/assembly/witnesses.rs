//! Which witnesses the own journal wants, and in which departments they are.

use std::collections::BTreeMap;
use std::path::Path;

use super::files::unreadable;
use crate::config::Config;
use crate::fault::Fault;
use crate::identity::directory::Directory;
use crate::name::DepartmentId;
use crate::text;
use crate::tlog::note::KeyKind;
use crate::tlog::note::VerifierKey;
use crate::tlog::quorum::Witness;
use crate::tlog::quorum::WitnessPolicy;

/// The policy for the own journal, with the way to each of its witnesses. Immutable: a reload makes another one.
#[derive(Debug)]
pub struct Witnesses {
    pub(crate) policy: WitnessPolicy,
    pub(crate) all: Vec<LocatedWitness>,
}

/// A witness of the policy, and the department whose gateway it is.
#[derive(Debug, Clone)]
pub(crate) struct LocatedWitness {
    pub(crate) witness: Witness,
    pub(crate) department: DepartmentId,
}

impl Witnesses {
    /// Reads the policy file that the settings name; none if they name none. Every witness of it must be in the directory.
    pub(super) fn read(config: &Config, directory: &Directory) -> Result<Option<Self>, Vec<Fault>> {
        let keys = cosigners(config, directory)?;
        let Some(path) = &config.witness.policy else {
            return Ok(None);
        };
        let text = text::read(path).map_err(|error| vec![unreadable(path, &error)])?;
        let policy = WitnessPolicy::parse(&path.display().to_string(), &text)?;
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        for witness in policy.witnesses() {
            match keys.get(&witness.key.to_string()) {
                Some(department) if *department != config.department => all.push(LocatedWitness {
                    witness: witness.clone(),
                    department: department.clone(),
                }),
                found => {
                    let own = found.is_some();
                    faults.push(not_reached(path, &text, witness, own, &config.directory));
                }
            }
        }
        if faults.is_empty() {
            Ok(Some(Self { policy, all }))
        } else {
            Err(faults)
        }
    }
}

/// The departments' `witness` keys of the directory, by their text. Each must bear its own department's name: otherwise one
/// department could be witnessed by itself under another's name.
fn cosigners(
    config: &Config,
    directory: &Directory,
) -> Result<BTreeMap<String, DepartmentId>, Vec<Fault>> {
    let (mut keys, mut faults) = (BTreeMap::new(), Vec::new());
    for department in directory.departments() {
        let Some(text) = &department.witness else {
            continue;
        };
        let expected = config.witness_name_of(&department.id);
        match cosigner(text, &expected) {
            Ok(key) => _ = keys.insert(key.to_string(), department.id.clone()),
            Err(message) => faults.push(Fault {
                file: config.directory.display().to_string(),
                line: 0,
                column: 0,
                key: format!("department[{}].witness", department.id),
                message,
            }),
        }
    }
    if faults.is_empty() {
        Ok(keys)
    } else {
        Err(faults)
    }
}

/// The key, or what is wrong with it and how to correct it.
fn cosigner(text: &str, name: &str) -> Result<VerifierKey, String> {
    let hint = "take the line that `landbridge audit key --witness --config <settings>` prints at that department";
    let key: VerifierKey = text.parse().map_err(|error| format!("{error}; {hint}"))?;
    if key.name() != name {
        return Err(format!(
            "is the key of `{}`, not of `{name}`; {hint}",
            key.name()
        ));
    }
    match key.kind() {
        KeyKind::Cosignature | KeyKind::MlDsa44 => Ok(key),
        KeyKind::Ed25519 => Err(format!(
            "is a key that signs logs, not cosignatures; {hint}"
        )),
    }
}

fn not_reached(policy: &Path, text: &str, witness: &Witness, own: bool, directory: &Path) -> Fault {
    let key = witness.key.to_string();
    let line = text.lines().position(|line| line.contains(&key));
    let directory = directory.display();
    let message = match own {
        true => "is this department's own witness, which proves nothing to others; remove the line"
            .to_owned(),
        false => format!(
            "no department of {directory} has this key; put `witness = \"{key}\"` into its [[department]] there, or \
             remove the line"
        ),
    };
    Fault {
        file: policy.display().to_string(),
        line: line.map_or(0, |line| line + 1),
        column: 0,
        key: format!("witness {}", witness.name),
        message,
    }
}
