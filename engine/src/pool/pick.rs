//! Picking: who is eligible, which of them the policy wants, and the hold on it.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Lease, Pool, Unpicked};
use crate::balance::columns::Columns;
use crate::balance::draw::Occasion;
use crate::balance::program::BLOCK;
use crate::balance::view::{Eligible, Live, Masked};
use crate::endpoint::Endpoint;

/// What one request asks of a pool.
#[derive(Clone, Copy, Default)]
pub struct Ask<'a> {
    /// Endpoints that it was sent to already.
    pub tried: &'a [Arc<str>],
    /// The hash of its key, where the policy has one.
    pub key: Option<u64>,
    /// The place of the endpoint that its client is pinned to.
    pub pinned: Option<usize>,
    /// Only those whose turn it is will do, not who stands by for them.
    pub near: bool,
}

impl<'a> Ask<'a> {
    /// Of a request without a key.
    #[must_use]
    pub fn without_key(tried: &'a [Arc<str>]) -> Self {
        Self { tried, ..Self::default() }
    }
}

/// Those of the eligible that have room.
struct Roomy<'a, E> {
    eligible: &'a E,
    columns: &'a Columns,
    cap: u32,
}

impl<E: Eligible> Eligible for Roomy<'_, E> {
    fn lanes(&self, block: usize, lanes: u64) -> u64 {
        self.eligible.lanes(block, lanes & self.columns.below(block, self.cap))
    }

    fn has(&self, index: usize) -> bool {
        let slot = self.columns.slots().get(index);
        self.eligible.has(index) && slot.is_some_and(|slot| slot.inflight().load(Ordering::SeqCst) < self.cap)
    }
}

impl Pool {
    /// Picks an endpoint that was not tried (the one that the client is pinned to, where that may serve) and takes an exchange on for it;
    /// `now` reads the engine's clock.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn pick(self: &Arc<Self>, ask: &Ask<'_>, now: impl Fn() -> u64 + Copy) -> Result<Lease, Unpicked> {
        // Read once at most: in a large pool many may have failed.
        let clock = OnceCell::new();
        let now = || *clock.get_or_init(now);
        let careful = self.attend(now);
        if let Some(lease) = self.lease_pinned(ask, now) {
            return Ok(lease);
        }
        let turn = self.state.turn.fetch_add(1, Ordering::Relaxed);
        let occasion = Occasion { seed: self.spec.seed, turn, key: ask.key };
        if careful || !ask.tried.is_empty() {
            return self.pick_carefully(ask, occasion, now);
        }
        self.lease(occasion, now, &Live(&self.masks.serve)).map_err(|full| if full { Unpicked::Full } else { self.unpicked(ask.tried) })
    }

    /// The same while somebody is to be tried, starts slowly or was tried by this request.
    fn pick_carefully(self: &Arc<Self>, ask: &Ask<'_>, occasion: Occasion, now: impl Fn() -> u64 + Copy) -> Result<Lease, Unpicked> {
        let mut chosen = self.chosen(occasion, now());
        // Whoever loses a trial to another thread is not asked for again.
        for _ in 0..=self.endpoints.len() {
            let picked = self.lease(occasion, now, &self.untried(&chosen, ask.tried));
            match picked {
                Err(true) => return Err(Unpicked::Full),
                Err(false) => break,
                Ok(mut lease) => {
                    if self.proves(&mut lease, now) {
                        return Ok(lease);
                    }
                    if let Some(word) = chosen.get_mut(lease.index() / BLOCK) {
                        *word &= !(1 << (lease.index() % BLOCK));
                    }
                }
            }
        }
        if ask.tried.is_empty() {
            return Err(self.unpicked(ask.tried));
        }
        // Everybody who serves was asked; the next tier is there for such a request too, as is whoever starts slowly.
        let wider = self.masks.everybody();
        let further = (!ask.near).then(|| self.masks.beyond());
        for words in [Some(wider), further].into_iter().flatten() {
            match self.lease(occasion, now, &self.untried(&words, ask.tried)) {
                Err(true) => return Err(Unpicked::Full),
                Err(false) => {}
                Ok(mut lease) => {
                    if self.proves(&mut lease, now) {
                        return Ok(lease);
                    }
                }
            }
        }
        Err(self.unpicked(ask.tried))
    }

    /// Has a pick be its endpoint's trial, where that needs one. Not where another exchange is.
    pub(super) fn proves(&self, lease: &mut Lease, now: impl Fn() -> u64) -> bool {
        lease.all_down = self.is_all_down();
        lease.proof = lease.all_down;
        !self.needs_trial(lease.index()) || self.begin_trial(lease, now())
    }

    fn untried<'a>(&'a self, masks: &'a [u64], tried: &'a [Arc<str>]) -> Masked<'a, impl Fn(usize) -> bool + 'a> {
        let check = move |index: usize| self.endpoint(index).is_some_and(|endpoint| !tried.iter().any(|id| **id == *endpoint.id));
        Masked { masks, check: (!tried.is_empty()).then_some(check) }
    }

    pub(super) fn endpoint(&self, index: usize) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(index)
    }

    /// The policy's choice among those eligible that have room. The error says whether any was eligible.
    fn lease(self: &Arc<Self>, occasion: Occasion, now: impl Fn() -> u64, eligible: &impl Eligible) -> Result<Lease, bool> {
        let seconds = if self.policy.reads_age() { now() as f64 / 1000.0 } else { 0.0 };
        let moment = self.moment(seconds);
        if self.cap == u32::MAX {
            return self.policy.pick(&moment, occasion, eligible).and_then(|picked| self.hold(picked)).ok_or(false);
        }
        let roomy = Roomy { eligible, columns: &self.columns, cap: self.cap };
        let blocks = 0..self.endpoints.len().div_ceil(BLOCK);
        let anybody = |eligible: &dyn Fn(usize) -> u64| blocks.clone().any(|block| eligible(block) != 0);
        let full = || Err(anybody(&|block| eligible.lanes(block, u64::MAX)));
        // While some wait all are full as a rule, which a look at whole blocks tells sooner than the policy's search.
        if self.state.queue.waiting() > 0 && !anybody(&|block| roomy.lanes(block, u64::MAX)) {
            return full();
        }
        // Another thread may take the last place first: look again, as often as there are endpoints to lose.
        for _ in 0..=self.endpoints.len() {
            let Some(picked) = self.policy.pick(&moment, occasion, &roomy) else { break };
            if let Some(lease) = self.hold(picked) {
                return Ok(lease);
            }
        }
        full()
    }

    /// Takes an exchange on for what was picked, and uses the turns up that were passed by.
    pub(super) fn hold(self: &Arc<Self>, (index, passed): (usize, u64)) -> Option<Lease> {
        let endpoint = self.endpoint(index)?;
        let inflight = endpoint.try_begin(self.cap)?;
        endpoint.state.slot.picked();
        if passed > 0 {
            self.state.turn.fetch_add(passed, Ordering::Relaxed);
        }
        Some(Lease::new(Arc::clone(self), endpoint, index, inflight))
    }

    fn unpicked(&self, tried: &[Arc<str>]) -> Unpicked {
        let mut weighted = self.endpoints.iter().filter(|endpoint| endpoint.weight > 0).peekable();
        if weighted.peek().is_none() {
            Unpicked::Empty
        } else if weighted.all(|endpoint| endpoint.target.is_none()) {
            Unpicked::Unresolved
        } else if self.is_all_down() && (tried.is_empty() || self.has_substitute()) {
            Unpicked::Down
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
            let same = |(_, endpoint): &(usize, &Arc<Endpoint>)| Arc::ptr_eq(&endpoint.state, &lease.endpoint.state);
            let Some((index, endpoint)) = self.endpoints.iter().enumerate().find(same) else {
                lease.give_back();
                return None;
            };
            lease.index = index;
            lease.endpoint = Arc::clone(endpoint);
            lease.pool = Some(Arc::clone(self));
        }
        let now = now();
        self.attend(|| now);
        let fits = lease.endpoint().state.inflight().load(Ordering::SeqCst) <= self.cap;
        if fits && self.serves(lease.index()) && self.proves(&mut lease, || now) {
            lease.endpoint().state.slot.picked();
            return Some(lease);
        }
        lease.give_back();
        None
    }
}
