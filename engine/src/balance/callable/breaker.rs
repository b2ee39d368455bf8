//! Whether a function is asked at all: not for a while after it failed several times in a row.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Failures in a row that open it.
const FAILURES: u32 = 5;

/// How long it stays open at first.
pub const PAUSE: Duration = Duration::from_secs(1);

/// The longest that it stays open before the function is tried again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A circuit breaker. Closed, it admits every call; five failures in a row open it for a second. Then one call is let through as a probe: if
/// that succeeds all are, else it stays open for twice as long, up to half a minute. Times are milliseconds of the engine's clock.
#[derive(Debug, Default)]
pub struct Breaker {
    /// In a row.
    failures: AtomicU32,
    /// 0 while it is closed.
    until: AtomicU64,
    /// How long it was opened for last.
    pause: AtomicU64,
    opened: AtomicU64,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// The one call that decides whether it closes.
    Probe,
    Refused,
}

impl Breaker {
    pub(super) fn admit(&self, now: u64) -> Admission {
        let until = self.until.load(Relaxed);
        if until == 0 {
            return Admission::Admitted;
        }
        // A probe whose outcome nobody tells, as its client has left, is followed by another in good time.
        let next = now + self.pause.load(Relaxed);
        if now >= until && self.until.compare_exchange(until, next, Relaxed, Relaxed).is_ok() {
            return Admission::Probe;
        }
        Admission::Refused
    }

    pub(super) fn success(&self, probe: bool) {
        if self.failures.load(Relaxed) != 0 && (probe || self.until.load(Relaxed) == 0) {
            self.failures.store(0, Relaxed);
            self.until.store(0, Relaxed);
        }
    }

    /// Returns the failures in a row and how long it is open, where this one opened it.
    pub(super) fn failure(&self, probe: bool, now: u64) -> Option<(u32, Duration)> {
        // Calls that were under way when it opened tell nothing new.
        if !probe && self.until.load(Relaxed) != 0 {
            return None;
        }
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures < FAILURES || (!probe && failures > FAILURES) {
            return None;
        }
        let longest = LONGEST_PAUSE.as_millis() as u64;
        let pause = if probe { (2 * self.pause.load(Relaxed)).min(longest) } else { PAUSE.as_millis() as u64 };
        self.pause.store(pause, Relaxed);
        self.until.store(now + pause, Relaxed);
        self.opened.fetch_add(1, Relaxed);
        Some((failures, Duration::from_millis(pause)))
    }

    /// Milliseconds until the next probe, while it is open.
    #[must_use]
    pub fn left(&self, now: u64) -> Option<u64> {
        let until = self.until.load(Relaxed);
        (until != 0).then(|| until.saturating_sub(now))
    }

    /// How often it opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: u64) -> Option<u64> {
        assert_eq!(breaker.admit(now), Admission::Admitted);
        breaker.failure(false, now).map(|(_, pause)| pause.as_millis() as u64)
    }

    fn opened(now: u64) -> Breaker {
        let breaker = Breaker::default();
        let pauses: Vec<_> = (0..FAILURES).map(|_| fail(&breaker, now)).collect();
        assert_eq!(pauses, [None, None, None, None, Some(1_000)]);
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_four_do_not() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            for _ in 1..FAILURES {
                assert_eq!(fail(&breaker, 0), None);
            }
            breaker.success(false);
        }
        let breaker = opened(50);
        assert_eq!(breaker.admit(1_049), Admission::Refused);
        assert_eq!((breaker.left(50), breaker.left(2_000), breaker.opened()), (Some(1_000), Some(0), 1));
    }

    #[test]
    fn one_probe_decides() {
        let breaker = opened(0);
        assert_eq!(breaker.admit(1_000), Admission::Probe);
        assert_eq!(breaker.admit(1_000), Admission::Refused);
        breaker.success(true);
        assert_eq!(breaker.left(1_000), None);
        for _ in 1..FAILURES {
            assert_eq!(fail(&breaker, 1_000), None);
        }
    }

    #[test]
    fn probes_that_fail_come_at_growing_distances() {
        let breaker = opened(0);
        let mut now = 1_000;
        for pause in [2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(breaker.admit(now), Admission::Probe);
            assert_eq!(breaker.failure(true, now).map(|(_, pause)| pause), Some(Duration::from_millis(pause)));
            assert_eq!(breaker.admit(now + pause - 1), Admission::Refused);
            now += pause;
        }
        assert_eq!(breaker.opened(), 7);
    }

    #[test]
    fn a_probe_that_is_given_up_is_followed_by_another() {
        let breaker = opened(0);
        assert_eq!(breaker.admit(1_000), Admission::Probe);
        assert_eq!(breaker.admit(1_999), Admission::Refused);
        assert_eq!(breaker.admit(2_000), Admission::Probe);
    }

    #[test]
    fn calls_from_before_it_opened_change_nothing() {
        let breaker = opened(0);
        assert_eq!(breaker.failure(false, 10), None);
        breaker.success(false);
        assert_eq!((breaker.left(10), breaker.opened()), (Some(990), 1));
    }
}
