//! When a checkpoint is witnessed enough (C2SP tlog-policy): which logs, which witnesses, and how many of them.

mod read;

use super::note;
use super::note::NoteError;
use super::note::Signer;
use super::note::VerifierKey;
use super::signed_checkpoint::SignedCheckpoint;
use crate::clock::Moment;
use crate::fault::Fault;

/// A policy file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessPolicy {
    logs: Vec<Log>,
    /// Witnesses and groups, each after those that it is made of.
    members: Vec<Member>,
    /// A place in `members`; None if no witness is needed.
    quorum: Option<usize>,
}

/// A log that the policy accepts, under the name that its checkpoints bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub key: VerifierKey,
    pub url: Option<String>,
}

/// A cosigner that the policy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The policy's name for it; its key has a name of its own.
    pub name: String,
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    Witness(Witness),
    Group {
        name: String,
        /// How many of its parts are enough, at least 1.
        enough: usize,
        /// Places of members before it.
        parts: Vec<usize>,
    },
}

/// A checkpoint that enough witnesses have cosigned; only a policy makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedCheckpoint {
    /// The policy's witnesses that have cosigned, in the policy's order, with the times that they state.
    pub cosigners: Vec<(Witness, Option<Moment>)>,
    /// The quorum's: enough witnesses have signed at this time or later. None if the policy needs no witness. A cosignature
    /// that states no time is as old as can be.
    pub time: Option<Moment>,
}

/// Why a checkpoint is not witnessed enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("no log of the policy has signed the checkpoint of `{0}`")]
    OtherLog(String),
    #[error("the quorum `{quorum}` is not met: {}", names(cosigners))]
    NoQuorum {
        quorum: String,
        /// The policy's names of the witnesses that have cosigned.
        cosigners: Vec<String>,
    },
}

impl WitnessPolicy {
    /// Reads a policy, or reports every fault in it. `file` is what faults name.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        read::policy(file, text)
    }

    /// None at all means that the logs are known from elsewhere.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// All that are defined, also those that the quorum does not reach.
    pub fn witnesses(&self) -> impl Iterator<Item = &Witness> {
        self.members.iter().filter_map(|member| match member {
            Member::Witness(witness) => Some(witness),
            Member::Group { .. } => None,
        })
    }

    /// Checks a checkpoint that its log has signed. If the policy names logs, one of their keys must have signed it.
    pub fn satisfied(
        &self,
        checkpoint: &SignedCheckpoint,
    ) -> Result<WitnessedCheckpoint, QuorumError> {
        self.check_log(checkpoint)?;
        let keys: Vec<VerifierKey> = self.witnesses().map(|by| by.key.clone()).collect();
        let signers = signers(checkpoint, &keys)?;
        let time_of = |witness: &Witness| {
            let signer = signers.iter().find(|signer| signer.key == witness.key)?;
            Some(signer.time)
        };
        let cosigners: Vec<_> = self
            .witnesses()
            .filter_map(|witness| Some((witness.clone(), time_of(witness)?)))
            .collect();
        let Some(quorum) = self.quorum else {
            return Ok(WitnessedCheckpoint {
                cosigners,
                time: None,
            });
        };
        match self.time(quorum, time_of) {
            Some(time) => Ok(WitnessedCheckpoint {
                cosigners,
                time: Some(time),
            }),
            None => Err(self.not_met(quorum, cosigners)),
        }
    }

    /// Whether the quorum would be met if these cosigned and no others.
    pub fn is_met(&self, by: impl Fn(&Witness) -> bool) -> bool {
        let Some(quorum) = self.quorum else {
            return true;
        };
        self.time(quorum, |witness| by(witness).then_some(None))
            .is_some()
    }

    fn check_log(&self, checkpoint: &SignedCheckpoint) -> Result<(), QuorumError> {
        let keys: Vec<VerifierKey> = self.logs.iter().map(|log| log.key.clone()).collect();
        let speaks_for_it = |signer: &Signer| signer.key.name() == checkpoint.origin();
        if keys.is_empty() || signers(checkpoint, &keys)?.iter().any(speaks_for_it) {
            return Ok(());
        }
        Err(QuorumError::OtherLog(checkpoint.origin().to_owned()))
    }

    /// The latest time since which a member has been a witness; None if it is not.
    fn time(
        &self,
        member: usize,
        of: impl Fn(&Witness) -> Option<Option<Moment>>,
    ) -> Option<Moment> {
        let mut times: Vec<Option<Moment>> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let time = match member {
                Member::Witness(witness) => {
                    of(witness).map(|time| time.unwrap_or(Moment::from_micros(0)))
                }
                Member::Group { enough, parts, .. } => {
                    let mut parts: Vec<Moment> =
                        parts.iter().filter_map(|&part| *times.get(part)?).collect();
                    parts.sort_unstable_by(|a, b| b.cmp(a));
                    parts.get(enough - 1).copied()
                }
            };
            times.push(time);
        }
        times.get(member).copied().flatten()
    }

    fn not_met(&self, quorum: usize, cosigners: Vec<(Witness, Option<Moment>)>) -> QuorumError {
        QuorumError::NoQuorum {
            quorum: self
                .members
                .get(quorum)
                .map_or_else(String::new, |member| member.name().to_owned()),
            cosigners: cosigners.into_iter().map(|(by, _)| by.name).collect(),
        }
    }
}

impl Member {
    fn name(&self) -> &str {
        match self {
            Self::Witness(witness) => &witness.name,
            Self::Group { name, .. } => name,
        }
    }
}

fn signers(
    checkpoint: &SignedCheckpoint,
    keys: &[VerifierKey],
) -> Result<Vec<Signer>, QuorumError> {
    match note::open(checkpoint.note(), keys) {
        Ok(note) => Ok(note.signers),
        Err(NoteError::Unsigned) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn names(cosigners: &[String]) -> String {
    if cosigners.is_empty() {
        return "none of the policy's witnesses has cosigned".to_owned();
    }
    format!("only `{}` cosigned", cosigners.join("`, `"))
}

#[cfg(test)]
mod tests;
