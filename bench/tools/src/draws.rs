//! Seeded random numbers: the same seed, the same schedule of arrivals and the same service times in every run.

use std::time::Duration;

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// An exponentially distributed time of this mean.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        // 53 bits, in (0, 1]: its logarithm is finite.
        let uniform = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        mean.mul_f64(-uniform.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::{Draws, Duration};

    #[test]
    fn times_have_the_mean_and_the_tail_of_their_distribution() {
        let mut draws = Draws::new(1);
        let times: Vec<f64> = (0..100_000).map(|_| draws.exponential(Duration::from_millis(2)).as_secs_f64()).collect();
        let mean = times.iter().sum::<f64>() / 100_000.0;
        let beyond = times.iter().filter(|time| **time > 0.002 * 100_f64.ln()).count();
        assert!((mean / 0.002 - 1.0).abs() < 0.02, "{mean}");
        assert!((900..1100).contains(&beyond), "{beyond}");
    }
}
