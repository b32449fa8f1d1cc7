use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

const INPUTS: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A tree kept whole, read node by node.
struct Tree(Vec<Hash>);

impl Tree {
    fn of(leaves: &[Vec<u8>]) -> Self {
        Self(leaves.iter().map(|leaf| leaf_hash(leaf)).collect())
    }

    fn read(&self) -> impl FnMut(Node) -> Result<Hash, Infallible> {
        move |node| {
            let start = (node.index << node.height) as usize;
            let mut level = self.0[start..start + (1 << node.height)].to_vec();
            while level.len() > 1 {
                level = level
                    .chunks(2)
                    .map(|pair| node_hash(&pair[0], &pair[1]))
                    .collect();
            }
            Ok(level[0])
        }
    }

    fn root(&self, size: u64) -> Hash {
        root(size, self.read()).unwrap()
    }
}

fn foreign(leaves: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    leaves.iter().for_each(|leaf| tree.push(leaf.clone()));
    tree
}

fn leaves() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 1..200)
}

#[test]
fn the_classic_inputs_give_the_classic_roots() {
    let mut frontier = Frontier::default();
    assert_eq!(
        hex(&frontier.root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (input, root) in INPUTS.iter().zip(ROOTS) {
        frontier.push(leaf_hash(input));
        assert_eq!(hex(&frontier.root()), root);
    }
}

#[test]
fn a_leaf_beyond_the_tree_is_not_proven() {
    let tree = Tree::of(&[b"only".to_vec()]);
    let root = tree.root(1);
    assert_eq!(verify_inclusion(&tree.0[0], 0, 1, &[], &root), Ok(()));
    assert_eq!(
        verify_inclusion(&tree.0[0], 1, 1, &[], &root),
        Err(BadProof)
    );
    assert_eq!(
        verify_inclusion(&tree.0[0], 0, 0, &[], &root),
        Err(BadProof)
    );
}

#[test]
fn the_empty_tree_is_the_beginning_of_every_tree() {
    let tree = Tree::of(&[b"a".to_vec(), b"b".to_vec()]);
    let root = tree.root(2);
    assert_eq!(
        verify_consistency((0, &empty_root()), (2, &root), &[]),
        Ok(())
    );
    assert_eq!(
        verify_consistency((0, &root), (2, &root), &[]),
        Err(BadProof)
    );
    assert_eq!(
        verify_consistency((2, &root), (1, &root), &[]),
        Err(BadProof)
    );
}

proptest! {
    #[test]
    fn roots_and_proofs_equal_those_of_another_implementation(leaves in leaves(), at in any::<prop::sample::Index>()) {
        let (tree, foreign) = (Tree::of(&leaves), foreign(&leaves));
        let size = leaves.len() as u64;
        let theirs = foreign.root();
        prop_assert_eq!(&tree.root(size)[..], theirs.as_bytes().as_slice());
        let index = at.index(leaves.len());
        let path = inclusion(index as u64, size, tree.read()).unwrap();
        let theirs = foreign.prove_inclusion(index);
        prop_assert_eq!(path.concat(), theirs.as_bytes());
    }

    #[test]
    fn every_inclusion_proof_verifies_and_none_of_another_leaf_does(leaves in leaves(), at in any::<prop::sample::Index>(), bit in 0..256usize) {
        let tree = Tree::of(&leaves);
        let size = leaves.len() as u64;
        let root = tree.root(size);
        let index = at.index(leaves.len());
        let path = inclusion(index as u64, size, tree.read()).unwrap();
        prop_assert_eq!(verify_inclusion(&tree.0[index], index as u64, size, &path, &root), Ok(()));

        let mut other = tree.0[index];
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verify_inclusion(&other, index as u64, size, &path, &root), Err(BadProof));
        prop_assert_eq!(verify_inclusion(&tree.0[index], index as u64, size, &path, &other), Err(BadProof));
        let mut longer = path.clone();
        longer.push(other);
        prop_assert_eq!(verify_inclusion(&tree.0[index], index as u64, size, &longer, &root), Err(BadProof));
        if !path.is_empty() {
            prop_assert_eq!(verify_inclusion(&tree.0[index], index as u64, size, &path[1..], &root), Err(BadProof));
        }
    }

    #[test]
    fn every_consistency_proof_verifies_and_none_of_a_changed_tree_does(leaves in leaves(), at in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>()) {
        let tree = Tree::of(&leaves);
        let new = leaves.len() as u64;
        let old = at.index(leaves.len()) as u64 + 1;
        let (old_root, new_root) = (tree.root(old), tree.root(new));
        let proof = consistency(old, new, tree.read()).unwrap();
        prop_assert_eq!(verify_consistency((old, &old_root), (new, &new_root), &proof), Ok(()));
        let theirs = foreign(&leaves).prove_consistency((new - old) as usize);
        prop_assert_eq!(proof.concat(), theirs.as_bytes());

        let mut forged = tree;
        forged.0[changed.index(old as usize)] = leaf_hash(b"a leaf that nobody wrote");
        let proof = consistency(old, new, forged.read()).unwrap();
        prop_assert_eq!(verify_consistency((old, &old_root), (new, &forged.root(new)), &proof), Err(BadProof));
    }

    #[test]
    fn a_loaded_frontier_grows_like_one_that_was_never_stored(leaves in leaves(), at in any::<prop::sample::Index>()) {
        let tree = Tree::of(&leaves);
        let mut whole = Frontier::default();
        tree.0.iter().for_each(|&hash| whole.push(hash));
        let stored = at.index(leaves.len());
        let mut loaded = Frontier::load(stored as u64, tree.read()).unwrap();
        tree.0[stored..].iter().for_each(|&hash| loaded.push(hash));
        prop_assert_eq!(loaded, whole);
    }
}
