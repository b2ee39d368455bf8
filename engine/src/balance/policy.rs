//! Structural policies: which endpoint is next by its place and weight alone.
//!
//! Each equals, pick for pick, the slow reference in `forebay.balance.reference`.

use super::draw::{draw, scale};
use crate::snapshot::PolicySpec;

/// The most entries of a weighted cycle; weights whose cycle would be longer are scaled down.
pub const LONGEST_CYCLE: u64 = 65_536;

/// A policy, prepared for one list of weights.
#[derive(Debug)]
pub enum Policy {
    /// Takes turns along a cycle in which each index stands as often as its weight says.
    WeightedRoundRobin(Box<[u32]>),
    /// Draws in proportion to the weights.
    WeightedRandom(Box<[u32]>),
    /// Draws among all with a weight.
    Random(Box<[u32]>),
}

impl Policy {
    /// Prepares a policy for endpoints of these weights.
    #[must_use]
    pub fn new(spec: PolicySpec, weights: &[u32]) -> Self {
        match spec {
            PolicySpec::WeightedRoundRobin => Self::WeightedRoundRobin(cycle(weights)),
            PolicySpec::WeightedRandom => Self::WeightedRandom(weights.into()),
            PolicySpec::Random => Self::Random(weights.into()),
        }
    }

    /// The endpoint of pick number `turn`, among those that are eligible, and how many turns it passed by, which are then used up too:
    /// otherwise the endpoint behind an ineligible one would take all of its share. `None` when nobody is eligible.
    pub fn pick(&self, seed: u64, turn: u64, eligible: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        match self {
            Self::WeightedRoundRobin(cycle) => {
                let start = usize::try_from(turn.checked_rem(cycle.len() as u64)?).ok()?;
                let (before, after) = cycle.split_at_checked(start)?;
                (0..).zip(after.iter().chain(before)).map(|(passed, index)| (*index as usize, passed)).find(|(index, _)| eligible(*index))
            }
            Self::WeightedRandom(weights) => choose(seed, turn, weights, eligible, u64::from).map(|index| (index, 0)),
            Self::Random(weights) => choose(seed, turn, weights, eligible, |weight| u64::from(weight.min(1))).map(|index| (index, 0)),
        }
    }
}

/// Draws one of the eligible in proportion to `share`.
fn choose(seed: u64, turn: u64, weights: &[u32], eligible: impl Fn(usize) -> bool, share: impl Fn(u32) -> u64) -> Option<usize> {
    let shares = || {
        weights.iter().enumerate().filter(|(index, weight)| **weight > 0 && eligible(*index)).map(|(index, weight)| (index, share(*weight)))
    };
    let total: u64 = shares().map(|(_, share)| share).sum();
    let mut left = scale(draw(seed, turn), total);
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

/// nginx's smooth weighted round robin, run once over a whole cycle: the picks of one weight lie as far apart as they can.
fn cycle(weights: &[u32]) -> Box<[u32]> {
    let weights = scaled(weights);
    let total: i64 = weights.iter().sum();
    let mut current = vec![0_i64; weights.len()];
    let mut order = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    if weights.iter().all(|weight| *weight <= 1) {
        // Plain round robin: the same order, without n² steps.
        order.extend(weights.iter().enumerate().filter(|(_, weight)| **weight == 1).map(|(index, _)| index as u32));
        return order.into();
    }
    for _ in 0..total {
        let mut best: Option<(usize, i64)> = None;
        for (index, (value, weight)) in current.iter_mut().zip(&weights).enumerate() {
            *value += weight;
            if *weight > 0 && best.is_none_or(|(_, most)| *value > most) {
                best = Some((index, *value));
            }
        }
        let Some((index, _)) = best else { break };
        if let Some(value) = current.get_mut(index) {
            *value -= total;
        }
        order.push(index as u32);
    }
    order.into()
}

/// Weights divided by what they share, and brought down where their cycle would be too long.
#[expect(clippy::cast_possible_wrap, reason = "weights and their sums stay far below 2^63")]
fn scaled(weights: &[u32]) -> Vec<i64> {
    let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, *weight)).max(1);
    let reduced: Vec<u64> = weights.iter().map(|weight| u64::from(weight / divisor)).collect();
    let total: u64 = reduced.iter().sum();
    if total <= LONGEST_CYCLE {
        return reduced.into_iter().map(|weight| weight as i64).collect();
    }
    reduced.into_iter().map(|weight| if weight == 0 { 0 } else { (weight * LONGEST_CYCLE / total).max(1) as i64 }).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(spec: PolicySpec, weights: &[u32], count: u64) -> Vec<usize> {
        let policy = Policy::new(spec, weights);
        (0..count).filter_map(|turn| policy.pick(7, turn, |_| true)).map(|(index, _)| index).collect()
    }

    #[test]
    fn weighted_round_robin_is_nginx_s() {
        assert_eq!(picks(PolicySpec::WeightedRoundRobin, &[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(picks(PolicySpec::WeightedRoundRobin, &[10, 10, 10], 4), [0, 1, 2, 0]);
        assert_eq!(picks(PolicySpec::WeightedRoundRobin, &[0, 2, 0], 2), [1, 1]);
    }

    #[test]
    fn each_is_picked_in_proportion_to_its_weight() {
        for spec in [PolicySpec::WeightedRoundRobin, PolicySpec::WeightedRandom] {
            let all = picks(spec, &[1, 2, 0, 7], 100_000);
            for (index, expected) in [(0, 10_000_i64), (1, 20_000), (2, 0), (3, 70_000)] {
                let count = i64::try_from(all.iter().filter(|pick| **pick == index).count()).unwrap();
                assert!((count - expected).abs() < 800, "{spec:?}: {index} was picked {count} times");
            }
        }
        let all = picks(PolicySpec::Random, &[1, 2, 0, 7], 30_000);
        for index in [0, 1, 3] {
            let count = i64::try_from(all.iter().filter(|pick| **pick == index).count()).unwrap();
            assert!((count - 10_000).abs() < 400, "random does not look at weights");
        }
    }

    #[test]
    fn who_is_not_eligible_is_never_picked() {
        for spec in [PolicySpec::WeightedRoundRobin, PolicySpec::WeightedRandom, PolicySpec::Random] {
            let policy = Policy::new(spec, &[3, 1, 2]);
            for turn in 0..1000 {
                assert_ne!(policy.pick(1, turn, |index| index != 1).unwrap().0, 1);
                assert_eq!(policy.pick(1, turn, |_| false), None);
            }
            assert_eq!(Policy::new(spec, &[]).pick(1, 0, |_| true), None);
            assert_eq!(Policy::new(spec, &[0, 0]).pick(1, 0, |_| true), None);
        }
    }

    #[test]
    fn the_others_share_what_an_ineligible_one_leaves() {
        let policy = Policy::new(PolicySpec::WeightedRoundRobin, &[1, 1, 1]);
        let mut turn = 0;
        let picks: Vec<_> = (0..6)
            .map(|_| {
                let (index, passed) = policy.pick(1, turn, |index| index != 1).unwrap();
                turn += 1 + passed;
                index
            })
            .collect();
        assert_eq!(picks, [0, 2, 0, 2, 0, 2]);
    }

    #[test]
    fn a_cycle_stays_short_whatever_the_weights() {
        let Policy::WeightedRoundRobin(cycle) = Policy::new(PolicySpec::WeightedRoundRobin, &[65_535, 65_521, 1]) else { panic!() };
        assert!(cycle.len() as u64 <= LONGEST_CYCLE + 3);
        assert!(cycle.contains(&2));
    }
}
