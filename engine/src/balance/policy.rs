//! The policy of a pool: its wire form, and the same prepared for the pool's endpoints.

use serde::{Deserialize, Serialize};

use super::draw::Occasion;
use super::expression::{Field, Metrics};
use super::hash::{ConsistentHash, Kind};
use super::key::KeySpec;
use super::score::{Score, ScoreSpec};
use super::structural::{FirstAvailable, Random, RoundRobin, WeightedRandom, WeightedRoundRobin, units};
use super::view::{Eligible, View};

/// The wire form of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicySpec {
    /// By turns in the declared order.
    RoundRobin,
    /// By turns in proportion to the weights, smoothly.
    WeightedRoundRobin,
    /// Independent draws, all alike.
    Random,
    /// Independent draws in proportion to the weights.
    WeightedRandom,
    /// The first, in the declared order, that is below the limit.
    FirstAvailable {
        /// Exchanges on one endpoint; `None` has no limit.
        limit: Option<u32>,
    },
    /// The best by an expression.
    Score(ScoreSpec),
    /// One key, one endpoint.
    ConsistentHash {
        /// How a key finds its home.
        table: Kind,
        /// What the key is.
        key: KeySpec,
        /// How many times its fair share of the load an endpoint may have; `None` does not look.
        bounded_load: Option<f64>,
        /// For requests without the key.
        fallback: Box<PolicySpec>,
    },
    /// A function of the program that embeds the engine.
    Python {
        /// Its name.
        callable: String,
        /// How long it may take, in seconds.
        budget: f64,
        /// For picks that it does not make, or not in time.
        fallback: Box<PolicySpec>,
    },
}

impl PolicySpec {
    /// What the key is, where the policy has one.
    #[must_use]
    pub fn key(&self) -> Option<&KeySpec> {
        match self {
            Self::ConsistentHash { key, .. } => Some(key),
            Self::Python { fallback, .. } => fallback.key(),
            _ => None,
        }
    }
}

/// A policy, prepared for one list of endpoints.
#[derive(Debug)]
pub enum Policy {
    /// By turns.
    RoundRobin(RoundRobin),
    /// By turns, weighted.
    WeightedRoundRobin(WeightedRoundRobin),
    /// By draws.
    Random(Random),
    /// By draws, weighted.
    WeightedRandom(WeightedRandom),
    /// The first with room.
    FirstAvailable(FirstAvailable),
    /// The best.
    Score(Score),
    /// By key.
    ConsistentHash(Box<(ConsistentHash, Policy)>),
}

impl Policy {
    /// Prepares a policy for endpoints of these ids and weights; the reported metrics that it reads are entered in `metrics`.
    ///
    /// # Errors
    ///
    /// What makes no sense.
    pub fn new(spec: &PolicySpec, endpoints: &[(&str, f64)], seed: u64, metrics: &mut Metrics) -> Result<Self, String> {
        let shares: Vec<u32> = endpoints.iter().map(|(_, weight)| units(*weight)).collect();
        Ok(match spec {
            PolicySpec::RoundRobin => Self::RoundRobin(RoundRobin::new(&shares)),
            PolicySpec::WeightedRoundRobin => Self::WeightedRoundRobin(WeightedRoundRobin::new(&shares)),
            PolicySpec::Random => Self::Random(Random::new(&shares)),
            PolicySpec::WeightedRandom => Self::WeightedRandom(WeightedRandom::new(&shares)),
            PolicySpec::FirstAvailable { limit } => Self::FirstAvailable(FirstAvailable::new(&shares, *limit)),
            PolicySpec::Score(score) => Self::Score(Score::new(score, metrics)?),
            PolicySpec::ConsistentHash { table, bounded_load, fallback, .. } => {
                if let Some(factor) = bounded_load
                    && !(factor.is_finite() && *factor >= 1.0)
                {
                    return Err(format!("bounded_load is {factor}, which is not a number of 1 or more"));
                }
                let members: Vec<(&str, u32)> = endpoints.iter().zip(&shares).map(|((id, _), units)| (*id, *units)).collect();
                let table = ConsistentHash::new(*table, *bounded_load, &members, seed);
                Self::ConsistentHash(Box::new((table, Self::new(fallback, endpoints, seed, metrics)?)))
            }
            // What is left when the function is not asked.
            PolicySpec::Python { fallback, .. } => Self::new(fallback, endpoints, seed, metrics)?,
        })
    }

    /// The endpoint of a pick, among those that are eligible, and how many turns it passed by, which are then used up too: otherwise the
    /// endpoint behind an ineligible one would take all of its share. `None` when nobody is eligible.
    pub fn pick(&self, view: &impl View, occasion: Occasion, eligible: &impl Eligible) -> Option<(usize, u64)> {
        let may = |index: usize| eligible.has(index);
        #[expect(clippy::cast_sign_loss, reason = "a count")]
        let load = |index: usize| view.value(Field::Inflight, index) as u32;
        let alone = |index: usize| (index, 0);
        match self {
            Self::RoundRobin(policy) => policy.pick(occasion, may),
            Self::WeightedRoundRobin(policy) => policy.pick(occasion, may),
            Self::Random(policy) => policy.pick(occasion, may).map(alone),
            Self::WeightedRandom(policy) => policy.pick(occasion, may).map(alone),
            Self::FirstAvailable(policy) => policy.pick(may, load).map(alone),
            Self::Score(policy) => policy.pick(view, occasion, eligible).map(alone),
            Self::ConsistentHash(both) => {
                let (table, fallback) = &**both;
                if occasion.key.is_none() {
                    return fallback.pick(view, occasion, eligible);
                }
                table.pick(occasion, may, load).map(alone)
            }
        }
    }

    /// Whether it looks at the time.
    #[must_use]
    pub fn reads_age(&self) -> bool {
        match self {
            Self::Score(score) => score.reads_age(),
            Self::ConsistentHash(both) => both.1.reads_age(),
            _ => false,
        }
    }
}
