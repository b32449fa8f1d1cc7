//! The formats of transparency logs (C2SP), usable alone: Merkle tree, notes, checkpoints, cosignatures, proofs, quorums.

pub mod checkpoint;
pub mod cosignature;
pub mod key;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod quorum;

#[cfg(test)]
pub(crate) mod testing;
