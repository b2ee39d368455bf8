//! How long answers take: counts in buckets that grow with the value, four to each power of two.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

/// Values below 32 us share the first bucket.
const FIRST_POWER: u32 = 5;
/// The last bucket ends at 2^34 us, 4 h 46 min; longer values are counted there too.
const LAST_POWER: u32 = 34;
pub(crate) const BUCKETS: usize = 1 + 4 * (LAST_POWER - FIRST_POWER) as usize;

/// A latency histogram; 944 bytes. A bucket's bounds are at most 25 % apart, so a quantile, given as a point between them, errs by at
/// most that and by half of it on average.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Microseconds.
    sum: AtomicU64,
}

/// What a [`Histogram`] held; serialised as `{"count":n,"sum":seconds,"buckets":[[upper_bound_seconds,count],...]}`.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct HistogramSnapshot {
    /// How many values.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
    /// Upper bound in seconds (exclusive) and count of every bucket that is not empty, ascending, not cumulative.
    pub buckets: Vec<(f64, u64)>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts one value: two relaxed additions.
    pub fn record(&self, value: Duration) {
        let micros = value.as_micros() as u64;
        if let Some(bucket) = self.buckets.get(place(micros)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(micros, Relaxed);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// The sum of all values.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum.load(Relaxed))
    }

    /// The sum of ln(seconds) over all values, each taken for the middle of its bucket: it errs by an eighth of a value at most.
    #[must_use]
    pub fn sum_of_logarithms(&self) -> f64 {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0).map(|(place, count)| count as f64 * middle(place).ln()).fold(0.0, |sum, part| sum + part)
    }

    /// The counts so far. Values that are recorded meanwhile may be in it in part.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).enumerate();
        let buckets: Vec<_> = counts.filter(|(_, count)| *count > 0).map(|(place, count)| (upper_bound(place), count)).collect();
        HistogramSnapshot { count: buckets.iter().map(|(_, count)| count).sum(), sum: self.sum().as_secs_f64(), buckets }
    }

    /// See [`HistogramSnapshot::quantile`].
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        self.snapshot().quantile(quantile)
    }
}

impl HistogramSnapshot {
    /// The value in seconds below which this share (0 to 1) of all values lies, spread evenly over its bucket; `None` without values.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let wanted = quantile.clamp(0.0, 1.0) * self.count as f64;
        let mut below = 0;
        for (upper, count) in &self.buckets {
            below += count;
            if below as f64 >= wanted {
                let lower = lower_bound(*upper);
                let missing = (below as f64 - wanted) / *count as f64;
                return Some(upper - (upper - lower) * missing);
            }
        }
        self.buckets.last().map(|(upper, _)| *upper)
    }
}

/// The bucket of a value: its power of two, and the two bits below the highest.
pub(crate) fn place(micros: u64) -> usize {
    let Some(power) = micros.checked_ilog2().filter(|power| *power >= FIRST_POWER) else {
        return 0;
    };
    let quarter = (micros >> (power - 2)) & 3;
    let place = 1 + 4 * (power - FIRST_POWER) as usize + quarter as usize;
    place.min(BUCKETS - 1)
}

/// The bound above a bucket, in seconds.
pub(crate) fn upper_bound(place: usize) -> f64 {
    let micros = match place.checked_sub(1) {
        None => 1 << FIRST_POWER,
        Some(above) => (5 + above as u64 % 4) << (FIRST_POWER as usize - 2 + above / 4),
    };
    micros as f64 / 1e6
}

/// The middle of a bucket, in seconds.
fn middle(place: usize) -> f64 {
    let below = place.checked_sub(1).map_or(0.0, upper_bound);
    f64::midpoint(below, upper_bound(place))
}

/// The bound below the bucket that ends at `upper`: the bound above of the bucket before.
fn lower_bound(upper: f64) -> f64 {
    let micros = Duration::try_from_secs_f64(upper).unwrap_or_default().as_micros() as u64;
    match place(micros.saturating_sub(1)).checked_sub(1) {
        None => 0.0,
        Some(before) => upper_bound(before),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::{BUCKETS, Histogram, lower_bound, place, upper_bound};

    #[test]
    fn the_sum_of_logarithms_is_near_that_of_the_values() {
        let values: Vec<u64> = (0..1000).map(|step| 40 + step * step).collect();
        let exact: f64 = values.iter().map(|micros| (*micros as f64 / 1e6).ln()).sum();
        assert!((holding(values).sum_of_logarithms() - exact).abs() < 1000.0 / 8.0);
        assert!(holding([]).sum_of_logarithms().abs() < f64::EPSILON);
    }

    fn holding(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let histogram = Histogram::default();
        micros.into_iter().for_each(|value| histogram.record(Duration::from_micros(value)));
        histogram
    }

    #[test]
    fn a_histogram_takes_less_than_a_kibibyte() {
        assert_eq!(944, size_of::<Histogram>());
    }

    #[test]
    fn bounds_ascend_by_a_quarter_at_most() {
        for place in 2..BUCKETS {
            let step = upper_bound(place) / upper_bound(place - 1);

            assert!((1.14..=1.2501).contains(&step), "{place}: {step}");
            assert!((lower_bound(upper_bound(place)) - upper_bound(place - 1)).abs() < 1e-9);
        }
        assert_eq!(Duration::from_micros(32), Duration::from_secs_f64(upper_bound(0)));
        assert_eq!(Duration::from_micros(1 << 34), Duration::from_secs_f64(upper_bound(BUCKETS - 1)));
    }

    #[test]
    fn the_snapshot_has_the_statistics_form() {
        let histogram = holding([0, 31, 32, 1_000_000]);

        assert_eq!(
            json!({"count": 4, "sum": 1.000_063, "buckets": [[0.000_032, 2], [0.000_040, 1], [1.048_576, 1]]}),
            json!(histogram.snapshot())
        );
        assert_eq!((4, Duration::from_micros(1_000_063)), (histogram.count(), histogram.sum()));
    }

    #[test]
    fn a_value_of_any_length_is_counted() {
        let histogram = holding([u64::MAX / 2, 1 << 40]);

        assert_eq!(vec![(17_179.869_184, 2)], histogram.snapshot().buckets);
    }

    #[test]
    fn quantiles_of_an_even_spread_lie_where_they_should() {
        let histogram = holding((1..=100_000).map(|value| value * 10));

        for (quantile, expected) in [(0.01, 0.01), (0.5, 0.5), (0.9, 0.9), (0.99, 0.99)] {
            let found = histogram.quantile(quantile).unwrap();
            assert!((found / expected - 1.0).abs() < 0.05, "{quantile}: {found}");
        }
    }

    #[test]
    fn without_values_there_is_no_quantile() {
        assert_eq!(None, Histogram::default().quantile(0.5));
    }

    proptest! {
        #[test]
        fn a_value_lies_within_the_bounds_of_its_bucket(micros in 0..1_u64 << 34) {
            let (upper, seconds) = (upper_bound(place(micros)), micros as f64 / 1e6);

            prop_assert!(lower_bound(upper) <= seconds && seconds < upper);
        }

        #[test]
        fn the_quantile_of_one_value_errs_by_less_than_a_quarter(micros in 32..1_u64 << 34, quantile in 0.0..=1.0) {
            let found = holding([micros]).quantile(quantile).unwrap() * 1e6;

            prop_assert!((found / micros as f64 - 1.0).abs() <= 0.2501);
        }

        #[test]
        fn quantiles_ascend(values in proptest::collection::vec(0..1_u64 << 36, 1..50), a in 0.0..=1.0, b in 0.0..=1.0) {
            let histogram = holding(values);

            prop_assert!(histogram.quantile(f64::min(a, b)) <= histogram.quantile(f64::max(a, b)));
        }
    }
}
