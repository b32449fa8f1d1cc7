//! A provider's receipt, held against its journal's key, its tree and the exchange itself.

use std::time::Instant;

use super::cosigned::Rollback;
use super::journals::Journals;
use crate::digest::Digest;
use crate::fault::shown;
use crate::journal::BadLeaf;
use crate::journal::IS_NULL;
use crate::journal::Kind;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::journal::PeerLeaf;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::pb;
use crate::tlog::merkle;
use crate::tlog::merkle::Hash;
use crate::tlog::signed_checkpoint::CheckpointError;

/// What the provider's leaf must say.
pub struct Expected<'a> {
    pub provider: &'a DepartmentId,
    pub exchange: ExchangeId,
    /// When this side began with the exchange: the provider's entry is younger.
    pub begun: Instant,
    /// The kinds of entry that may stand for the answer.
    pub kinds: &'a [Kind],
    /// The outcomes that the answer, as it came, may have at the provider.
    pub outcomes: &'a [Outcome],
    /// What this side makes of the exchange, for a leaf of that kind and outcome.
    pub digest: &'a dyn Fn(Kind, Outcome) -> Digest,
}

/// Evidence that the provider has the exchange on record as we know it. Only [`VerifiedReceipt::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    entry: PeerLeaf,
    kind: Kind,
    outcome: Outcome,
}

/// Why a receipt proves nothing. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BadReceipt {
    #[error("the provider sent no receipt")]
    Missing,
    #[error("the provider's checkpoint proves nothing")]
    Checkpoint(#[from] CheckpointError),
    #[error("the receipt is of `{receipt}`, its checkpoint of `{checkpoint}`")]
    OtherJournal { receipt: String, checkpoint: String },
    #[error(
        "the receipt's path does not lead from its leaf at {index} to the root of {size} entries"
    )]
    Path { index: u64, size: u64 },
    #[error("the provider's journal is not the one that this gateway has witnessed")]
    RolledBack(#[from] Rollback),
    #[error("the receipt's leaf cannot be read")]
    Leaf(#[from] BadLeaf),
    #[error("the receipt is of another exchange")]
    OtherExchange,
    #[error("the receipt's leaf is of {kind} as {role}, {outcome}, which the answer is not")]
    OtherEntry {
        kind: Kind,
        role: Role,
        outcome: Outcome,
    },
    #[error("the receipt's exchange digest is not that of what was asked and received")]
    Digest,
}

impl VerifiedReceipt {
    /// Checks signature, path and leaf, in this order: what is not signed is not read further.
    pub fn check(
        receipt: Option<&pb::Receipt>,
        journals: &Journals,
        expected: &Expected<'_>,
    ) -> Result<Self, BadReceipt> {
        let receipt = receipt.ok_or(BadReceipt::Missing)?;
        let leaf_hash = prove(receipt, journals, expected.provider)?;
        journals.check_entry(&receipt.origin, receipt.index, expected.begun)?;
        let leaf = Leaf::parse(&receipt.leaf)?;
        if leaf.exchange != Some(expected.exchange) {
            return Err(BadReceipt::OtherExchange);
        }
        let Leaf {
            kind,
            role,
            outcome,
            ..
        } = leaf;
        if role != Role::Provider
            || !expected.kinds.contains(&kind)
            || !expected.outcomes.contains(&outcome)
        {
            return Err(BadReceipt::OtherEntry {
                kind,
                role,
                outcome,
            });
        }
        if leaf.exchange_digest != (expected.digest)(kind, outcome) {
            return Err(BadReceipt::Digest);
        }
        let entry = PeerLeaf {
            origin: receipt.origin.clone(),
            index: receipt.index,
            leaf_hash,
        };
        Ok(Self {
            entry,
            kind,
            outcome,
        })
    }

    /// The provider's entry, for our own.
    pub fn entry(&self) -> &PeerLeaf {
        &self.entry
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exchange's outcome, as the provider has it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// The hash of a leaf that a journal of that department has.
fn prove(
    receipt: &pb::Receipt,
    journals: &Journals,
    provider: &DepartmentId,
) -> Result<Hash, BadReceipt> {
    if IS_NULL {
        return Ok([0; 32]);
    }
    let checkpoint = journals.checkpoint(provider, &receipt.checkpoint)?;
    if receipt.origin != checkpoint.origin() {
        return Err(BadReceipt::OtherJournal {
            receipt: shown(&receipt.origin),
            checkpoint: checkpoint.origin().to_owned(),
        });
    }
    let (index, size) = (receipt.index, checkpoint.size());
    let no_path = || BadReceipt::Path { index, size };
    // The tree of a u64 of leaves is no higher.
    if receipt.path.len() > u64::BITS as usize {
        return Err(no_path());
    }
    let path: Option<Vec<Hash>> = receipt
        .path
        .iter()
        .map(|hash| hash.as_ref().try_into().ok())
        .collect();
    let (path, leaf_hash) = (path.ok_or_else(no_path)?, merkle::leaf_hash(&receipt.leaf));
    merkle::verify_inclusion(&leaf_hash, index, size, &path, checkpoint.root())
        .map_err(|_| no_path())?;
    Ok(leaf_hash)
}

impl std::fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected")
            .field("provider", &self.provider)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
