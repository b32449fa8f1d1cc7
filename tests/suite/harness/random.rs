//! Random numbers that a test can repeat, and how often it does what it does.

use std::env;

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting of the gateway"
)]
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: `{text}`")),
    )
}

/// The seed that `LANDBRIDGE_SEED` gives, or another one each time.
pub(crate) fn seed() -> u64 {
    number("LANDBRIDGE_SEED").unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1)
}

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 up to the number of sides, which is not among them.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.below(sides as u64) as usize
    }

    pub(crate) fn one_of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }
}
