//! How much a pool may do besides what it was asked for: every attempt beyond a request's first takes a token from a bucket that all
//! threads share, so that a pool which fails is not buried under repetitions.
//!
//! A bucket is filled only when somebody asks of it, by what has happened since: requests cost it nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Milliseconds between two events that tell of an empty bucket.
const EVENTS_APART: u64 = 1000;

/// How a bucket fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Tokens for each request of the pool.
    pub per_request: f64,
    /// Tokens a second.
    pub per_second: f64,
    /// What it holds.
    pub capacity: f64,
}

impl Flow {
    /// Of repetitions and races; `inflight` is the pool's.
    #[must_use]
    pub fn of_retries(per_request: f64, inflight: u64) -> Self {
        Self { per_request, per_second: 3.0, capacity: (inflight as f64).max(100.0) }
    }

    /// Of hedges: no more than their share of the requests, and a few at a time.
    #[must_use]
    pub fn of_hedges(per_request: f64) -> Self {
        Self { per_request, per_second: 0.0, capacity: 10.0 }
    }
}

#[derive(Debug, Default)]
struct Level {
    tokens: f64,
    /// The pool's requests when it was filled last.
    requests: u64,
    /// Milliseconds of the engine's clock when it was.
    at: u64,
}

/// See the module. Full at the start.
#[derive(Debug, Default)]
pub struct Bucket {
    level: Mutex<Option<Level>>,
    /// Tokens taken.
    pub taken: AtomicU64,
    /// Times that it was empty.
    pub refused: AtomicU64,
}

impl Bucket {
    /// Takes a token, if there is a whole one. `requests` is how many the pool has had, `now` milliseconds of the engine's clock.
    pub fn take(&self, flow: Flow, requests: u64, now: u64) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let level = level.get_or_insert(Level { tokens: flow.capacity, requests, at: now });
        let begun = requests.saturating_sub(level.requests) as f64;
        let passed = now.saturating_sub(level.at) as f64 / 1000.0;
        level.tokens = (level.tokens + begun * flow.per_request + passed * flow.per_second).min(flow.capacity);
        (level.requests, level.at) = (requests.max(level.requests), now.max(level.at));
        let some = level.tokens >= 1.0;
        if some {
            level.tokens -= 1.0;
        }
        let count = if some { &self.taken } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        some
    }
}

/// What a pool does beyond each request's first attempt.
#[derive(Debug, Default)]
pub struct Effort {
    /// Of repetitions and races.
    pub retries: Bucket,
    /// Of hedges.
    pub hedges: Bucket,
    /// Second attempts begun beside one that took long.
    pub raced: AtomicU64,
    /// Attempts given up because another was quicker.
    pub cancelled: AtomicU64,
    /// When an empty bucket was last told of, plus one.
    told: AtomicU64,
}

impl Effort {
    /// Whether an empty bucket may be told of again; if so, it was told of now.
    pub fn may_tell(&self, now: u64) -> bool {
        let told = self.told.load(Ordering::Relaxed);
        let due = told == 0 || now + 1 >= told + EVENTS_APART;
        due && self.told.compare_exchange(told, now + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drained(bucket: &Bucket, flow: Flow, requests: u64, now: u64) -> u32 {
        (0..10_000).take_while(|_| bucket.take(flow, requests, now)).count() as u32
    }

    #[test]
    fn a_bucket_is_full_at_the_start_and_holds_a_hundred_or_what_is_in_flight() {
        assert_eq!(drained(&Bucket::default(), Flow::of_retries(0.2, 16), 5000, 9), 100);
        assert_eq!(drained(&Bucket::default(), Flow::of_retries(0.2, 700), 5000, 9), 700);
    }

    #[test]
    fn it_fills_by_a_fifth_of_the_requests_and_three_a_second() {
        let (bucket, flow) = (Bucket::default(), Flow::of_retries(0.2, 0));
        drained(&bucket, flow, 0, 0);
        assert_eq!(drained(&bucket, flow, 50, 0), 10);
        assert_eq!(drained(&bucket, flow, 50, 2000), 6);
        assert_eq!((bucket.taken.load(Ordering::Relaxed), bucket.refused.load(Ordering::Relaxed)), (116, 3));
    }

    #[test]
    fn hedges_stay_within_their_share_of_the_requests() {
        let (bucket, flow) = (Bucket::default(), Flow::of_hedges(0.02));
        let granted = (0..10_000).filter(|request| bucket.take(flow, *request, *request)).count();
        assert!((200..=210).contains(&granted), "{granted}");
    }

    #[test]
    fn an_empty_bucket_is_told_of_once_a_second() {
        let effort = Effort::default();
        let told = (0..3000).filter(|now| effort.may_tell(*now)).collect::<Vec<_>>();
        assert_eq!(told, [0, 1000, 2000]);
    }

    proptest! {
        #[test]
        fn no_more_is_granted_than_the_bucket_its_share_and_its_seconds(
            steps in proptest::collection::vec((0_u64..20, 0_u64..50, 0_u32..30), 1..200),
            share in 0.0_f64..1.0,
        ) {
            let (bucket, flow) = (Bucket::default(), Flow::of_retries(share, 0));
            let (mut requests, mut now, mut granted) = (0, 0, 0_u32);
            for (more, passed, asked) in steps {
                requests += more;
                now += passed;
                granted += (0..asked).filter(|_| bucket.take(flow, requests, now)).count() as u32;
            }
            let most = 100.0 + share * requests as f64 + 3.0 * now as f64 / 1000.0;
            prop_assert!(f64::from(granted) <= most + 1e-6, "{} of {}", granted, most);
        }
    }
}
