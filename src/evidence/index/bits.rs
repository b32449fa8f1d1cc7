//! Which entries of a block have something: a bit for each.

/// Entries in a block.
pub(super) const BLOCK: u64 = 4_096;
const WORDS: usize = 64;
/// Up to so many entries are stored as their numbers, more as all bits.
const FEW: u64 = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits([u64; WORDS]);

/// The block that an entry is in.
pub(super) fn block_of(entry: u64) -> u64 {
    entry / BLOCK
}

impl Bits {
    pub(super) const NONE: Self = Self([0; WORDS]);
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    /// Marks an entry of the block; its index in the journal will do.
    pub(super) fn set(&mut self, entry: u64) {
        if let Some(word) = self.0.get_mut((entry % BLOCK / 64) as usize) {
            *word |= 1 << (entry % 64);
        }
    }

    pub(super) fn has(&self, entry: u64) -> bool {
        let word = self.0.get((entry % BLOCK / 64) as usize);
        word.is_some_and(|word| word >> (entry % 64) & 1 == 1)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a &= b);
    }

    /// How many places there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The places in the block, ascending.
    pub(super) fn places(&self) -> impl Iterator<Item = u16> {
        (0..BLOCK as u16).filter(|&place| self.has(u64::from(place)))
    }

    /// The lowest and the highest place.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let first = self.0.iter().position(|&word| word != 0)?;
        let last = self.0.iter().rposition(|&word| word != 0)?;
        let (low, high) = (self.0.get(first)?, self.0.get(last)?);
        Some((
            first as u64 * 64 + u64::from(low.trailing_zeros()),
            last as u64 * 64 + 63 - u64::from(high.leading_zeros()),
        ))
    }

    /// Few places as big-endian u16 each, many as 512 bytes of bits.
    pub(super) fn encode(&self) -> Vec<u8> {
        if self.count() <= FEW {
            self.places().flat_map(u16::to_be_bytes).collect()
        } else {
            self.0.iter().flat_map(|word| word.to_be_bytes()).collect()
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut bits = Self::NONE;
        if bytes.len() == WORDS * 8 {
            for (word, bytes) in bits.0.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_be_bytes(*bytes);
            }
            return bits;
        }
        for place in bytes.as_chunks().0 {
            bits.set(u64::from(u16::from_be_bytes(*place)));
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back_as_they_were_stored(places in proptest::collection::vec(0..BLOCK, 0..600)) {
            let mut bits = Bits::NONE;
            places.iter().for_each(|&place| bits.set(place));
            prop_assert_eq!(&Bits::decode(&bits.encode()), &bits);
            let mut sorted: Vec<_> = places.iter().map(|&place| place as u16).collect();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(bits.places().collect::<Vec<_>>(), sorted);
            let span = places.iter().min().copied().zip(places.iter().max().copied());
            prop_assert_eq!(bits.span(), span);
        }
    }
}
