//! How long answers usually take: what is learned of one route's first bytes, by which one that takes unusually long is noticed.
//!
//! Counts of the last minute or so, over all threads. An answer costs an addition; once a second one of them works the limit out anew.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::record::histogram::{BUCKETS, place, upper_bound};

/// Answers without which nothing is known.
const LEAST: u64 = 100;

/// No limit is shorter: pauses of a scheduler or a collector are no news of an endpoint.
const SHORTEST: Duration = Duration::from_millis(20);

/// A limit is at least so many times what is usual.
const TIMES_USUAL: u32 = 3;

/// Milliseconds after which the counts weigh half.
const HALF_LIFE: u64 = 30_000;

/// Milliseconds between two looks while nothing is known, and afterwards.
const LOOKS: (u64, u64) = (100, 1000);

#[derive(Debug)]
struct Counts([AtomicU32; BUCKETS]);

/// See the module.
#[derive(Debug, Default)]
pub struct Learned {
    /// Made with the first answer: most routes of a large configuration see none.
    counts: OnceLock<Box<Counts>>,
    /// When to work the limits out anew, in milliseconds of the engine's clock.
    due: AtomicU64,
    halved: AtomicU64,
    /// Microseconds; 0 while unknown.
    limit: AtomicU64,
    /// Likewise, of the 95th percentile.
    late: AtomicU64,
}

impl Learned {
    /// An answer began that long after its pick, or was given up after that long; `now` is milliseconds of the engine's clock.
    pub fn record(&self, took: Duration, now: u64) {
        let counts = self.counts.get_or_init(|| Box::new(Counts([const { AtomicU32::new(0) }; BUCKETS])));
        if let Some(count) = counts.0.get(place(took.as_micros() as u64)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if now >= self.due.load(Ordering::Relaxed) {
            self.look(counts, now);
        }
    }

    /// What an answer takes that is unusually long: the 99th percentile, but at least three times the median.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        known(&self.limit)
    }

    /// The 95th percentile.
    #[must_use]
    pub fn late(&self) -> Option<Duration> {
        known(&self.late)
    }

    #[cold]
    fn look(&self, counts: &Counts, now: u64) {
        let due = self.due.load(Ordering::Relaxed);
        let next = now + if self.limit().is_some() { LOOKS.1 } else { LOOKS.0 };
        if now < due || self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if due == 0 {
            self.halved.store(now, Ordering::Relaxed);
        }
        let halvings = now.saturating_sub(self.halved.load(Ordering::Relaxed)) / HALF_LIFE;
        if halvings > 0 {
            self.halved.fetch_add(halvings * HALF_LIFE, Ordering::Relaxed);
            for count in &counts.0 {
                let shift = u32::try_from(halvings).unwrap_or(u32::MAX);
                // What is counted meanwhile may be lost: one of a hundred and more.
                count.store(count.load(Ordering::Relaxed).checked_shr(shift).unwrap_or(0), Ordering::Relaxed);
            }
        }
        let counts: Vec<u64> = counts.0.iter().map(|count| u64::from(count.load(Ordering::Relaxed))).collect();
        let total: u64 = counts.iter().sum();
        if total < LEAST {
            self.limit.store(0, Ordering::Relaxed);
            self.late.store(0, Ordering::Relaxed);
            return;
        }
        let [median, late, last] = [50, 95, 99].map(|percent| quantile(&counts, total, percent));
        let limit = last.max(median * TIMES_USUAL).max(SHORTEST);
        self.limit.store(limit.as_micros() as u64, Ordering::Relaxed);
        self.late.store(late.as_micros() as u64, Ordering::Relaxed);
    }
}

fn known(micros: &AtomicU64) -> Option<Duration> {
    let micros = micros.load(Ordering::Relaxed);
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// The bound above the bucket that so many in a hundred of all end in.
fn quantile(counts: &[u64], total: u64, percent: u64) -> Duration {
    let wanted = (total * percent).div_ceil(100);
    let mut below = 0;
    let bucket = counts.iter().position(|count| {
        below += count;
        below >= wanted
    });
    Duration::try_from_secs_f64(upper_bound(bucket.unwrap_or(BUCKETS - 1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn nothing_is_known_before_a_hundred_answers() {
        let learned = Learned::default();
        for now in 0..99 {
            learned.record(millis(20), now * 1000);
            // The earliest weigh less by then.
            assert_eq!(learned.limit(), None);
        }
        let learned = Learned::default();
        (0..=100).for_each(|now| learned.record(millis(20), now * 2));
        assert!(learned.limit().is_some());
    }

    #[test]
    fn a_limit_is_at_least_three_times_what_is_usual_and_twenty_milliseconds() {
        for (usual, least) in [(1, 20), (20, 60), (1000, 3000)] {
            let learned = Learned::default();
            (0..1000).for_each(|now| learned.record(millis(usual), now * 10));
            let limit = learned.limit().unwrap();
            assert!(limit >= millis(least) && limit <= millis(least).mul_f64(1.25), "{usual}: {limit:?}");
        }
    }

    #[test]
    fn one_in_fifty_that_takes_long_is_usual_and_one_in_a_thousand_is_not() {
        for (every, usual) in [(50, true), (1000, false)] {
            let learned = Learned::default();
            (0..10_000).for_each(|now| learned.record(if now % every == 0 { millis(5000) } else { millis(20) }, now));
            assert_eq!(learned.limit().unwrap() >= millis(5000), usual);
        }
    }

    #[test]
    fn what_was_usual_is_forgotten_in_a_few_minutes() {
        let learned = Learned::default();
        (0..1000).for_each(|now| learned.record(millis(5000), now));
        (0..2000).for_each(|now| learned.record(millis(20), 1000 + now * 200));
        assert!(learned.limit().unwrap() < millis(100));
        learned.record(millis(20), 10_000_000);
        assert_eq!(learned.limit(), None, "after hours of quiet nothing is known");
    }

    proptest! {
        #[test]
        fn at_most_one_answer_in_a_hundred_is_beyond_the_limit(values in proptest::collection::vec(0_u64..10_000, 200..400)) {
            let learned = Learned::default();
            for (now, value) in values.iter().enumerate() {
                learned.record(millis(*value), now as u64);
            }
            // A last look at them all.
            learned.record(millis(0), 3000);
            let limit = learned.limit().unwrap();
            let beyond = values.iter().filter(|value| millis(**value) > limit).count();
            prop_assert!(beyond * 100 <= values.len() + 1, "{beyond} of {}", values.len());
            prop_assert!(learned.late().unwrap() <= limit);
        }
    }
}
