//! The policy of a pool: one of those that are here, prepared for its endpoints.

use super::draw::Occasion;
use super::structural::{Random, WeightedRandom, WeightedRoundRobin, units};
use crate::snapshot::PolicySpec;

/// A policy, prepared for one list of weights.
#[derive(Debug)]
pub enum Policy {
    /// Takes turns along a cycle in which each index stands as often as its weight says.
    WeightedRoundRobin(WeightedRoundRobin),
    /// Draws in proportion to the weights.
    WeightedRandom(WeightedRandom),
    /// Draws among all with a weight.
    Random(Random),
}

impl Policy {
    /// Prepares a policy for endpoints of these weights.
    #[must_use]
    pub fn new(spec: PolicySpec, weights: &[u32]) -> Self {
        let units: Vec<u32> = weights.iter().map(|weight| units(f64::from(*weight))).collect();
        match spec {
            PolicySpec::WeightedRoundRobin => Self::WeightedRoundRobin(WeightedRoundRobin::new(&units)),
            PolicySpec::WeightedRandom => Self::WeightedRandom(WeightedRandom::new(&units)),
            PolicySpec::Random => Self::Random(Random::new(&units)),
        }
    }

    /// The endpoint of pick number `turn`, among those that are eligible, and how many turns it passed by, which are then used up too:
    /// otherwise the endpoint behind an ineligible one would take all of its share. `None` when nobody is eligible.
    pub fn pick(&self, seed: u64, turn: u64, eligible: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        let occasion = Occasion { seed, turn, key: None };
        match self {
            Self::WeightedRoundRobin(policy) => policy.pick(occasion, eligible),
            Self::WeightedRandom(policy) => policy.pick(occasion, eligible).map(|index| (index, 0)),
            Self::Random(policy) => policy.pick(occasion, eligible).map(|index| (index, 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_its_own_policy() {
        let picks = |spec| -> Vec<_> {
            let policy = Policy::new(spec, &[3, 1]);
            (0..4000).filter_map(|turn| policy.pick(7, turn, |_| true)).map(|(index, _)| index).collect()
        };
        assert_eq!(picks(PolicySpec::WeightedRoundRobin)[..8], [0, 0, 1, 0, 0, 0, 1, 0]);
        let of_second = |spec| picks(spec).into_iter().sum::<usize>();
        assert!(of_second(PolicySpec::WeightedRandom).abs_diff(1000) < 120);
        assert!(of_second(PolicySpec::Random).abs_diff(2000) < 130);
    }
}
