//! Latency histogram: log-linear buckets, 128 per power of two (under 0.8 % error), fixed memory.

use serde_json::{Value, json};

const SUB_BITS: u32 = 7;
const SUB: u64 = 1 << SUB_BITS;

/// Counts durations in nanoseconds.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; (SUB as usize) * 64], count: 0, sum: 0, max: 0 }
    }

    fn index(nanos: u64) -> usize {
        if nanos < SUB {
            return nanos as usize;
        }
        let shift = nanos.ilog2() - SUB_BITS;
        ((u64::from(shift) + 1) * SUB + ((nanos >> shift) - SUB)) as usize
    }

    /// Upper edge of a bucket, in nanoseconds.
    fn edge(index: usize) -> u64 {
        let (row, column) = (index as u64 / SUB, index as u64 % SUB);
        if row == 0 { column } else { (SUB + column + 1) << (row - 1) }
    }

    pub fn record(&mut self, nanos: u64) {
        if let Some(bucket) = self.buckets.get_mut(Self::index(nanos)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
    }

    /// The value below which the share `quantile` (0..1) of the samples lies; 0 without samples.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let wanted = ((self.count as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::edge(index).min(self.max);
            }
        }
        self.max
    }

    /// Quantiles in microseconds.
    pub fn summary(&self) -> Value {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let mean = if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 / 1e3 };
        json!({
            "count": self.count, "mean": mean, "max": micros(self.max),
            "p50": micros(self.quantile(0.50)), "p90": micros(self.quantile(0.90)), "p99": micros(self.quantile(0.99)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn quantiles_lie_within_one_percent_of_the_exact_ones() {
        let mut histogram = Histogram::new();
        (1..=100_000_u64).for_each(|value| histogram.record(value * 1_000));
        for share in [0.5, 0.9, 0.99] {
            let exact = share * 100_000_000.0;
            assert!((histogram.quantile(share) as f64 / exact - 1.0).abs() < 0.01, "{share}");
        }
    }
}
