//! A small seeded generator: the same numbers for the same seed, on every machine.

use std::ops::RangeInclusive;

/// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>. Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for one part of the data: what one part draws does not change another.
    pub(super) fn branch(seed: u64, part: u64) -> Self {
        let mut random = Self::seeded(seed ^ part.rotate_left(32));
        Self::seeded(random.next())
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly within the range; its start when the range is empty.
    pub(super) fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (start, end) = range.into_inner();
        let width = u64::from(end.saturating_sub(start)) + 1;
        // The high half of a 96-bit product: the bias is below 2^-32.
        let drawn = (u128::from(self.next()) * u128::from(width)) >> 64;
        start + drawn as u32
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.within(1..=100) <= percent
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, table: &[T; N]) -> T {
        const { assert!(N > 0) };
        let drawn = self.within(0..=N as u32 - 1) as usize;
        #[expect(clippy::indexing_slicing, reason = "less than N")]
        table[drawn]
    }

    /// An entry of the table, as often as its weight says.
    pub(super) fn weighted<T: Copy, const N: usize>(
        &mut self,
        table: &[T; N],
        weights: &[u32; N],
    ) -> T {
        let mut left = self.within(1..=weights.iter().sum());
        for (&entry, &weight) in table.iter().zip(weights) {
            if left <= weight {
                return entry;
            }
            left -= weight;
        }
        self.pick(table)
    }

    /// One character of a text that is not empty.
    pub(super) fn character(&mut self, text: &str) -> char {
        let last = text.chars().count().saturating_sub(1) as u32;
        let drawn = self.within(0..=last) as usize;
        text.chars().nth(drawn).unwrap_or_default()
    }
}
