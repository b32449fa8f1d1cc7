//! How many entries a journal has of each part of a period: found among its leaves by bisection, however many there are.

use std::fs;
use std::io;
use std::path::Path;

use crate::clock::Moment;
use crate::journal::LEAF_BYTES;
use crate::journal::Leaf;
use crate::journal::layout::Layout;
use crate::journal::tiles::TileError;
use crate::journal::tiles::Tiles;

/// The leaves of a journal, by time. Entries of the last second may not be among them yet.
#[derive(Debug)]
pub struct Timeline {
    tiles: Tiles,
    size: u64,
}

impl Timeline {
    pub fn open(journal: &Path) -> io::Result<Self> {
        let size = match fs::metadata(Layout::new(journal).leaves()) {
            Ok(leaves) => leaves.len() / LEAF_BYTES as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self {
            tiles: Tiles::open(journal),
            size,
        })
    }

    /// When the first entry was written; none in an empty journal.
    pub fn begins(&self) -> Result<Option<Moment>, TileError> {
        match self.size {
            0 => Ok(None),
            _ => self.time(0).map(Some),
        }
    }

    /// How many entries there are from each moment up to the next; the moments ascend.
    pub fn counts(&self, moments: &[Moment]) -> Result<Vec<u64>, TileError> {
        let places = moments.iter().map(|&moment| self.first_from(moment));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let pairs = places.iter().zip(places.iter().skip(1));
        Ok(pairs.map(|(from, to)| to.saturating_sub(*from)).collect())
    }

    /// The first entry of that moment or later; the size if there is none. Times never decrease.
    fn first_from(&self, moment: Moment) -> Result<u64, TileError> {
        let (mut from, mut to) = (0, self.size);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.time(middle)? < moment {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        Ok(from)
    }

    fn time(&self, index: u64) -> Result<Moment, TileError> {
        let leaf = self.tiles.leaves(index, 1)?;
        Leaf::parse(&leaf)
            .map(|leaf| leaf.time)
            .map_err(|_| TileError::Beyond)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::testing::Flaky;
    use crate::journal::testing::NOON;
    pub(crate) use crate::journal::testing::Publish;
    use crate::journal::testing::exchange;
    use crate::journal::testing::open_at;
    use crate::journal::testing::temporary;

    #[tokio::test]
    async fn entries_are_counted_by_the_part_of_time_in_which_they_lie() {
        let dir = temporary();
        let empty = Timeline::open(dir.path()).unwrap();
        assert_eq!(empty.begins().unwrap(), None);
        assert_eq!(empty.counts(&[NOON, NOON]).unwrap(), [0]);

        let now = Arc::new(AtomicI64::new(NOON.micros()));
        let clock = Clock::Fixed(now.clone());
        let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Always, clock).unwrap();
        for (number, seconds) in [0, 0, 1, 5, 5, 5, 9].into_iter().enumerate() {
            now.store(NOON.micros() + seconds * 1_000_000, Ordering::Relaxed);
            journal.append(exchange(number as u64)).await.unwrap();
        }
        journal.close();
        let timeline = Timeline::open(dir.path()).unwrap();
        assert_eq!(timeline.begins().unwrap(), Some(NOON));
        let at = |seconds: i64| Moment::from_micros(NOON.micros() + seconds * 1_000_000);
        let counted = timeline.counts(&[at(-9), at(0), at(1), at(5), at(6), at(10), at(20)]);
        assert_eq!(counted.unwrap(), [0, 2, 1, 3, 1, 0]);
        assert_eq!(timeline.counts(&[at(6), at(7)]).unwrap(), [0]);
    }
}
