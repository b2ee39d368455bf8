//! What a function of the embedding program may choose from, and what it may look at.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Ask, Lease, Pool};
use crate::balance::callable::{Callables, Caller};
use crate::balance::draw::Occasion;
use crate::balance::program::BLOCK;
use crate::snapshot::PolicySpec;

/// The endpoints of a pool that may serve one request, at one moment.
#[derive(Clone)]
pub struct Offer {
    pool: Arc<Pool>,
    /// A bit for each endpoint, 64 to a word.
    masks: Box<[u64]>,
    /// Seconds of the engine's clock.
    now: f64,
}

impl Offer {
    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Seconds of the engine's clock when it was made.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.now
    }

    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.masks.iter().map(|mask| mask.count_ones() as usize).sum()
    }

    /// Whether the endpoint of this index is among them.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        self.masks.get(index / BLOCK).is_some_and(|mask| mask >> (index % BLOCK) & 1 == 1)
    }

    /// The first of them from an index on.
    #[must_use]
    pub fn from(&self, index: usize) -> Option<usize> {
        let first = index / BLOCK;
        self.masks.iter().enumerate().skip(first).find_map(|(block, mask)| {
            let mask = if block == first { mask & u64::MAX << (index % BLOCK) } else { *mask };
            (mask != 0).then(|| block * BLOCK + mask.trailing_zeros() as usize)
        })
    }

    /// The index of the one at this place, in the order declared.
    #[must_use]
    pub fn at(&self, mut place: usize) -> Option<usize> {
        for (block, mask) in self.masks.iter().enumerate() {
            let here = mask.count_ones() as usize;
            if place < here {
                let mut rest = *mask;
                for _ in 0..place {
                    rest &= rest - 1;
                }
                return Some(block * BLOCK + rest.trailing_zeros() as usize);
            }
            place -= here;
        }
        None
    }
}

impl Pool {
    /// Has the policy's function asked, where it has one: found by its name among `callables`, or as `previous` had it.
    ///
    /// # Errors
    ///
    /// That nobody has a function of that name.
    pub fn asking(mut self, callables: &Callables, previous: Option<&Self>) -> Result<Self, String> {
        let PolicySpec::Python { callable: name, budget, .. } = &self.spec.policy else { return Ok(self) };
        let budget = std::time::Duration::try_from_secs_f64(*budget)
            .map_err(|_| format!("pool {}: the budget of {name} is {budget}, which is no time", self.name))?;
        let known = previous.and_then(|pool| pool.caller.as_ref()).filter(|known| *known.name == **name);
        let caller = match (callables.get(name), known) {
            (None, Some(known)) => known.again(budget),
            (Some(callable), Some(known)) if Arc::ptr_eq(callable, known.callable()) => known.again(budget),
            (Some(callable), _) => Caller::new(name, budget, Arc::clone(callable)),
            (None, None) => return Err(format!("pool {}: the function {name:?} was not given to the engine", self.name)),
        };
        self.caller = Some(caller);
        Ok(self)
    }

    /// Whether it asks another function than `callables` have by the name of its own.
    #[must_use]
    pub fn asks_another(&self, callables: &Callables) -> bool {
        let named = |caller: &Caller| callables.get(&*caller.name).is_some_and(|callable| !Arc::ptr_eq(callable, caller.callable()));
        self.caller.as_ref().is_some_and(named)
    }

    /// The function that its policy asks.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Whom a function may choose: those with an address, a weight and room that were not tried and are not passed over. `None` where that
    /// is nobody.
    #[must_use]
    pub fn offer(self: &Arc<Self>, ask: &Ask<'_>, now: impl Fn() -> u64 + Copy) -> Option<Offer> {
        let careful = self.attend(now);
        let may = |index: usize| {
            self.endpoints.get(index).is_some_and(|endpoint| {
                endpoint.state.inflight().load(Ordering::SeqCst) < self.cap && !ask.tried.iter().any(|id| **id == *endpoint.id)
            })
        };
        let mut masks = if careful {
            let turn = self.state.turn.load(Ordering::Relaxed);
            self.chosen(Occasion { seed: self.spec.seed, turn, key: ask.key }, now())
        } else {
            self.masks.everybody()
        };
        if self.cap != u32::MAX || !ask.tried.is_empty() {
            for (block, mask) in masks.iter_mut().enumerate() {
                let lanes = (0..BLOCK).filter(|lane| *mask >> lane & 1 == 1 && may(block * BLOCK + lane));
                *mask = lanes.fold(0, |kept, lane| kept | 1 << lane);
            }
        }
        let someone = masks.iter().any(|mask| *mask != 0);
        someone.then(|| Offer { pool: Arc::clone(self), masks: masks.into(), now: now() as f64 / 1000.0 })
    }

    /// Takes an exchange on for a chosen endpoint, unless it was tried before or its last place has gone meanwhile.
    #[must_use]
    pub fn take(self: &Arc<Self>, index: usize, tried: &[Arc<str>], now: impl Fn() -> u64) -> Option<Lease> {
        let endpoint = self.endpoint(index)?;
        if tried.iter().any(|id| **id == *endpoint.id) {
            return None;
        }
        let mut lease = self.hold((index, 0))?;
        self.proves(&mut lease, now).then_some(lease)
    }
}
