//! One exchange's hold on an endpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Pool;
use crate::endpoint::Endpoint;

/// One exchange's hold on an endpoint; given back when dropped, to whoever waits for it.
pub struct Lease {
    /// `None` once given back.
    pub(super) pool: Option<Arc<Pool>>,
    pub(super) endpoint: Arc<Endpoint>,
    /// The endpoint's place in the pool.
    pub(super) index: usize,
    /// Exchanges on the endpoint when this one was taken on, itself included.
    pub(super) inflight: u32,
    /// It was picked though it was not known to serve: its success shows that it does.
    pub(super) proof: bool,
    /// It was picked while all were down.
    pub(super) all_down: bool,
    /// It is the one exchange that tries the endpoint.
    pub(super) trial: bool,
}

impl Lease {
    /// Of one more exchange on an endpoint, which has `inflight` then; it proves nothing yet.
    pub(super) fn new(pool: Arc<Pool>, endpoint: &Arc<Endpoint>, index: usize, inflight: u32) -> Self {
        Self { pool: Some(pool), endpoint: Arc::clone(endpoint), index, inflight, proof: false, all_down: false, trial: false }
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Exchanges on the endpoint when this one was taken on, itself included.
    #[must_use]
    pub fn inflight(&self) -> u32 {
        self.inflight
    }

    /// The endpoint's place in the pool.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The pool that it was picked from.
    #[must_use]
    pub fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    /// Whether it was picked while nobody was known to be able to serve.
    #[must_use]
    pub fn is_all_down(&self) -> bool {
        self.all_down
    }

    /// Gives the place back without calling anybody up for it.
    pub(super) fn give_back(mut self) {
        if let Some(pool) = self.pool.take() {
            self.end_trial(&pool);
            self.endpoint.state.inflight().fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Lease {
    fn end_trial(&mut self, pool: &Pool) {
        if std::mem::take(&mut self.trial) {
            pool.end_trial(&self.endpoint);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        self.end_trial(&pool);
        let (endpoint, index, cap) = (&self.endpoint, self.index, pool.cap);
        let inflight = endpoint.state.inflight();
        if cap == u32::MAX {
            // Without a cap nobody waits, so nobody is called up.
            inflight.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        let queue = Arc::clone(&pool.state.queue);
        let again = |inflight| Self::new(pool, endpoint, index, inflight);
        if queue.waiting() > 0 && inflight.load(Ordering::SeqCst) <= cap {
            queue.hand_over(&endpoint.id, |wanted| {
                if !wanted {
                    inflight.fetch_sub(1, Ordering::SeqCst);
                }
                wanted.then(|| again(inflight.load(Ordering::Relaxed)))
            });
            return;
        }
        inflight.fetch_sub(1, Ordering::SeqCst);
        // Who joined meanwhile may have seen no room just before, and hears of this place from nobody else.
        if queue.waiting() > 0 {
            queue.hand_over(&endpoint.id, |wanted| wanted.then(|| endpoint.try_begin(cap)).flatten().map(again));
        }
    }
}
