//! A pool: its endpoints, how one of them is picked, and what all its exchanges share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::balance::affinity::Affinity;
use crate::balance::callable::Caller;
use crate::balance::columns::{Columns, Moment};
use crate::balance::expression::Metrics;
use crate::balance::policy::Policy;
use crate::balance::program::BLOCK;
use crate::balance::queue::Queue;
use crate::balance::signals::Signals;
use crate::balance::slot::Shelf;
use crate::endpoint::Endpoint;
use crate::failover::budget::Effort;
use crate::failover::learned::Learned;
use crate::failover::reflex::PAUSE;
use crate::message::RequestHead;
use crate::record::{Cause, Histogram, StatusCounters};
use crate::snapshot::{HostSpec, PoolSpec};

mod affinity;
mod lease;
mod offer;
mod pick;
#[cfg(test)]
mod tests;

pub use lease::Lease;
pub use offer::Offer;
pub use pick::Ask;

/// What is counted of a pool, for as long as its name lives.
pub struct PoolState {
    /// Picks made so far, over all threads: the turn of the next.
    pub turn: AtomicU64,
    /// Exchanges begun.
    pub requests: AtomicU64,
    /// Attempts made.
    pub attempts: AtomicU64,
    /// Attempts beyond the first of their exchange.
    pub retries: AtomicU64,
    /// Answers by class.
    pub responses: StatusCounters,
    /// From request head to response head, attempts and waiting included.
    pub latency: Histogram,
    /// What it does beyond each request's first attempt.
    pub effort: Effort,
    /// How long answers take, over all routes; learned where it hedges.
    pub learned: Learned,
    /// Where requests wait for an endpoint.
    pub queue: Arc<Queue<Lease>>,
    /// Where the endpoints' columns are.
    shelf: Arc<Shelf>,
    /// What is learned of the endpoints, and written to their columns.
    signals: Signals,
    /// Until when some endpoint may be passed over: nobody looks before one failed.
    troubled: AtomicU64,
}

impl PoolState {
    fn new(threads: usize) -> Self {
        Self {
            turn: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            responses: StatusCounters::default(),
            latency: Histogram::default(),
            effort: Effort::default(),
            learned: Learned::default(),
            queue: Arc::default(),
            shelf: Arc::default(),
            signals: Signals::new(threads),
            troubled: AtomicU64::new(0),
        }
    }

    /// An endpoint failed: picks look for a while who is passed over.
    fn trouble(&self, now: u64) {
        self.troubled.fetch_max(now + PAUSE.as_millis() as u64, Ordering::Relaxed);
    }

    fn is_troubled(&self, now: impl Fn() -> u64) -> bool {
        let until = self.troubled.load(Ordering::Relaxed);
        until != 0 && until >= now()
    }
}

/// A pool as one snapshot has it.
pub struct Pool {
    /// Its name.
    pub name: Arc<str>,
    /// As declared.
    pub spec: PoolSpec,
    /// In the order declared.
    pub endpoints: Box<[Arc<Endpoint>]>,
    /// What it shares with the snapshots before.
    pub state: Arc<PoolState>,
    policy: Policy,
    affinity: Option<Affinity>,
    /// The function that is asked before the policy.
    caller: Option<Caller>,
    columns: Columns,
    /// By index, slow start counted in; empty where all are 1, which a score need not read.
    weights: Box<[f64]>,
    /// Those with an address and a weight: a bit each, 64 to a word.
    usable: Box<[u64]>,
    /// Exchanges that one endpoint takes at once.
    cap: u32,
}

/// Why nothing was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpicked {
    /// Nobody has a weight, or there is nobody.
    Empty,
    /// Nobody has an address yet.
    Unresolved,
    /// Everybody who could serve is at its cap.
    Full,
    /// Everybody who could serve has been tried.
    Tried,
}

impl Unpicked {
    /// The cause that the client is told.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::Unresolved => Cause::PoolUnresolved,
            Self::Full => Cause::QueueFull,
            Self::Empty | Self::Tried => Cause::PoolEmpty,
        }
    }
}

impl Pool {
    /// Builds it for a new snapshot, taking over what the pool of this name had in the last one. `now` is seconds of the engine's clock.
    ///
    /// # Errors
    ///
    /// Which endpoint makes no sense, and why.
    pub fn build(name: &str, spec: PoolSpec, previous: Option<&Self>, threads: usize, now: f64) -> Result<Self, String> {
        let state = previous.map_or_else(|| Arc::new(PoolState::new(threads)), |pool| Arc::clone(&pool.state));
        let known: HashMap<&str, &Endpoint> =
            previous.into_iter().flat_map(|pool| pool.endpoints.iter()).map(|endpoint| (&*endpoint.id, &**endpoint)).collect();
        let endpoints = spec
            .endpoints
            .iter()
            .map(|endpoint| Endpoint::build(endpoint, known.get(endpoint.id.as_str()).copied(), threads, &state.shelf).map(Arc::new))
            .collect::<Result<Box<[_]>, _>>()
            .map_err(|reason| format!("pool {name}: {reason}"))?;
        let weights: Box<[f64]> = endpoints.iter().map(|endpoint| f64::from(endpoint.weight)).collect();
        let members: Vec<(&str, f64)> = endpoints.iter().zip(&weights).map(|(endpoint, weight)| (&*endpoint.id, *weight)).collect();
        let alike = endpoints.iter().all(|endpoint| endpoint.weight == 1);
        let mut metrics = Metrics::default();
        let policy = Policy::new(&spec.policy, &members, spec.seed, &mut metrics).map_err(|reason| format!("pool {name}: {reason}"))?;
        let slots = endpoints.iter().map(|endpoint| Arc::clone(&endpoint.state.slot)).collect();
        let columns = Columns::new(slots, &metrics, previous.map(|pool| &pool.columns));
        let fresh: Vec<_> =
            endpoints.iter().filter(|each| !known.contains_key(&*each.id)).map(|each| Arc::clone(&each.state.slot)).collect();
        if !fresh.is_empty() {
            state.signals.joined(&columns, &fresh, now);
        }
        let ids = endpoints.iter().map(|endpoint| &*endpoint.id);
        let affinity = spec.affinity.as_ref().and_then(|affinity| Affinity::new(affinity, name, ids));
        let usable = endpoints.chunks(BLOCK).map(usable).collect();
        // An HTTP/1 exchange has a connection to itself, so a cap on connections is one on exchanges too.
        let cap = spec.max_inflight.unwrap_or(u32::MAX).min(spec.max_connections.unwrap_or(u32::MAX));
        Ok(Self {
            name: name.into(),
            spec,
            endpoints,
            state,
            policy,
            affinity,
            caller: None,
            columns,
            weights: if alike { Box::default() } else { weights },
            usable,
            cap,
        })
    }

    /// An answer began, `latency` seconds after its pick; it is `ok` unless it is a 5xx. `thread` is the caller's number, `now` reads the
    /// engine's clock in milliseconds.
    pub fn answered(&self, lease: &Lease, thread: usize, latency: f64, ok: bool, now: impl Fn() -> u64) {
        let state = &lease.endpoint().state;
        if state.reflex.success(&now) {
            // It is not the server that failed any more: what was learned of that one says nothing.
            self.state.signals.joined(&self.columns, std::slice::from_ref(&state.slot), now() as f64 / 1000.0);
        }
        self.state.signals.answered(thread, &state.slot, latency, lease.inflight(), ok);
    }

    /// An attempt failed by its endpoint's fault. `thread` is the caller's number.
    pub fn failed(&self, endpoint: &Endpoint, thread: usize, cause: Cause, now: u64) {
        self.state.signals.failed(thread, &endpoint.state.slot);
        endpoint.state.failures.fetch_add(1, Ordering::Relaxed);
        endpoint.state.reflex.failure(cause, now);
        self.state.trouble(now);
    }

    /// An attempt was given up after `latency` seconds because another was quicker: it would have taken longer still. `thread` is the
    /// caller's number.
    pub fn outrun(&self, lease: &Lease, thread: usize, latency: f64) {
        self.state.signals.answered(thread, &lease.endpoint().state.slot, latency, lease.inflight(), true);
    }

    /// An endpoint is silent while its peers answer.
    pub fn suspect(&self, endpoint: &Endpoint, now: u64) {
        let _ = (endpoint, now);
    }

    /// An attempt was not made because the bucket was empty.
    pub fn out_of_budget(&self, now: u64) {
        let _ = now;
    }

    /// A server said how busy it is (0 to 1), and whatever else, at this second of the engine's clock.
    pub fn reported(&self, endpoint: &Endpoint, now: f64, load: f64, metrics: &[(&str, f64)]) {
        self.state.signals.report(&self.columns, &endpoint.state.slot, now, load, metrics);
    }

    /// Writes what was learned to the columns that policies read, if it is time to; `now` is seconds of the engine's clock.
    pub fn refresh(&self, now: f64) {
        self.state.signals.refresh(&self.columns, now);
    }

    /// What a policy would read at this second, as columns.
    #[must_use]
    pub fn moment(&self, now: f64) -> Moment<'_> {
        Moment { columns: &self.columns, weights: &self.weights, now }
    }

    /// The hash of the key by which the policy picks for this request, where it has one. `ip` is the client's address as text.
    #[must_use]
    pub fn key(&self, head: &RequestHead, ip: impl FnOnce() -> String) -> Option<u64> {
        let key = self.spec.policy.key()?;
        key.of(head, ip, self.spec.seed)
    }

    /// How long opening a connection may take.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.spec.connect_timeout
    }

    /// The `Host` that an endpoint receives; `client` is what the client sent.
    #[must_use]
    pub fn host<'a>(&'a self, endpoint: &'a Endpoint, client: &'a [u8]) -> &'a [u8] {
        match &self.spec.host {
            HostSpec::Client if !client.is_empty() => client,
            HostSpec::Fixed(name) => name.as_bytes(),
            HostSpec::Client | HostSpec::Endpoint if endpoint.address.starts_with("unix:") => b"localhost",
            HostSpec::Client | HostSpec::Endpoint => endpoint.address.as_bytes(),
        }
    }
}

fn usable(endpoints: &[Arc<Endpoint>]) -> u64 {
    (0..)
        .zip(endpoints)
        .filter(|(_, endpoint)| endpoint.target.is_some() && endpoint.weight > 0)
        .fold(0, |mask, (lane, _)| mask | 1_u64 << lane)
}
