//! Active probes: asked for by control, performed and timed on one thread of their own, which no exchange delays and which delays none.

mod http;
mod order;
mod outcome;
mod runner;
mod tcp;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

pub use order::{Order, ProbeSpec};
pub use outcome::{Outcome, Probed};

use crate::pool::Pool;
use crate::server::shared::Shared;
use order::Probe;
use outcome::UNKNOWN;
use runner::Job;

/// When an endpoint was last probed and when a probe was last answered, in milliseconds of the engine's clock; 0 is never.
#[derive(Debug, Default)]
pub struct Marks {
    /// A probe was begun.
    pub sent: AtomicU64,
    /// A probe was answered, be it with an error: the first byte came, or the connection that was all that was asked for.
    pub answered: AtomicU64,
}

impl Marks {
    /// Whether a probe that was sent after `since` waits for its answer.
    #[must_use]
    pub fn is_unanswered_since(&self, since: u64) -> bool {
        let sent = self.sent.load(Ordering::Relaxed);
        sent > since && self.answered.load(Ordering::Relaxed) < sent
    }
}

/// Where the endpoints of a pool are, by id; for as long as the pool is the same.
struct Known {
    pool: Weak<Pool>,
    places: HashMap<Arc<str>, usize>,
}

#[derive(Default)]
struct State {
    known: HashMap<Arc<str>, Known>,
    jobs: Option<mpsc::UnboundedSender<Vec<Job>>>,
    thread: Option<JoinHandle<()>>,
    ended: bool,
}

/// The probes of one engine. Its thread starts with the first of them.
pub struct Probes {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

impl Probes {
    /// Nothing is probed yet.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is made as a whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins what is ordered; whoever is not in the present snapshot has failed at once. Does nothing once it has ended.
    ///
    /// # Errors
    ///
    /// The system's reason why no thread can be had.
    pub fn begin(&self, orders: Vec<Order>) -> io::Result<()> {
        let snapshot = self.shared.load();
        let mut state = self.lock();
        if state.ended {
            return Ok(());
        }
        let max_head = usize::try_from(snapshot.spec.limits.max_head).unwrap_or(usize::MAX);
        let (mut jobs, mut unknown) = (Vec::new(), Vec::new());
        for order in orders {
            let probe = Arc::new(Probe::new(order.probe, max_head));
            let pool = snapshot.pools.get(&*order.pool);
            let places = pool.map(|pool| (pool, state.places(pool)));
            for id in order.endpoints {
                let found = places.as_ref().and_then(|(pool, places)| pool.endpoints.get(*places.get(&*id)?));
                match found {
                    Some(endpoint) => {
                        jobs.push(Job { pool: Arc::clone(&order.pool), probe: Arc::clone(&probe), endpoint: Arc::clone(endpoint) });
                    }
                    None => unknown.push(Outcome::failed(Arc::clone(&order.pool), id.into(), UNKNOWN)),
                }
            }
        }
        state.known.retain(|name, _| snapshot.pools.contains_key(&**name));
        self.shared.probed.add(unknown);
        state.hand_over(&self.shared, jobs)
    }

    /// What probes have come to since the last call, in the order in which they ended.
    #[must_use]
    pub fn take(&self) -> Vec<Outcome> {
        self.shared.probed.take()
    }

    /// Ends the thread; what is under way comes to nothing.
    pub fn end(&self) {
        let thread = {
            let mut state = self.lock();
            state.ended = true;
            state.jobs = None;
            state.thread.take()
        };
        if let Some(thread) = thread {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

impl State {
    fn places(&mut self, pool: &Arc<Pool>) -> &HashMap<Arc<str>, usize> {
        let known = self.known.entry(Arc::clone(&pool.name)).or_insert_with(|| Known { pool: Weak::new(), places: HashMap::new() });
        if !std::ptr::eq(known.pool.as_ptr(), Arc::as_ptr(pool)) {
            known.pool = Arc::downgrade(pool);
            known.places = pool.endpoints.iter().enumerate().map(|(place, endpoint)| (Arc::clone(&endpoint.id), place)).collect();
        }
        &known.places
    }

    fn hand_over(&mut self, shared: &Arc<Shared>, jobs: Vec<Job>) -> io::Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        if self.jobs.is_none() {
            let (sender, receiver) = mpsc::unbounded_channel();
            let shared = Arc::clone(shared);
            self.thread = Some(std::thread::Builder::new().name("forebay-probe".into()).spawn(move || runner::run(shared, receiver))?);
            self.jobs = Some(sender);
        }
        // A thread that has ended has nobody to tell.
        let _ = self.jobs.as_ref().map(|sender| sender.send(jobs));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
