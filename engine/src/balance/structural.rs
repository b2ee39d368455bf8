//! Structural policies: which endpoint is next by its place and weight alone.
//!
//! Each equals, pick for pick, `forebay.balance.reference.structural`. All are made from *units*, whole thousandths of a weight, so that
//! sums and proportions are exact; an endpoint without a unit is never picked.

use super::draw::{GOLDEN, Occasion, draw, scale};
use super::guide::Guide;

mod cycle;

pub use cycle::{LONGEST_CYCLE, cycle};

/// Places of a weighted cycle that a pick may pass by before it draws instead.
pub const SCAN: usize = 64;
/// Draws that may fall on who is not eligible before a random pick looks who is.
pub const TRIES: u64 = 16;
/// Units of the weight 1.
pub const UNIT: f64 = 1000.0;

/// A weight in whole thousandths, at least one unless the weight is zero (or no number).
#[must_use]
#[expect(clippy::cast_sign_loss, reason = "the weight is above zero")]
pub fn units(weight: f64) -> u32 {
    // The cast takes what is too large to the largest.
    if weight > 0.0 { ((weight * UNIT + 0.5).floor() as u32).max(1) } else { 0 }
}

/// The indices of those that have units, in declared order.
fn weighted(units: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    (0..).zip(units.iter().copied()).filter(|(_, units)| *units > 0)
}

fn indices(units: &[u32]) -> Box<[u32]> {
    weighted(units).map(|(index, _)| index).collect()
}

/// The first eligible from place `turn` of `turns`, looking at no more than `most`, and how many were passed by.
fn along(turns: &[u32], turn: u64, most: usize, eligible: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
    let start = usize::try_from(turn.checked_rem(turns.len() as u64)?).ok()?;
    let (before, after) = turns.split_at_checked(start)?;
    (0..).zip(after.iter().chain(before).take(most)).map(|(passed, index)| (*index as usize, passed)).find(|(index, _)| eligible(*index))
}

/// One of these, each with its share; called twice, since the sum must be known before the draw can be brought to it.
fn proportional<I: Iterator<Item = (usize, u64)>>(shares: impl Fn() -> I, draw: u64) -> Option<usize> {
    let total: u64 = shares().map(|(_, share)| share).sum();
    let mut left = scale(draw, total);
    let mut last = None;
    for (index, share) in shares() {
        if left < share {
            return Some(index);
        }
        left -= share;
        last = Some(index);
    }
    // Only when eligibility changed between the two passes.
    last
}

/// Turns in declared order, whatever the weights.
#[derive(Debug)]
pub struct RoundRobin(Box<[u32]>);

impl RoundRobin {
    /// For endpoints of these units.
    #[must_use]
    pub fn new(units: &[u32]) -> Self {
        Self(indices(units))
    }

    /// The first eligible from place `turn`, and how many turns were passed by, which are then used up too: otherwise the endpoint behind an
    /// ineligible one would take all of its share.
    pub fn pick(&self, occasion: Occasion, eligible: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        along(&self.0, occasion.turn, self.0.len(), eligible)
    }
}

/// Turns in proportion to the weights, as evenly spread as they can be.
#[derive(Debug)]
pub struct WeightedRoundRobin {
    turns: Turns,
    units: Box<[u32]>,
}

/// Whose turn is which.
#[derive(Debug)]
enum Turns {
    /// One cycle in which each index stands as often as its weight says.
    Cycle(Box<[u32]>),
    /// Steps of the golden ratio along the shares laid end to end: for weights whose cycle would be too long. In any row of turns each has
    /// its share up to a few (Knuth, "The Art of Computer Programming", 6.4, theorem S).
    Steps(Shares),
}

impl WeightedRoundRobin {
    /// For endpoints of these units.
    #[must_use]
    pub fn new(units: &[u32]) -> Self {
        let turns = cycle(units).map_or_else(|| Turns::Steps(Shares::new(units)), Turns::Cycle);
        Self { turns, units: units.into() }
    }

    /// The first eligible within 64 turns, and how many were passed by. Where none is, those 64 are used up and one of the eligible is drawn
    /// in proportion to its weight.
    pub fn pick(&self, occasion: Occasion, eligible: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        let turn = occasion.turn;
        let found = match &self.turns {
            Turns::Cycle(cycle) => along(cycle, turn, SCAN, &eligible),
            Turns::Steps(shares) => (0..SCAN as u64)
                .filter_map(|passed| Some((shares.of(turn.wrapping_add(passed).wrapping_mul(GOLDEN))?, passed)))
                .find(|(index, _)| eligible(*index)),
        };
        found.or_else(|| {
            let shares = || {
                let able = weighted(&self.units).filter(|(index, _)| eligible(*index as usize));
                able.map(|(index, units)| (index as usize, u64::from(units)))
            };
            proportional(shares, occasion.draw()).map(|index| (index, SCAN as u64))
        })
    }
}

/// Independent draws, all alike.
#[derive(Debug)]
pub struct Random(Box<[u32]>);

impl Random {
    /// For endpoints of these units.
    #[must_use]
    pub fn new(units: &[u32]) -> Self {
        Self(indices(units))
    }

    /// Draws until one is eligible; after 16 draws, one among the eligible.
    pub fn pick(&self, occasion: Occasion, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let base = occasion.draw();
        for number in 0..TRIES {
            let index = *self.0.get(scale(draw(base, number), self.0.len() as u64) as usize)? as usize;
            if eligible(index) {
                return Some(index);
            }
        }
        let shares = || self.0.iter().map(|index| *index as usize).filter(|index| eligible(*index)).map(|index| (index, 1));
        proportional(shares, draw(base, TRIES))
    }
}

/// The 64-bit numbers, dealt out in proportion to the weights and in declared order.
#[derive(Debug)]
struct Shares {
    /// Those with units: index and units.
    weighted: Box<[(u32, u32)]>,
    /// The last number that falls to each of them.
    ends: Guide,
}

impl Shares {
    fn new(units: &[u32]) -> Self {
        let weighted: Box<[(u32, u32)]> = weighted(units).collect();
        let total: u128 = weighted.iter().map(|(_, units)| u128::from(*units)).sum();
        let mut reached = 0;
        let ends = weighted.iter().map(|(_, units)| {
            reached += u128::from(*units);
            // The greatest number that `scale` brings below what is reached.
            (((reached << 64) - 1) / total) as u64
        });
        Self { ends: Guide::new(ends.collect()), weighted }
    }

    /// The index to which a number falls.
    fn of(&self, number: u64) -> Option<usize> {
        Some(self.weighted.get(self.ends.at_least(number)?)?.0 as usize)
    }
}

/// Independent draws in proportion to the weights.
#[derive(Debug)]
pub struct WeightedRandom(Shares);

impl WeightedRandom {
    /// For endpoints of these units.
    #[must_use]
    pub fn new(units: &[u32]) -> Self {
        Self(Shares::new(units))
    }

    /// Draws until one is eligible; after 16 draws, one among the eligible.
    pub fn pick(&self, occasion: Occasion, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let base = occasion.draw();
        for number in 0..TRIES {
            let index = self.0.of(draw(base, number))?;
            if eligible(index) {
                return Some(index);
            }
        }
        let shares = || {
            let able = self.0.weighted.iter().filter(|(index, _)| eligible(*index as usize));
            able.map(|(index, units)| (*index as usize, u64::from(*units)))
        };
        proportional(shares, draw(base, TRIES))
    }
}

/// Packs: the first in declared order with room.
#[derive(Debug)]
pub struct FirstAvailable {
    indices: Box<[u32]>,
    limit: u32,
}

impl FirstAvailable {
    /// For endpoints of these units, each with room for `limit` exchanges.
    #[must_use]
    pub fn new(units: &[u32], limit: Option<u32>) -> Self {
        Self { indices: indices(units), limit: limit.unwrap_or(u32::MAX) }
    }

    /// The first eligible whose load is below the limit; where none is, the first of those with the least.
    pub fn pick(&self, eligible: impl Fn(usize) -> bool, load: impl Fn(usize) -> u32) -> Option<usize> {
        let mut least: Option<(usize, u32)> = None;
        for index in self.indices.iter().map(|index| *index as usize).filter(|index| eligible(*index)) {
            let load = load(index);
            if load < self.limit {
                return Some(index);
            }
            if least.is_none_or(|(_, least)| load < least) {
                least = Some((index, load));
            }
        }
        least.map(|(index, _)| index)
    }
}

#[cfg(test)]
#[path = "structural/tests.rs"]
mod tests;
