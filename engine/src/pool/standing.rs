//! What a pool learns of its endpoints' standing: from their answers and failures, and from control.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Lease, Pool};
use crate::endpoint::Endpoint;
use crate::failover::events::Kind;
use crate::failover::standing::{Inner, Stand, ground_of};
use crate::record::Cause;

impl Pool {
    /// An answer began, `latency` seconds after its pick; it is `ok` unless it is a 5xx. `thread` is the caller's number, `now` reads the
    /// engine's clock in milliseconds.
    pub fn answered(&self, lease: &Lease, thread: usize, latency: f64, ok: bool, now: impl Fn() -> u64) {
        let state = &lease.endpoint().state;
        if !state.standing.is_calm() {
            self.prove(lease, ok, now());
        }
        self.state.signals.answered(thread, &state.slot, latency, lease.inflight(), ok);
    }

    fn prove(&self, lease: &Lease, ok: bool, now: u64) {
        let (endpoint, probed) = (lease.endpoint(), self.spec.probed);
        let (target, tier, weight) = (endpoint.target.is_some(), endpoint.tier, endpoint.weight);
        let standing = &endpoint.state.standing;
        let (before, after, kind) = standing.change(|inner| {
            let before = inner.view(tier, weight, target, probed, now);
            let kind = inner.answered(ok, lease.proof, &self.spec.ejection, now);
            let after = inner.view(tier, weight, target, probed, now);
            (before, after, kind)
        });
        if before == after && kind.is_none() {
            return;
        }
        match kind {
            Some(Kind::TrialFailed) => self.pass_over(endpoint, Kind::TrialFailed, now),
            Some(kind) => {
                // It is not the server that failed any more: what was learned of that one says nothing.
                self.state.signals.joined(&self.columns, std::slice::from_ref(&endpoint.state.slot), now as f64 / 1000.0);
                if before.fact {
                    standing.forget();
                }
                self.tell(Some(endpoint), kind, None, now);
            }
            None => {}
        }
        self.state.watch.stir();
    }

    /// An attempt failed by its endpoint's fault. `thread` is the caller's number.
    pub fn failed(&self, endpoint: &Endpoint, thread: usize, cause: Cause, now: u64) {
        self.state.signals.failed(thread, &endpoint.state.slot);
        endpoint.state.failures.fetch_add(1, Ordering::Relaxed);
        if self.is_held() {
            return;
        }
        if let Some(kind) = endpoint.state.standing.change(|inner| inner.failed(cause, &self.spec.ejection, now)) {
            self.pass_over(endpoint, kind, now);
            self.state.watch.stir();
        }
    }

    fn pass_over(&self, endpoint: &Endpoint, kind: Kind, now: u64) {
        let why = endpoint.state.standing.read(|inner| ground_of(inner.reflex().pause(now), inner.reflex().cause()));
        let number = self.tell(Some(endpoint), kind, Some(why), now);
        endpoint.state.standing.change(|inner| inner.note_event(number, now));
    }

    /// An endpoint is silent for unusually long while others answer: no new picks, while others serve.
    pub fn suspect(&self, endpoint: &Endpoint, now: u64) {
        if !self.is_held() && endpoint.state.standing.change(|inner| inner.suspect(&self.spec.ejection, now)) {
            let number = self.tell(Some(endpoint), Kind::Reflex, Some("slow"), now);
            endpoint.state.standing.change(|inner| inner.note_event(number, now));
            self.state.watch.stir();
        }
    }

    /// A server said `Connection: close` in an answer, on a connection that was `kept` from an earlier one. Where it never did that before
    /// it is taken to be going away.
    pub fn closing(&self, endpoint: &Endpoint, kept: bool, now: impl FnOnce() -> u64) {
        if !endpoint.state.standing.closes(kept) || self.is_held() {
            return;
        }
        let now = now();
        if endpoint.state.standing.change(|inner| inner.closing(&self.spec.ejection, now)) {
            self.pass_over(endpoint, Kind::Draining, now);
            self.state.watch.stir();
        }
    }

    /// A server answered 503 or 429 and asks to be left alone for so many seconds: it is for half a minute at most, while others serve.
    pub fn put_off(&self, endpoint: &Endpoint, seconds: u64, now: u64) {
        if !self.is_held() && endpoint.state.standing.change(|inner| inner.put_off(seconds, now)) {
            self.pass_over(endpoint, Kind::Draining, now);
            self.state.watch.stir();
        }
    }

    /// An attempt was not made because the bucket of repetitions was empty.
    pub fn out_of_budget(&self, now: u64) {
        self.tell(None, Kind::RetryBudget, None, now);
    }

    /// Control says how an endpoint stands, having seen events up to `seen`. Whether its weight changes by that, which takes a new snapshot.
    pub fn stand(&self, id: &str, stand: &Stand, seen: u64, now: u64) -> bool {
        let Some(endpoint) = self.endpoints.iter().find(|endpoint| *endpoint.id == *id) else { return false };
        let (weight, paused) = endpoint.state.standing.change(|inner| {
            let before = (inner.weight(), inner.began());
            inner.stand(stand, seen, now);
            (before.0 != inner.weight(), before.1 != inner.began())
        });
        if paused {
            self.state.signals.joined(&self.columns, std::slice::from_ref(&endpoint.state.slot), now as f64 / 1000.0);
        }
        self.state.watch.stir();
        weight
    }

    /// Whether endpoints are neither passed over nor judged at present.
    pub fn hold_still(&self, held: bool) {
        self.state.held.store(held, Ordering::Relaxed);
    }

    fn is_held(&self) -> bool {
        self.state.held.load(Ordering::Relaxed)
    }

    fn tell(&self, endpoint: Option<&Endpoint>, kind: Kind, cause: Option<&'static str>, now: u64) -> u64 {
        let events = self.state.events.get();
        events.map_or(0, |events| events.tell(&self.name, endpoint.map(|endpoint| &endpoint.id), kind, cause, now))
    }

    /// Tells control of what happens from now on.
    pub fn report_to(&self, events: &Arc<crate::failover::events::Events>) {
        self.state.events.get_or_init(|| Arc::clone(events));
    }

    /// The endpoint that has just been picked is to be tried by this exchange, where it needs that. Whether it is, or needs none.
    pub(super) fn begin_trial(&self, lease: &mut Lease, now: u64) -> bool {
        use crate::failover::standing::Trial;
        let endpoint = Arc::clone(lease.endpoint());
        match endpoint.state.standing.change(|inner| inner.begin_trial(now)) {
            Trial::Taken => return false,
            Trial::Needless => {}
            Trial::Begun => {
                (lease.proof, lease.trial) = (true, true);
                self.tell(Some(&endpoint), Kind::TrialStarted, None, now);
                self.state.watch.stir();
            }
        }
        true
    }

    /// The exchange that tried an endpoint is over.
    pub(super) fn end_trial(&self, endpoint: &Endpoint) {
        endpoint.state.standing.change(Inner::end_trial);
        self.state.watch.stir();
    }
}
