//! A pool: its endpoints, how one of them is picked, and what all its exchanges share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::balance::affinity::Affinity;
use crate::balance::callable::Caller;
use crate::balance::columns::{Columns, Moment};
use crate::balance::expression::Metrics;
use crate::balance::policy::Policy;
use crate::balance::queue::Queue;
use crate::balance::signals::Signals;
use crate::balance::slot::Shelf;
use crate::endpoint::Endpoint;
use crate::failover::budget::Effort;
use crate::failover::events::Events;
use crate::failover::learned::Learned;
use crate::failover::rules::millis;
use crate::failover::serving::PoolRules;
use crate::message::RequestHead;
use crate::record::{Cause, Histogram, StatusCounters};
use crate::snapshot::{HostSpec, PoolSpec};

mod affinity;
mod lease;
mod masks;
mod offer;
mod pick;
mod standing;
#[cfg(test)]
mod standing_tests;
#[cfg(test)]
mod tests;

pub use lease::Lease;
pub use offer::Offer;
pub use pick::Ask;

use masks::{Masks, Watch};

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
    /// When control last looked at its endpoints, in milliseconds of the engine's clock.
    pub looked_at: AtomicU64,
    /// Where the endpoints' columns are.
    shelf: Arc<Shelf>,
    /// What is learned of the endpoints, and written to their columns.
    signals: Signals,
    /// Who served, and who hears of changes to that.
    watch: Watch,
    /// Where control is told what happens; nobody is, outside of an engine.
    events: OnceLock<Arc<Events>>,
    /// No endpoint is passed over any more, nor judged, until control says otherwise.
    held: AtomicBool,
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
            looked_at: AtomicU64::new(0),
            shelf: Arc::default(),
            signals: Signals::new(threads),
            watch: Watch::default(),
            events: OnceLock::new(),
            held: AtomicBool::new(false),
        }
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
    rules: PoolRules,
    /// Who may serve at present.
    masks: Masks,
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
    /// Nobody is known to be able to serve, and the pool says what happens then.
    Down,
}

impl Unpicked {
    /// The cause that the client is told.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::Unresolved => Cause::PoolUnresolved,
            Self::Full => Cause::QueueFull,
            Self::Empty | Self::Tried => Cause::PoolEmpty,
            Self::Down => Cause::PoolDown,
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
        if previous.is_some() {
            for endpoint in endpoints.iter().filter(|each| !known.contains_key(&*each.id)) {
                endpoint.state.standing.change(|inner| inner.join(millis(now)));
            }
        }
        let (rules, masks) = (Self::rules(&spec), state.watch.masks(endpoints.len()));
        let ids = endpoints.iter().map(|endpoint| &*endpoint.id);
        let affinity = spec.affinity.as_ref().and_then(|affinity| Affinity::new(affinity, name, ids));
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
            rules,
            masks,
            cap,
        })
    }

    /// An attempt was given up after `latency` seconds because another was quicker: it would have taken longer still. `thread` is the
    /// caller's number.
    pub fn outrun(&self, lease: &Lease, thread: usize, latency: f64) {
        self.state.signals.answered(thread, &lease.endpoint().state.slot, latency, lease.inflight(), true);
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
