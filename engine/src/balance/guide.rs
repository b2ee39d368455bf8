//! Sorted numbers with a guide: where among them to begin to look (Chen and Asau, "On generating random variates from an empirical
//! distribution", 1974). For marks that are spread evenly over the 64-bit numbers a look-up takes two steps on average, however the numbers
//! lie; it finds just what a binary search finds.

use super::draw::scale;

/// Ascending numbers.
#[derive(Debug)]
pub struct Guide {
    values: Box<[u64]>,
    /// For each part of the marks' range the first of the values that do not lie in an earlier part.
    starts: Box<[u32]>,
}

impl Guide {
    /// Of numbers that are ascending already, fewer than 2^32.
    #[must_use]
    pub fn new(values: Box<[u64]>) -> Self {
        let parts = values.len() as u64;
        let mut starts = Vec::with_capacity(values.len());
        let mut below = 0;
        for part in 0..parts {
            while values.get(below).is_some_and(|value| scale(*value, parts) < part) {
                below += 1;
            }
            starts.push(below as u32);
        }
        Self { values, starts: starts.into() }
    }

    /// The place of the first number that is not below `mark`; `None` where all are.
    #[must_use]
    pub fn at_least(&self, mark: u64) -> Option<usize> {
        let start = *self.starts.get(scale(mark, self.values.len() as u64) as usize)? as usize;
        let found = self.values.get(start..)?.iter().position(|value| *value >= mark)?;
        Some(start + found)
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::draw::draw;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_from_the_start_finds(mut values in proptest::collection::vec(any::<u64>(), 0..50), mark: u64) {
            values.extend([mark / 2, mark]);
            values.sort_unstable();
            for mark in [mark, mark / 2, mark.wrapping_add(1), 0, u64::MAX] {
                prop_assert_eq!(Guide::new(values.clone().into()).at_least(mark), values.iter().position(|value| *value >= mark));
            }
        }
    }

    #[test]
    fn numbers_that_lie_together_are_found_too() {
        let crowded: Box<[u64]> = (0..1000).map(|value| value * 3).collect();
        let guide = Guide::new(crowded);
        assert_eq!(guide.at_least(1499), Some(500));
        assert_eq!(guide.at_least(2997), Some(999));
        assert_eq!(guide.at_least(2998), None);
        assert_eq!(guide.at_least(u64::MAX), None);
        assert_eq!(Guide::new(Box::default()).at_least(0), None);
    }

    #[test]
    fn a_look_up_takes_two_steps_on_average() {
        let mut values: Vec<u64> = (0..10_000).map(|k| draw(1, k) >> (k % 7)).collect();
        values.sort_unstable();
        let guide = Guide::new(values.into());
        let steps: usize = (0..10_000)
            .map(|k| {
                let mark = draw(2, k);
                guide.at_least(mark).unwrap_or(guide.len()) + 1 - guide.starts[scale(mark, 10_000) as usize] as usize
            })
            .sum();
        assert!(steps <= 21_000, "{steps} steps in 10,000 look-ups");
    }
}
