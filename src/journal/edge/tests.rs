use proptest::prelude::*;

use super::*;
use crate::tlog::merkle::leaf_hash;
use crate::tlog::merkle::verify_inclusion;

/// Grows a tree by commits of these sizes; gives each commit's edge, the index of its first leaf, its size and root.
fn grow(commits: &[u64]) -> Vec<(Edge, u64, u64, Hash)> {
    let mut frontier = Frontier::default();
    let mut edges = Vec::new();
    for count in commits {
        let (before, first) = (frontier.clone(), frontier.size());
        let mut completed = Vec::new();
        for index in first..first + count {
            frontier.push_with(leaf(index), |hash| completed.push(hash));
        }
        edges.push((
            Edge::new(before, completed),
            first,
            frontier.size(),
            frontier.root(),
        ));
    }
    edges
}

fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes())
}

proptest! {
    #[test]
    fn every_path_of_every_entry_of_every_commit_leads_to_the_commit_s_root(
        commits in prop::collection::vec(1_u64..70, 1..12),
    ) {
        for (edge, first, size, root) in grow(&commits) {
            for index in first..size {
                let path = edge.path(index, size);
                prop_assert_eq!(verify_inclusion(&leaf(index), index, size, &path, &root), Ok(()));
            }
        }
    }

    #[test]
    fn no_changed_path_leads_there(
        commits in prop::collection::vec(1_u64..70, 1..6),
        entry in any::<prop::sample::Index>(),
        (place, bit) in (any::<prop::sample::Index>(), 0..8_u8),
        change in 0..5,
    ) {
        let edges = grow(&commits);
        let (edge, first, size, root) = edges.last().unwrap();
        let index = first + entry.index((size - first) as usize) as u64;
        let mut path = edge.path(index, *size);
        prop_assume!(!path.is_empty());
        let (mut at, mut of) = (index, leaf(index));
        match change {
            0 => {
                let hash = place.index(path.len());
                path[hash][usize::from(bit)] ^= 1 << bit;
            }
            1 => _ = path.remove(place.index(path.len())),
            2 => path.insert(place.index(path.len() + 1), [7; 32]),
            // Another index has another path.
            3 => at = if index == 0 { 1 } else { index - 1 },
            _ => of = leaf(index + 1),
        }
        prop_assert!(verify_inclusion(&of, at, *size, &path, root).is_err());
    }
}
