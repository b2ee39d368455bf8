//! A timer that wakes the event loop to the microsecond; the loop's own timeout counts whole milliseconds.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::Failure;

/// A wait of nothing would switch the timer off.
const LEAST: Duration = Duration::from_micros(20);

/// Wakes the event loop under its token.
pub struct Alarm(TimerFd);

impl Alarm {
    pub fn new(poll: &Poll, token: Token) -> Result<Self, Failure> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Rings once at `when`, or soon where that has passed. Setting it anew also forgets that it rang, so it needs no read.
    pub fn set(&mut self, when: Instant, now: Instant) -> Result<(), Failure> {
        let wait = when.saturating_duration_since(now).max(LEAST);
        Ok(self.0.set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty())?)
    }
}
