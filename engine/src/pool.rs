//! A pool: its endpoints, how one of them is picked, and what all its exchanges share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::balance::policy::Policy;
use crate::balance::queue::Queue;
use crate::endpoint::Endpoint;
use crate::record::{Cause, Histogram, StatusCounters};
use crate::snapshot::{HostSpec, PoolSpec};

/// What is counted of a pool, for as long as its name lives.
#[derive(Default)]
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
    /// Where requests wait for an endpoint.
    pub queue: Arc<Queue<Lease>>,
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
    /// Builds it for a new snapshot, taking over what the pool of this name had in the last one.
    ///
    /// # Errors
    ///
    /// Which endpoint makes no sense, and why.
    pub fn build(name: &str, spec: PoolSpec, previous: Option<&Self>, threads: usize) -> Result<Self, String> {
        let known: HashMap<&str, &Endpoint> =
            previous.into_iter().flat_map(|pool| pool.endpoints.iter()).map(|endpoint| (&*endpoint.id, &**endpoint)).collect();
        let endpoints = spec
            .endpoints
            .iter()
            .map(|endpoint| Endpoint::build(endpoint, known.get(endpoint.id.as_str()).copied(), threads).map(Arc::new))
            .collect::<Result<Box<[_]>, _>>()
            .map_err(|reason| format!("pool {name}: {reason}"))?;
        let weights: Vec<u32> = endpoints.iter().map(|endpoint| endpoint.weight).collect();
        let policy = Policy::new(spec.policy, &weights);
        // An HTTP/1 exchange has a connection to itself, so a cap on connections is one on exchanges too.
        let cap = spec.max_inflight.unwrap_or(u32::MAX).min(spec.max_connections.unwrap_or(u32::MAX));
        let state = previous.map_or_else(Arc::default, |pool| Arc::clone(&pool.state));
        Ok(Self { name: name.into(), spec, endpoints, state, policy, cap })
    }

    /// Picks an endpoint that is not among `tried` and takes an exchange on for it; `now` reads the engine's clock.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn pick(self: &Arc<Self>, tried: &[Arc<str>], now: impl Fn() -> u64 + Copy) -> Result<Lease, Unpicked> {
        let turn = self.state.turn.fetch_add(1, Ordering::Relaxed);
        let usable = |index: usize| {
            self.endpoints.get(index).is_some_and(|endpoint| {
                endpoint.target.is_some() && endpoint.weight > 0 && (tried.is_empty() || !tried.iter().any(|id| **id == *endpoint.id))
            })
        };
        let passes = |index: usize| self.endpoints.get(index).is_some_and(|endpoint| !endpoint.state.reflex.is_passed_over(now));
        match self.lease(turn, |index| usable(index) && passes(index)) {
            Ok(lease) => Ok(lease),
            // A full endpoint that works is worth waiting for; a failing one is not worth trying before it.
            Err(true) => Err(Unpicked::Full),
            // All are passed over: try them all the same.
            Err(false) => self.lease(turn, usable).map_err(|full| if full { Unpicked::Full } else { self.unpicked(tried) }),
        }
    }

    /// The policy's choice among those eligible that have room. The error says whether any was eligible.
    fn lease(self: &Arc<Self>, turn: u64, eligible: impl Fn(usize) -> bool) -> Result<Lease, bool> {
        let has_room = |index: usize| {
            self.cap == u32::MAX
                || self.endpoints.get(index).is_some_and(|endpoint| endpoint.state.inflight.load(Ordering::SeqCst) < self.cap)
        };
        // Another thread may take the last place first: look again, as often as there are endpoints to lose.
        for _ in 0..=self.endpoints.len() {
            let picked = self.policy.pick(self.spec.seed, turn, |index| eligible(index) && has_room(index));
            let Some((index, passed)) = picked else { break };
            if let Some(endpoint) = self.endpoints.get(index)
                && endpoint.try_begin(self.cap)
            {
                if passed > 0 {
                    self.state.turn.fetch_add(passed, Ordering::Relaxed);
                }
                return Ok(Lease { pool: Some(Arc::clone(self)), endpoint: Arc::clone(endpoint) });
            }
        }
        Err((0..self.endpoints.len()).any(eligible))
    }

    fn unpicked(&self, tried: &[Arc<str>]) -> Unpicked {
        let mut weighted = self.endpoints.iter().filter(|endpoint| endpoint.weight > 0).peekable();
        if weighted.peek().is_none() {
            Unpicked::Empty
        } else if weighted.all(|endpoint| endpoint.target.is_none()) {
            Unpicked::Unresolved
        } else if tried.is_empty() {
            Unpicked::Empty
        } else {
            Unpicked::Tried
        }
    }

    /// Takes over a lease that was handed over, perhaps from the pool of an earlier snapshot. What this pool would not have given is
    /// given back: its endpoint is gone, is passed over, or has a lower cap now.
    #[must_use]
    pub fn adopt(self: &Arc<Self>, mut lease: Lease, now: impl FnOnce() -> u64) -> Option<Lease> {
        if !lease.pool.as_ref().is_some_and(|pool| Arc::ptr_eq(pool, self)) {
            let same = |endpoint: &&Arc<Endpoint>| Arc::ptr_eq(&endpoint.state, &lease.endpoint.state);
            let Some(endpoint) = self.endpoints.iter().find(same).map(Arc::clone) else {
                lease.give_back();
                return None;
            };
            lease.endpoint = endpoint;
            lease.pool = Some(Arc::clone(self));
        }
        let Endpoint { target, weight, state, .. } = &**lease.endpoint();
        if target.is_some() && *weight > 0 && state.inflight.load(Ordering::SeqCst) <= self.cap && !state.reflex.is_passed_over(now) {
            return Some(lease);
        }
        lease.give_back();
        None
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

/// One exchange's hold on an endpoint; given back when dropped, to whoever waits for it.
pub struct Lease {
    /// `None` once given back.
    pool: Option<Arc<Pool>>,
    endpoint: Arc<Endpoint>,
}

impl Lease {
    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Gives the place back without calling anybody up for it.
    fn give_back(mut self) {
        if self.pool.take().is_some() {
            self.endpoint.state.inflight.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let (endpoint, cap) = (&self.endpoint, pool.cap);
        let inflight = &endpoint.state.inflight;
        let queue = Arc::clone(&pool.state.queue);
        let again = || Self { pool: Some(pool), endpoint: Arc::clone(endpoint) };
        if cap != u32::MAX && queue.waiting() > 0 && inflight.load(Ordering::SeqCst) <= cap {
            queue.hand_over(&endpoint.id, |wanted| {
                if !wanted {
                    inflight.fetch_sub(1, Ordering::SeqCst);
                }
                wanted.then(again)
            });
            return;
        }
        inflight.fetch_sub(1, Ordering::SeqCst);
        // Who joined meanwhile may have seen no room just before, and hears of this place from nobody else.
        if cap != u32::MAX && queue.waiting() > 0 {
            queue.hand_over(&endpoint.id, |wanted| (wanted && endpoint.try_begin(cap)).then(again));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::reflex::PAUSE;
    use crate::snapshot::{EndpointSpec, PolicySpec, QueueSpec, RetrySpec};

    pub(crate) fn spec(endpoints: &[(&str, u32)], cap: Option<u32>) -> PoolSpec {
        PoolSpec {
            policy: PolicySpec::WeightedRoundRobin,
            seed: 1,
            endpoints: endpoints
                .iter()
                .map(|(address, weight)| EndpointSpec {
                    id: (*address).into(),
                    address: (*address).into(),
                    target: (!address.contains("example")).then(|| (*address).into()),
                    weight: *weight,
                })
                .collect(),
            host: HostSpec::Client,
            connect_timeout: Duration::from_secs(1),
            max_connections: None,
            max_inflight: cap,
            queue: QueueSpec { size: 10, timeout: Duration::from_secs(1) },
            retry: RetrySpec { attempts: 3, replay_buffer: 65_536 },
        }
    }

    fn pool(endpoints: &[(&str, u32)], cap: Option<u32>) -> Arc<Pool> {
        Arc::new(Pool::build("app", spec(endpoints, cap), None, 1).unwrap())
    }

    const THREE: [(&str, u32); 3] = [("127.0.0.1:1", 1), ("127.0.0.1:2", 1), ("127.0.0.1:3", 1)];

    #[test]
    fn an_endpoint_tried_is_not_picked_again() {
        let pool = pool(&THREE, None);
        let mut tried = Vec::new();
        for _ in 0..3 {
            let lease = pool.pick(&tried, || 0).ok().unwrap();
            assert!(!tried.contains(&lease.endpoint().id));
            tried.push(Arc::clone(&lease.endpoint().id));
        }
        assert_eq!(pool.pick(&tried, || 0).err(), Some(Unpicked::Tried));
    }

    #[test]
    fn a_failing_endpoint_is_passed_over_while_another_serves() {
        let pool = pool(&THREE, None);
        for endpoint in &pool.endpoints[..2] {
            for _ in 0..3 {
                endpoint.state.reflex.failure(Cause::ConnectRefused, 0);
            }
        }
        for _ in 0..6 {
            assert_eq!(&*pool.pick(&[], || 10).ok().unwrap().endpoint().id, "127.0.0.1:3");
        }
        let tried = [Arc::clone(&pool.endpoints[2].id)];
        assert!(pool.pick(&tried, || 10).is_ok(), "rather a failing one than none");
        let later = PAUSE.as_millis() as u64;
        let ids: std::collections::HashSet<_> = (0..3).map(|_| Arc::clone(&pool.pick(&[], || later).ok().unwrap().endpoint().id)).collect();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_lease_counts_while_it_is_held() {
        let pool = pool(&THREE[..1], Some(2));
        let first = pool.pick(&[], || 0).ok().unwrap();
        let second = pool.pick(&[], || 0).ok().unwrap();
        assert_eq!(pool.pick(&[], || 0).err(), Some(Unpicked::Full));
        drop(first);
        assert!(pool.pick(&[], || 0).is_ok());
        drop(second);
        assert_eq!(pool.endpoints[0].state.inflight.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_free_place_goes_to_the_first_who_waits() {
        let pool = pool(&THREE[..1], Some(1));
        let held = pool.pick(&[], || 0).ok().unwrap();
        let first = pool.state.queue.join(10, false, &[]).unwrap();
        let second = pool.state.queue.join(10, false, &[]).unwrap();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(first.poll(&mut cx).is_pending());
        drop(held);
        assert_eq!(pool.pick(&[], || 0).err(), Some(Unpicked::Full), "nobody overtakes");
        assert!(second.poll(&mut cx).is_pending());
        let std::task::Poll::Ready(Some(lease)) = first.poll(&mut cx) else { panic!("the first is called up") };
        drop(first);
        drop(lease);
        assert!(matches!(second.poll(&mut cx), std::task::Poll::Ready(Some(_))));
    }

    #[test]
    fn a_place_given_to_one_who_left_goes_on_to_the_next() {
        let pool = pool(&THREE[..1], Some(1));
        let held = pool.pick(&[], || 0).ok().unwrap();
        let first = pool.state.queue.join(10, false, &[]).unwrap();
        let second = pool.state.queue.join(10, false, &[]).unwrap();
        drop(held);
        drop(first);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(second.poll(&mut cx), std::task::Poll::Ready(Some(_))));
        assert!(pool.state.queue.join(0, false, &[]).is_none(), "a full queue refuses");
    }

    #[test]
    fn why_nothing_can_be_picked_is_told() {
        assert_eq!(pool(&[], None).pick(&[], || 0).err(), Some(Unpicked::Empty));
        assert_eq!(pool(&[("127.0.0.1:1", 0)], None).pick(&[], || 0).err(), Some(Unpicked::Empty));
        assert_eq!(pool(&[("a.example:1", 1)], None).pick(&[], || 0).err(), Some(Unpicked::Unresolved));
    }

    #[test]
    fn an_identity_keeps_its_counts_and_an_address_its_connections() {
        let old = pool(&THREE, None);
        let mut spec = spec(&THREE[1..], None);
        spec.endpoints[0].target = Some("127.0.0.1:9".into());
        let new = Pool::build("app", spec, Some(&old), 1).unwrap();
        assert!(Arc::ptr_eq(&new.endpoints[0].state, &old.endpoints[1].state));
        assert!(!Arc::ptr_eq(&new.endpoints[0].idle, &old.endpoints[1].idle));
        assert!(Arc::ptr_eq(&new.endpoints[1].idle, &old.endpoints[2].idle));
    }
}
