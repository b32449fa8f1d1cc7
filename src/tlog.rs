//! The formats of transparency logs (C2SP), usable alone: Merkle tree, notes, checkpoints, cosignatures, proofs, quorums.

pub mod checkpoint;
pub mod cosignature;
pub mod key;
pub mod key_file;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod quorum;
pub mod signed_checkpoint;

#[cfg(test)]
pub(crate) mod testing;
