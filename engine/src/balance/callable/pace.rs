//! Where a function is asked: on the engine's thread as long as each call is cheap, on a thread of its own otherwise.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a call may cost the engine's thread, all waiting included.
const LIMIT: Duration = Duration::from_micros(200);

/// So many cheap calls in a row on a thread of its own bring a function to the engine's.
pub const CHEAP: u32 = 8;

/// How long a function stays away after a dear call on the engine's thread: at first, and at most.
const FIRST_BAN: u64 = 1_000;
const LONGEST_BAN: u64 = 60_000;

/// The ban grows unless the function stayed so many times the last ban before it was dear again.
const STEADY: u64 = 10;

/// See the module. Times are milliseconds of the engine's clock.
///
/// A function starts on a thread of its own. One dear call on the engine's thread sends it away at once, for a second at first and twice as
/// long each time, up to a minute; the ban starts over at a second after the function has been on the engine's thread for ten times the last
/// one. When the ban is over, [`CHEAP`] cheap calls in a row bring it back.
#[derive(Debug, Default)]
pub struct Pace {
    inline: AtomicBool,
    cheap: AtomicU32,
    /// When it came to the engine's thread.
    since: AtomicU64,
    /// Until when it stays away.
    until: AtomicU64,
    ban: AtomicU64,
}

impl Pace {
    /// Whether to ask on the engine's thread.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.inline.load(Relaxed)
    }

    /// A call on the engine's thread took so long.
    pub fn took_inline(&self, took: Duration, now: u64) {
        // Of several threads that wait for one slow call, the first speaks for all.
        if took <= LIMIT || !self.inline.swap(false, Relaxed) {
            return;
        }
        let (last, stayed) = (self.ban.load(Relaxed), now.saturating_sub(self.since.load(Relaxed)));
        let ban = if last == 0 || stayed >= STEADY * last { FIRST_BAN } else { (2 * last).min(LONGEST_BAN) };
        self.ban.store(ban, Relaxed);
        self.until.store(now + ban, Relaxed);
        self.cheap.store(0, Relaxed);
    }

    /// A call on a thread of its own would have cost the engine's so much. One that did not have to wait for what the function needs shows
    /// only that it is dear, never that it is cheap.
    pub fn took_on_thread(&self, took: Duration, waited: bool, now: u64) {
        if took > LIMIT {
            self.cheap.store(0, Relaxed);
        } else if waited && now >= self.until.load(Relaxed) && self.cheap.fetch_add(1, Relaxed) + 1 >= CHEAP {
            self.cheap.store(0, Relaxed);
            self.since.store(now, Relaxed);
            self.inline.store(true, Relaxed);
        }
    }

    /// A call was not answered in time.
    pub fn was_late(&self) {
        self.cheap.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAR: Duration = Duration::from_millis(5);
    const QUICK: Duration = Duration::from_micros(3);

    fn inline(pace: &Pace, now: u64) -> bool {
        for _ in 0..CHEAP {
            assert!(!pace.is_inline());
            pace.took_on_thread(QUICK, true, now);
        }
        pace.is_inline()
    }

    #[test]
    fn a_function_comes_to_the_engine_s_thread_after_cheap_calls_in_a_row() {
        let pace = Pace::default();
        for _ in 1..CHEAP {
            pace.took_on_thread(QUICK, true, 0);
        }
        pace.took_on_thread(DEAR, true, 0);
        assert!(inline(&pace, 0));
        let late = Pace::default();
        for _ in 1..CHEAP {
            late.took_on_thread(QUICK, true, 0);
        }
        late.was_late();
        assert!(inline(&late, 0));
    }

    #[test]
    fn calls_that_never_waited_for_the_lock_are_no_proof() {
        let pace = Pace::default();
        for _ in 0..10 * CHEAP {
            pace.took_on_thread(QUICK, false, 0);
        }
        assert!(!pace.is_inline());
    }

    #[test]
    fn one_dear_call_sends_it_away_and_each_time_for_longer() {
        let pace = Pace::default();
        let mut now = 0;
        for ban in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            assert!(inline(&pace, now));
            pace.took_inline(QUICK, now);
            assert!(pace.is_inline());
            pace.took_inline(DEAR, now);
            assert!(!inline(&pace, now + ban - 1), "{ban}");
            now += ban;
        }
    }

    #[test]
    fn a_long_cheap_stay_is_remembered_in_its_favour() {
        let pace = Pace::default();
        for (now, stay, ban) in [(0, 0, 1_000), (1_000, 9_999, 2_000), (20_000, 20_000, 1_000)] {
            assert!(inline(&pace, now));
            pace.took_inline(DEAR, now + stay);
            assert_eq!(pace.until.load(Relaxed), now + stay + ban);
        }
    }

    #[test]
    fn threads_that_wait_for_the_same_slow_call_count_it_once() {
        let pace = Pace::default();
        assert!(inline(&pace, 0));
        pace.took_inline(DEAR, 0);
        pace.took_inline(DEAR, 0);
        assert_eq!(pace.ban.load(Relaxed), FIRST_BAN);
    }
}
