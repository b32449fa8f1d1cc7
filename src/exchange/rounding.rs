//! Counts as they are told: of groups, not of single records.

use crate::pb;
use crate::policy::agreement::Grant;

/// The count in the grant's steps; not at all when that is less than the smallest group.
pub(super) fn counted(
    count: u64,
    grant: &Grant,
    filter_tag: &[u8; 16],
) -> pb::CountRecordsResponse {
    let count = rounded(count, grant.count_step, filter_tag);
    let suppressed = count < grant.smallest_group;
    pb::CountRecordsResponse {
        info: None,
        count: if suppressed { 0 } else { count },
        suppressed,
        smallest_group: grant.smallest_group,
        count_step: grant.count_step,
    }
}

/// A multiple of `step`, above or below by a chance that is the same whenever the filter is: on average the count itself.
/// Two filters that select almost the same are rounded by chances of their own, so that their difference says next to nothing.
fn rounded(count: u64, step: u64, filter_tag: &[u8; 16]) -> u64 {
    let step = u128::from(step.max(1));
    let chance = u128::from_be_bytes(*filter_tag) % step;
    let steps = (u128::from(count) + chance) / step;
    u64::try_from(steps * step).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(chance: u128) -> [u8; 16] {
        chance.to_be_bytes()
    }

    #[test]
    fn a_count_is_rounded_to_its_neighbours_in_proportion() {
        for (count, ups) in [(0, 0), (1, 1), (9, 9), (10, 0), (216, 6), (219, 9)] {
            let told: Vec<_> = (0..10)
                .map(|chance| rounded(count, 10, &tag(chance)))
                .collect();
            let (below, above) = (count / 10 * 10, count / 10 * 10 + 10);
            let up = told.iter().filter(|told| **told == above).count();
            assert_eq!(up, ups, "{count}: {told:?}");
            assert!(told.iter().all(|told| [below, above].contains(told)));
        }
    }

    #[test]
    fn one_record_more_changes_a_count_by_one_chance_in_the_step() {
        for count in 0..200 {
            let differ = |chance: &u128| {
                rounded(count, 10, &tag(*chance)) != rounded(count + 1, 10, &tag(*chance))
            };
            assert_eq!((0..10).filter(differ).count(), 1, "{count}");
        }
    }

    #[test]
    fn in_steps_of_one_a_count_is_exact_and_a_great_one_is_no_panic() {
        assert_eq!(rounded(217, 1, &tag(9)), 217);
        assert_eq!(rounded(u64::MAX, 10, &tag(9)), u64::MAX);
    }
}
