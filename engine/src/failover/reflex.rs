//! The reflex: an endpoint that refuses, or fails several times in a row, is passed over for a while, at once and by itself. The while
//! doubles each time that it is soon needed again.

use std::time::Duration;

use super::rules::millis;
use crate::record::{Cause, Phase};
use crate::snapshot::EjectionSpec;

/// How long an endpoint is passed over the first time.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A pause this soon after the last (in milliseconds) is longer than that.
const SOON: u64 = 60_000;

/// The longest that `Retry-After` is heeded, in milliseconds.
const PATIENCE: u64 = 30_000;

/// Why an endpoint is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// No connection can be had: a fact.
    Unreachable,
    /// It failed: a judgement, as are those below.
    Failures,
    /// It said that it closes a connection, which it never did before.
    Closing,
    /// It asked for it.
    RetryAfter,
}

/// For how long, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Milliseconds of the engine's clock.
    pub until: u64,
    /// Why.
    pub ground: Ground,
}

/// What one endpoint's latest attempts came to. Times are milliseconds of the engine's clock.
#[derive(Debug, Default)]
pub struct Reflex {
    failures: u32,
    /// The last failure's.
    cause: Option<Cause>,
    pause: Option<Pause>,
    /// Pauses that followed closely on one another.
    level: u32,
    /// When the last one was or will be over.
    over: u64,
}

impl Reflex {
    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The cause of the last failure there was.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The pause that is or was, as long as no exchange has ended it.
    #[must_use]
    pub fn pause(&self, now: u64) -> Option<Pause> {
        // Who asked to be left alone need not prove anything then.
        self.pause.filter(|pause| pause.ground != Ground::RetryAfter || pause.until > now)
    }

    /// Whether it is passed over.
    #[must_use]
    pub fn is_passed_over(&self, now: u64) -> bool {
        self.pause.is_some_and(|pause| pause.until > now)
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self, now: u64) {
        self.failures = 0;
        self.pause = self.pause(now);
    }

    /// The pause is over, for good reason.
    pub fn end(&mut self, now: u64) {
        self.failures = 0;
        if let Some(pause) = self.pause.take() {
            self.over = pause.until.min(now);
        }
    }

    /// An attempt failed; `on_trial` where this was to prove that the endpoint serves again. Whether it is passed over now by this.
    pub fn failed(&mut self, cause: Cause, on_trial: bool, rules: &EjectionSpec, now: u64) -> bool {
        self.cause = Some(cause);
        self.failures = self.failures.saturating_add(1);
        let refused = cause == Cause::ConnectRefused;
        if !refused && !on_trial && self.failures < rules.consecutive {
            return false;
        }
        let ground = if cause.phase() == Phase::Connect { Ground::Unreachable } else { Ground::Failures };
        match &mut self.pause {
            // What ran before says nothing new, unless it says worse.
            Some(pause) if pause.until > now => {
                let worse = ground == Ground::Unreachable && pause.ground != ground;
                if worse {
                    pause.ground = ground;
                }
                worse
            }
            _ => {
                self.begin(ground, rules, now);
                true
            }
        }
    }

    /// It says that it is about to close, or has been silent for too long.
    pub fn leave(&mut self, ground: Ground, rules: &EjectionSpec, now: u64) -> bool {
        let begins = !self.is_passed_over(now);
        if begins {
            self.begin(ground, rules, now);
        }
        begins
    }

    /// It asks to be left alone for so many seconds.
    pub fn put_off(&mut self, seconds: u64, now: u64) -> bool {
        let until = now + seconds.saturating_mul(1000).min(PATIENCE);
        let longer = self.pause.is_none_or(|pause| pause.until < until) && until > now;
        if longer {
            let ground = self.pause.filter(|pause| pause.until > now).map_or(Ground::RetryAfter, |pause| pause.ground);
            self.pause = Some(Pause { until, ground });
        }
        longer
    }

    fn begin(&mut self, ground: Ground, rules: &EjectionSpec, now: u64) {
        let until = now + self.next(rules, now);
        self.pause = Some(Pause { until, ground });
        self.over = until;
    }

    /// How long the next pause is, which is then taken to follow on the last.
    pub fn next(&mut self, rules: &EjectionSpec, now: u64) -> u64 {
        let again = self.over > 0 && now.saturating_sub(self.over) <= SOON;
        self.level = if again { (self.level + 1).min(30) } else { 0 };
        let most = millis(rules.base.max(1.0));
        (PAUSE.as_millis() as u64).saturating_mul(1 << self.level).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> EjectionSpec {
        EjectionSpec::default()
    }

    #[test]
    fn three_failures_in_a_row_pass_an_endpoint_over_for_a_second() {
        let mut reflex = Reflex::default();
        assert!(!reflex.failed(Cause::ClosedBeforeResponse, false, &rules(), 100));
        assert!(!reflex.failed(Cause::ConnectTimeout, false, &rules(), 101));
        assert!(!reflex.is_passed_over(102));
        assert!(reflex.failed(Cause::ResetBeforeResponse, false, &rules(), 102));
        assert_eq!(reflex.pause(102), Some(Pause { until: 1102, ground: Ground::Failures }));
        assert!(reflex.is_passed_over(1101) && !reflex.is_passed_over(1102));
        assert_eq!(reflex.cause(), Some(Cause::ResetBeforeResponse));
    }

    #[test]
    fn a_refused_connection_is_a_fact_at_once() {
        let mut reflex = Reflex::default();
        assert!(reflex.failed(Cause::ConnectRefused, false, &rules(), 100));
        assert_eq!(reflex.pause(100), Some(Pause { until: 1100, ground: Ground::Unreachable }));
        assert!(!reflex.failed(Cause::ConnectRefused, false, &rules(), 200), "nothing new");
        assert_eq!(reflex.pause(200).map(|pause| pause.until), Some(1100));
    }

    #[test]
    fn a_success_between_them_starts_the_count_anew() {
        let mut reflex = Reflex::default();
        for now in 0..20 {
            assert!(!reflex.failed(Cause::SendFailed, false, &rules(), now));
            assert!(!reflex.failed(Cause::SendFailed, false, &rules(), now));
            reflex.succeeded(now);
        }
    }

    #[test]
    fn a_pause_doubles_while_the_last_is_not_long_ago_up_to_the_base_of_an_ejection() {
        let mut reflex = Reflex::default();
        let mut now = 5;
        for length in [1000, 2000, 4000, 8000, 10_000, 10_000] {
            assert!(reflex.failed(Cause::FirstByteTimeout, true, &rules(), now));
            assert_eq!(reflex.pause(now).map(|pause| pause.until), Some(now + length));
            now += length;
        }
        reflex.end(now);
        assert_eq!((reflex.pause(now), reflex.failures()), (None, 0));
        now += SOON + 1;
        assert!(reflex.failed(Cause::ConnectRefused, false, &rules(), now));
        assert_eq!(reflex.pause(now).map(|pause| pause.until), Some(now + 1000));
    }

    #[test]
    fn what_runs_on_during_a_pause_changes_it_only_from_a_judgement_to_a_fact() {
        let mut reflex = Reflex::default();
        assert!(reflex.leave(Ground::Closing, &rules(), 10));
        assert!(!reflex.leave(Ground::Closing, &rules(), 20));
        for _ in 0..5 {
            assert!(!reflex.failed(Cause::ClosedBeforeResponse, false, &rules(), 30));
        }
        assert!(reflex.failed(Cause::ConnectRefused, false, &rules(), 40));
        assert_eq!(reflex.pause(40), Some(Pause { until: 1010, ground: Ground::Unreachable }));
    }

    #[test]
    fn who_asks_to_be_left_alone_is_for_half_a_minute_at_most_and_needs_no_trial_then() {
        let mut reflex = Reflex::default();
        assert!(!reflex.put_off(0, 10));
        assert!(reflex.put_off(5, 10));
        assert!(!reflex.put_off(3, 20), "longer already");
        assert!(reflex.is_passed_over(5009));
        assert_eq!(reflex.pause(5010), None);
        assert!(reflex.put_off(1_000_000, 6000));
        assert_eq!(reflex.pause(6000).map(|pause| pause.until), Some(36_000));
    }
}
