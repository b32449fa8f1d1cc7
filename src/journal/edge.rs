//! The nodes that one commit adds to the tree, from which each of its receipts takes its path.

use crate::tlog::merkle;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;
use crate::tlog::merkle::Node;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// What the receipts of one commit share. Its size is about 64 bytes an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) checkpoint: std::sync::Arc<SignedCheckpoint>,
    pub(super) edge: Edge,
}

/// A path from a commit's leaf to its root has only subtrees that stood complete before the commit, of which all are peaks,
/// and subtrees that the commit has completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    before: Frontier,
    /// In the order of their completion.
    completed: Vec<Hash>,
}

impl Edge {
    /// `completed` are the hashes that `Frontier::push_with` told while the tree grew from `before`.
    pub(super) fn new(before: Frontier, completed: Vec<Hash>) -> Self {
        Self { before, completed }
    }

    /// The path from a leaf of the commit to the root of the tree of `size` leaves that the commit has left.
    pub(super) fn path(&self, index: u64, size: u64) -> Vec<Hash> {
        // A node that is missing would be our own error, and a zero hash proves nothing.
        let node = |node| Ok::<_, std::convert::Infallible>(self.node(node).unwrap_or_default());
        let Ok(path) = merkle::inclusion(index, size, node);
        path
    }

    fn node(&self, node: Node) -> Option<Hash> {
        let end = node.index.checked_add(1)?.checked_shl(node.height)?;
        let first = self.before.size();
        if end <= first {
            return self.before.peak(node);
        }
        // It was completed by its last leaf, after that leaf's own hash and the smaller subtrees that end with it.
        let place = completed_by(end - 1) + u64::from(node.height) - completed_by(first);
        self.completed.get(usize::try_from(place).ok()?).copied()
    }
}

/// How many perfect subtrees a tree of `size` leaves has, single leaves included.
fn completed_by(size: u64) -> u64 {
    2 * size - u64::from(size.count_ones())
}

#[cfg(test)]
mod tests;
