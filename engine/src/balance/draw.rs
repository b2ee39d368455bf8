//! The generator behind every random pick: `SplitMix64` (Steele, Lea and Flood, 2014), counted rather than stepped, so that all threads draw
//! from one sequence and draw `k` of a seed is a pure function, here and in `forebay.balance.reference`.

/// 2^64 divided by the golden ratio, made odd.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser: spreads a counter over all 64 bits.
#[must_use]
pub const fn mix64(mut z: u64) -> u64 {
    z ^= z >> 30;
    z = z.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= z >> 27;
    z = z.wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Draw number `k` (from 0) of a seed.
#[must_use]
pub const fn draw(seed: u64, k: u64) -> u64 {
    mix64(seed.wrapping_add(k.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Brings a draw into `0..bound` without division.
#[must_use]
pub const fn scale(draw: u64, bound: u64) -> u64 {
    ((draw as u128 * bound as u128) >> 64) as u64
}

/// What a pick draws from; the same occasion on the same state of a pool is the same pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// The pool's seed.
    pub seed: u64,
    /// The number of the pick.
    pub turn: u64,
    /// The hash of the request's key, where it has one.
    pub key: Option<u64>,
}

impl Occasion {
    /// The pick's one draw; a pick that needs several takes draws `0, 1, ...` of this as their seed.
    #[must_use]
    pub const fn draw(self) -> u64 {
        draw(self.seed, self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_splitmix64() {
        // The published test vector of seed 1234567.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431];
        for (k, value) in expected.into_iter().enumerate() {
            assert_eq!(draw(1_234_567, k as u64), value);
        }
    }

    #[test]
    fn scaling_stays_in_bounds_and_reaches_both_ends() {
        assert_eq!(scale(0, 7), 0);
        assert_eq!(scale(u64::MAX, 7), 6);
    }
}
