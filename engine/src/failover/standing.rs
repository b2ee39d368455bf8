//! How one endpoint stands: what control said of it, and what its own exchanges show. Everything that holds it back lapses by itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::events::Kind;
use super::reflex::{Ground, Pause, Reflex};
use super::rules::millis;
use super::serving::{EndpointView, Status};
use crate::record::Cause;
use crate::snapshot::EjectionSpec;

/// What control says of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stand {
    /// `null` leaves it as it is.
    #[serde(default)]
    pub status: Option<Status>,
    /// Seconds after which that lapses.
    #[serde(default, rename = "for")]
    pub lasts: Option<f64>,
    /// Instead of the declared weight; `null` is that.
    #[serde(default)]
    pub weight: Option<u32>,
}

/// One endpoint's standing; see [`Inner`].
#[derive(Debug)]
pub struct Standing {
    /// Nothing is known of it that a success could change.
    calm: AtomicBool,
    /// Its server has said `Connection: close` before.
    closes: AtomicBool,
    /// A sum of its counts when control last looked.
    observed: AtomicU64,
    inner: Mutex<Inner>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { calm: AtomicBool::new(false), closes: AtomicBool::new(false), observed: AtomicU64::new(0), inner: Mutex::default() }
    }
}

/// Times are milliseconds of the engine's clock.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any may go with any")]
pub struct Inner {
    status: Status,
    until: Option<u64>,
    /// Whether the engine made it suspect, not control.
    silent: bool,
    /// When the status last changed.
    since: u64,
    reflex: Reflex,
    /// Of the event that the latest pause began with.
    event: u64,
    /// When the latest pause began.
    paused_at: u64,
    /// Grows with every change of what is here.
    changes: u64,
    trial: bool,
    last: bool,
    /// It joined a pool that was there before.
    newcomer: bool,
    /// When it began to serve, where that was later than its pool.
    began: Option<u64>,
    /// Instead of the declared one.
    weight: Option<u32>,
}

/// What became of asking for the one exchange that tries an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It may be tried.
    Begun,
    /// Another exchange tries it.
    Taken,
    /// It needs none any more.
    Needless,
}

impl Standing {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it.
    pub fn read<R>(&self, read: impl FnOnce(&Inner) -> R) -> R {
        read(&self.lock())
    }

    /// Changes it.
    pub fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner);
        self.calm.store(inner.is_calm(), Ordering::Relaxed);
        result
    }

    /// Whether a success tells nothing new of it: one look for each answer.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Control looks; whether the sum of its counts is what it was.
    pub fn observed(&self, sum: u64) -> bool {
        self.observed.swap(sum, Ordering::Relaxed) == sum
    }

    /// Whether its server says for the first time that it closes a connection, and not only the first that it had.
    pub fn closes(&self, kept: bool) -> bool {
        !self.closes.load(Ordering::Relaxed) && !self.closes.swap(true, Ordering::Relaxed) && kept
    }

    /// It is another process now, whose habits are not known.
    pub fn forget(&self) {
        self.closes.store(false, Ordering::Relaxed);
    }
}

impl Inner {
    fn is_calm(&self) -> bool {
        self.status == Status::Healthy && self.until.is_none() && self.reflex.failures() == 0 && self.reflex.pause(0).is_none()
    }

    fn has_lapsed(&self, now: u64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether its next exchange is to prove that it serves.
    fn is_half_open(&self, now: u64) -> bool {
        let bad = matches!(self.status, Status::Down | Status::Ejected | Status::Suspect);
        let new = self.status == Status::Unknown && self.newcomer;
        let passed = self.reflex.pause(now).is_some_and(|pause| pause.until <= now);
        passed || new || (bad && self.has_lapsed(now))
    }

    /// Failures in a row, the cause of the last, and the pause that is.
    #[must_use]
    pub fn reflex(&self) -> &Reflex {
        &self.reflex
    }

    /// The status as it holds at this moment, and when it last changed.
    #[must_use]
    pub fn status(&self, now: u64) -> (Status, u64) {
        match (self.status, self.until.filter(|until| *until <= now)) {
            (Status::Draining | Status::Disabled, Some(until)) => (Status::Healthy, until),
            (status, _) => (status, self.since),
        }
    }

    /// Whether the engine made it suspect, for its silence.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// When the latest pause began.
    #[must_use]
    pub fn paused_at(&self) -> u64 {
        self.paused_at
    }

    /// When the status lapses.
    #[must_use]
    pub fn until(&self) -> Option<u64> {
        self.until
    }

    /// Whether an exchange runs that is its trial.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.trial
    }

    /// Whether one may begin.
    #[must_use]
    pub fn awaits_trial(&self, now: u64) -> bool {
        self.is_half_open(now)
    }

    /// Grows with every change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Instead of the declared weight.
    #[must_use]
    pub fn weight(&self) -> Option<u32> {
        self.weight
    }

    /// When it began to serve, where that was later than its pool.
    #[must_use]
    pub fn began(&self) -> Option<u64> {
        self.began
    }

    /// As the rule of who may serve sees it; `target` is whether it has an address.
    #[must_use]
    pub fn view(&self, tier: u8, weight: u32, target: bool, probed: bool, now: u64) -> EndpointView {
        let status = match self.status {
            _ if !target => Status::Unresolved,
            // Who came with the pool serves until something is known.
            Status::Unknown if !self.newcomer && !probed => Status::Healthy,
            status => status,
        };
        // What is disabled is out whatever else is known of it, also while all are down.
        let disabled = self.status == Status::Disabled && !self.has_lapsed(now);
        let pause = self.reflex.pause(now).filter(|_| !disabled);
        EndpointView {
            tier,
            weight,
            status,
            until: self.until,
            passed_until: pause.map(|pause| pause.until),
            fact: pause.is_some_and(|pause| pause.ground == Ground::Unreachable),
            trial: self.trial,
            last: self.last,
        }
    }

    /// It joins a pool that is there already.
    pub fn join(&mut self, now: u64) {
        (self.newcomer, self.since) = (true, now);
    }

    /// Whether it could serve when its pool last had somebody who could.
    pub fn note_last(&mut self, last: bool) {
        self.last = last;
    }

    /// The event that tells of the latest pause has this number.
    pub fn note_event(&mut self, number: u64, now: u64) {
        (self.event, self.paused_at) = (number, now);
        self.changes += 1;
    }

    /// Asks for the one exchange that tries it.
    pub fn begin_trial(&mut self, now: u64) -> Trial {
        if !self.is_half_open(now) {
            Trial::Needless
        } else if std::mem::replace(&mut self.trial, true) {
            Trial::Taken
        } else {
            Trial::Begun
        }
    }

    /// That exchange is over.
    pub fn end_trial(&mut self) {
        self.trial = false;
    }

    /// An answer began; `ok` unless it is a server's error, `proof` where its endpoint was picked though it was not known to serve. What is
    /// to be told, if anything.
    pub fn answered(&mut self, ok: bool, proof: bool, rules: &EjectionSpec, now: u64) -> Option<Kind> {
        let tried = self.trial || self.is_half_open(now);
        if !ok {
            let fails = proof && tried && !self.reflex.is_passed_over(now) && self.reflex.leave(Ground::Failures, rules, now);
            return fails.then_some(Kind::TrialFailed);
        }
        self.reflex.succeeded(now);
        self.lapse(now);
        let paused = self.reflex.pause(now).is_some();
        let heard = !paused && ((self.status == Status::Unknown && !self.newcomer) || (self.status == Status::Suspect && self.silent));
        let kept_out = matches!(self.status, Status::Draining | Status::Disabled) && !self.has_lapsed(now);
        if kept_out || !(proof || heard) || self.is_calm() {
            return None;
        }
        let first = self.status == Status::Unknown && !self.newcomer && !paused;
        self.recover(now);
        match (first, tried) {
            (true, _) => None,
            (_, true) => Some(Kind::TrialPassed),
            _ => Some(Kind::Recovered),
        }
    }

    /// What was said of it for a while that is over is forgotten.
    fn lapse(&mut self, now: u64) {
        if let (Status::Draining | Status::Disabled, Some(until)) = (self.status, self.until.filter(|until| *until <= now)) {
            self.set(Status::Healthy, until);
            self.until = None;
        }
    }

    /// It serves from now on; slowly at first, where it did not before.
    fn recover(&mut self, now: u64) {
        let ground = self.reflex.pause(now).map(|pause| pause.ground);
        let out = self.newcomer
            || matches!(self.status, Status::Down | Status::Ejected | Status::Draining | Status::Disabled)
            || matches!(ground, Some(Ground::Unreachable | Ground::Failures));
        if out {
            self.began = Some(now);
        }
        self.reflex.end(now);
        // The exchange that has shown it may go on for hours, and must not stand in the way of the next trial.
        (self.until, self.silent, self.newcomer, self.trial) = (None, false, false, false);
        self.set(Status::Healthy, now);
    }

    fn set(&mut self, status: Status, now: u64) {
        if self.status != status || status == Status::Healthy {
            self.since = now;
        }
        self.status = status;
        self.changes += 1;
    }

    /// An attempt failed. What is to be told, if it changes who serves.
    pub fn failed(&mut self, cause: Cause, rules: &EjectionSpec, now: u64) -> Option<Kind> {
        let tried = self.is_half_open(now);
        let out = self.reflex.failed(cause, tried, rules, now);
        out.then_some(if tried { Kind::TrialFailed } else { Kind::Reflex })
    }

    /// Its server said that it closes this connection, and never did before.
    pub fn closing(&mut self, rules: &EjectionSpec, now: u64) -> bool {
        self.status != Status::Disabled && self.reflex.leave(Ground::Closing, rules, now)
    }

    /// It asks to be left alone.
    pub fn put_off(&mut self, seconds: u64, now: u64) -> bool {
        self.reflex.put_off(seconds, now)
    }

    /// It is silent while others answer; whether this is new.
    pub fn suspect(&mut self, rules: &EjectionSpec, now: u64) -> bool {
        let fresh = matches!(self.status, Status::Healthy | Status::Unknown) || (self.status == Status::Suspect && self.silent);
        if !fresh || self.reflex.is_passed_over(now) || (self.status == Status::Suspect && !self.has_lapsed(now)) {
            return false;
        }
        self.until = Some(now + self.reflex.next(rules, now));
        self.silent = true;
        self.set(Status::Suspect, now);
        true
    }

    /// Control says how it stands, and had seen events up to `seen`: what the engine found out since then is not undone.
    pub fn stand(&mut self, stand: &Stand, seen: u64, now: u64) {
        self.weight = stand.weight;
        let Some(status) = stand.status.filter(|status| *status != Status::Unresolved) else { return };
        let until = stand.lasts.map(|seconds| now.saturating_add(millis(seconds)));
        let spares = matches!(status, Status::Healthy | Status::Unknown | Status::Suspect);
        let clears = spares && self.event <= seen;
        if spares && !clears && self.silent {
            // It lapses by itself, or ends with the next answer.
            return;
        }
        let since = self.since;
        let same = self.status == status;
        if status == Status::Healthy && clears {
            if !same || self.reflex.pause(now).is_some() {
                self.recover(now);
            }
        } else {
            if clears {
                self.reflex.end(now);
            }
            self.set(status, now);
        }
        if same {
            self.since = since;
        }
        (self.until, self.silent) = (until.filter(|_| status != Status::Healthy), false);
        if status == Status::Healthy {
            self.newcomer = false;
        }
    }
}

/// What holds a pause's endpoint back, in the word of an event.
#[must_use]
pub fn ground_of(pause: Option<Pause>, cause: Option<Cause>) -> &'static str {
    match pause.map(|pause| pause.ground) {
        Some(Ground::Closing) => "connection_close",
        Some(Ground::RetryAfter) => "retry_after",
        _ => cause.map_or("server_error", Cause::name),
    }
}
