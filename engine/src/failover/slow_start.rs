//! Slow start: who is new or back is eligible for a growing part of the picks, whatever the policy. `forebay.failover.serving` draws alike.

use crate::balance::draw::{Occasion, draw};

/// The part of the picks that it begins with.
const LEAST: f64 = 0.1;

/// Where the draws of this lie among those of a pick: the policies' own come first.
const DRAWS: u64 = 1 << 32;

/// Whether the endpoint of this index may be picked on this occasion, `age` milliseconds after it began to serve: draw number
/// `2^32 + index` of the pick's draw, as a number from 0 to 1 (its upper 53 bits), is below `max(0.1, age / window)`.
#[must_use]
pub fn may(occasion: Occasion, index: usize, age: u64, window: u64) -> bool {
    let chance = (draw(occasion.draw(), DRAWS + index as u64) >> 11) as f64 / (1_u64 << 53) as f64;
    chance < (age as f64 / window as f64).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_picks_grows_with_age_from_a_tenth_to_all() {
        for (age, expected) in [(0, 0.1), (500, 0.1), (2500, 0.25), (7500, 0.75), (10_000, 1.0)] {
            let picks = (0..10_000).filter(|turn| may(Occasion { seed: 7, turn: *turn, key: None }, 3, age, 10_000)).count();
            assert!((picks as f64 / 10_000.0 - expected).abs() < 0.02, "{picks} of 10,000 at {age} ms");
        }
    }
}
