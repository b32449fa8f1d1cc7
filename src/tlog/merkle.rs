//! The Merkle tree of RFC 6962, section 2.1: hashes, the growing edge, proofs.

use crate::digest::sha256;
use crate::digest::sha256_of;

/// A SHA-256 hash of the tree.
pub type Hash = [u8; 32];

/// A perfect subtree: the `index`-th of those with 2^`height` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    pub height: u32,
    pub index: u64,
}

/// A proof that does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead to the tree's root")]
pub struct BadProof;

pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256_of(&[[0].as_slice(), leaf].concat())
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut both = [1; 65];
    both[1..33].copy_from_slice(left);
    both[33..].copy_from_slice(right);
    sha256_of(&both)
}

pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The roots of the perfect subtrees that a tree is made of, the largest first: all that is needed to grow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of a stored tree of `size` leaves.
    pub fn load<E>(size: u64, mut read: impl FnMut(Node) -> Result<Hash, E>) -> Result<Self, E> {
        let peaks = perfect_parts(0, size)
            .map(&mut read)
            .collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_| {});
    }

    /// As `push`; tells each perfect subtree's hash that the leaf completes, its own first.
    pub(crate) fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(Hash)) {
        let mut hash = leaf;
        completed(hash);
        // Each trailing one of the size is a peak as large as what is being added.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
                completed(hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }

    /// The hash of one of the subtrees that the tree is made of.
    pub(crate) fn peak(&self, node: Node) -> Option<Hash> {
        let before = self.size.checked_shr(node.height + 1).unwrap_or(0);
        // A peak is the last subtree of its height, and its size is a one in the tree's.
        if self.size.checked_shr(node.height)? != node.index + 1 || node.index & 1 == 1 {
            return None;
        }
        self.peaks.get(before.count_ones() as usize).copied()
    }
}

/// The root of a stored tree of `size` leaves.
pub fn root<E>(size: u64, read: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    Ok(Frontier::load(size, read)?.root())
}

/// The sibling hashes from the leaf `index` up to the root of the tree of `size` leaves; empty if there is no such leaf.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    mut read: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while index < end && end - start > 1 {
        let split = start + split(end - start);
        if index < split {
            path.push(range(split, end, &mut read)?);
            end = split;
        } else {
            path.push(range(start, split, &mut read)?);
            start = split;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show the tree of `old` leaves to be the beginning of that of `new`.
pub fn consistency<E>(
    old: u64,
    new: u64,
    mut read: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, new);
    while end != old {
        let split = start + split(end - start);
        if old <= split {
            proof.push(range(split, end, &mut read)?);
            end = split;
        } else {
            proof.push(range(start, split, &mut read)?);
            start = split;
        }
    }
    // The verifier holds the old root already when the old tree is one perfect subtree.
    if start != 0 {
        proof.push(range(start, old, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the leaf of that hash stands at `index` in the tree of that size and root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    expected: &Hash,
) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof);
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(BadProof);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            let shift = if place & 1 == 1 {
                0
            } else {
                place.trailing_zeros()
            };
            (place, last) = shift_right(place, last, shift);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last == 0 && hash == *expected {
        Ok(())
    } else {
        Err(BadProof)
    }
}

/// Checks that the tree of `old` leaves is the beginning of that of `new` (RFC 9162, 2.1.4.2).
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), BadProof> {
    if old > new || (old == 0 && *old_root != empty_root()) {
        return Err(BadProof);
    }
    if old == 0 || old == new {
        let same = old == 0 || old_root == new_root;
        return if same && proof.is_empty() {
            Ok(())
        } else {
            Err(BadProof)
        };
    }
    let mut hashes = proof.iter();
    let seed = if old.is_power_of_two() {
        old_root
    } else {
        hashes.next().ok_or(BadProof)?
    };
    let (mut place, mut last) = shift_right(old - 1, new - 1, (old - 1).trailing_ones());
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for hash in hashes {
        if last == 0 {
            return Err(BadProof);
        }
        if place & 1 == 1 || place == last {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            let shift = if place & 1 == 1 {
                0
            } else {
                place.trailing_zeros()
            };
            (place, last) = shift_right(place, last, shift);
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last == 0 && old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(BadProof)
    }
}

fn shift_right(place: u64, last: u64, by: u32) -> (u64, u64) {
    (
        place.checked_shr(by).unwrap_or(0),
        last.checked_shr(by).unwrap_or(0),
    )
}

/// The largest power of two below `n`, for `n` of 2 and more.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn range<E>(
    start: u64,
    end: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let parts = perfect_parts(start, end)
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(fold(&parts))
}

/// The perfect subtrees, the largest first, of a range that one subtree of a tree covers.
fn perfect_parts(start: u64, end: u64) -> impl Iterator<Item = Node> {
    let mut next = start;
    std::iter::from_fn(move || {
        let left = end.checked_sub(next).filter(|&n| n > 0)?;
        let height = left.ilog2();
        let node = Node {
            height,
            index: next >> height,
        };
        next += 1 << height;
        Some(node)
    })
}

fn fold(parts: &[Hash]) -> Hash {
    let mut parts = parts.iter().rev();
    let Some(&last) = parts.next() else {
        return empty_root();
    };
    parts.fold(last, |right, left| node_hash(left, &right))
}

#[cfg(test)]
mod tests;
