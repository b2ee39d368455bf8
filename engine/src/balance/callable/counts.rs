//! What is counted of a function, and the same as plain values.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::{Breaker, Caller, Pace, Verdict};
use crate::record::{Histogram, HistogramSnapshot};

#[derive(Debug, Default)]
pub(super) struct Counts {
    inline: AtomicU64,
    thread: AtomicU64,
    late: AtomicU64,
    raised: AtomicU64,
    nonsense: AtomicU64,
    declined: AtomicU64,
    /// Picks that the native policy made instead.
    native: AtomicU64,
    cost: Histogram,
}

impl Counts {
    pub(super) fn refused(&self) {
        self.native.fetch_add(1, Relaxed);
    }

    pub(super) fn lost(&self) {
        self.native.fetch_add(1, Relaxed);
    }

    pub(super) fn inline(&self, took: Duration) {
        self.inline.fetch_add(1, Relaxed);
        self.cost.record(took);
    }

    pub(super) fn thread(&self) {
        self.thread.fetch_add(1, Relaxed);
    }

    pub(super) fn cost(&self, took: Duration) {
        self.cost.record(took);
    }

    pub(super) fn settled(&self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Chosen(_) => return,
            Verdict::Late => &self.late,
            Verdict::Raised => &self.raised,
            Verdict::Nonsense => &self.nonsense,
            Verdict::Declined => &self.declined,
        };
        count.fetch_add(1, Relaxed);
        self.native.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, caller: &Caller, pace: &Pace, breaker: &Breaker, now: u64) -> CallableStatistics {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let (inline, thread) = (count(&self.inline), count(&self.thread));
        CallableStatistics {
            name: caller.name.to_string(),
            budget: caller.budget.as_secs_f64(),
            runs: if pace.is_inline() { "inline" } else { "thread" },
            calls: inline + thread,
            inline,
            thread,
            late: count(&self.late),
            raised: count(&self.raised),
            nonsense: count(&self.nonsense),
            declined: count(&self.declined),
            native: count(&self.native),
            opened: breaker.opened(),
            paused: breaker.left(now).map(|left| left as f64 / 1000.0),
            cost: self.cost.snapshot(),
        }
    }
}

/// A pool's function at one moment.
#[derive(Debug, PartialEq, Serialize)]
pub struct CallableStatistics {
    /// `module:name`, or `local:N`.
    pub name: String,
    /// Seconds that an answer is awaited.
    pub budget: f64,
    /// Where the next call is made: `inline`, on the engine's thread, or `thread`.
    pub runs: &'static str,
    /// Calls made.
    pub calls: u64,
    /// Those on the engine's threads.
    pub inline: u64,
    /// Those on a thread of its own.
    pub thread: u64,
    /// Calls not answered in time.
    pub late: u64,
    /// Calls that failed by the function's fault.
    pub raised: u64,
    /// Answers that were no endpoint of those offered.
    pub nonsense: u64,
    /// Calls that left the choice to the native policy.
    pub declined: u64,
    /// Picks that the native policy made in the function's place, for whatever reason.
    pub native: u64,
    /// How often the breaker opened.
    pub opened: u64,
    /// Seconds until the function is asked again, while the breaker is open.
    pub paused: Option<f64>,
    /// What calls cost, in seconds, the wait for the interpreter included.
    pub cost: HistogramSnapshot,
}
