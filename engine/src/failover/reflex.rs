//! The reflex: an endpoint that fails several times in a row is passed over for a moment, at once and by itself.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::record::Cause;

/// Failures in a row after which an endpoint is passed over.
pub const FAILURES: u32 = 3;

/// How long it is passed over.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What one endpoint's latest attempts came to. Times are milliseconds of the engine's clock.
#[derive(Debug, Default)]
pub struct Reflex {
    failures: AtomicU32,
    until: AtomicU64,
    /// The last failure's cause, plus one.
    cause: AtomicU8,
    /// When it last changed between passing and not.
    since: AtomicU64,
}

impl Reflex {
    /// An attempt succeeded. Whether the endpoint has recovered by it: it was passed over, or about to be.
    pub fn success(&self, now: impl FnOnce() -> u64) -> bool {
        // Written only when it changes: this line is shared by all threads, and success is the usual case.
        if self.failures.load(Ordering::Relaxed) != 0 {
            let failed = self.failures.swap(0, Ordering::Relaxed);
            if failed >= FAILURES {
                self.until.store(0, Ordering::Relaxed);
                self.since.store(now(), Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// An attempt failed.
    pub fn failure(&self, cause: Cause, now: u64) {
        self.cause.store(cause as u8 + 1, Ordering::Relaxed);
        let failed = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failed >= FAILURES {
            let before = self.until.swap(now + PAUSE.as_millis() as u64, Ordering::Relaxed);
            if before <= now {
                self.since.store(now, Ordering::Relaxed);
            }
        }
    }

    /// Whether it is passed over; `now` is only asked for when it may be.
    #[must_use]
    pub fn is_passed_over(&self, now: impl FnOnce() -> u64) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until != 0 && until > now()
    }

    /// Milliseconds for which it is still passed over.
    #[must_use]
    pub fn left(&self, now: u64) -> Option<u64> {
        let left = self.until.load(Ordering::Relaxed).saturating_sub(now);
        (left > 0).then_some(left)
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The cause of the last failure there was.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let place = self.cause.load(Ordering::Relaxed).checked_sub(1)?;
        Cause::ALL.get(place as usize).copied()
    }

    /// When it last began or ceased to be passed over.
    #[must_use]
    pub fn since(&self, now: u64) -> u64 {
        // Nobody notes that the pause is over: it ends by itself.
        match self.until.load(Ordering::Relaxed) {
            until if until != 0 && until <= now => until,
            _ => self.since.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_pass_an_endpoint_over_for_a_second() {
        let reflex = Reflex::default();
        reflex.failure(Cause::ConnectRefused, 100);
        reflex.failure(Cause::ConnectRefused, 101);
        assert!(!reflex.is_passed_over(|| 102));
        reflex.failure(Cause::ConnectTimeout, 102);
        assert!(reflex.is_passed_over(|| 1101));
        assert!(!reflex.is_passed_over(|| 1102));
        assert_eq!(reflex.cause(), Some(Cause::ConnectTimeout));
    }

    #[test]
    fn a_success_between_them_starts_the_count_anew() {
        let reflex = Reflex::default();
        for now in 0..20 {
            reflex.failure(Cause::ConnectRefused, now);
            reflex.failure(Cause::ConnectRefused, now);
            assert!(!reflex.success(|| now));
            assert!(!reflex.is_passed_over(|| now));
        }
    }

    #[test]
    fn one_more_failure_after_the_pause_passes_it_over_again() {
        let reflex = Reflex::default();
        for _ in 0..3 {
            reflex.failure(Cause::ConnectRefused, 10);
        }
        assert_eq!((reflex.since(500), reflex.since(2000)), (10, 1010), "it began, and ceased by itself");
        reflex.failure(Cause::ConnectRefused, 5000);
        assert!(reflex.is_passed_over(|| 5500));
        assert_eq!((reflex.since(5500), reflex.since(6000)), (5000, 6000));
        assert!(reflex.success(|| 5600));
        assert!(!reflex.is_passed_over(|| 5600));
    }
}
