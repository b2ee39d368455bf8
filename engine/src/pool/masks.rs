//! Who of a pool may serve, kept as bits until something happens or a moment comes at which something lapses.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Pool;
use crate::balance::draw::Occasion;
use crate::balance::program::BLOCK;
use crate::endpoint::Endpoint;
use crate::failover::events::Kind;
use crate::failover::rules::millis;
use crate::failover::serving::{AllDown, EndpointView, Memory, Mode, PoolRules, Serving, serving};
use crate::failover::slow_start;
use crate::failover::standing::Inner;
use crate::snapshot::{PoolSpec, WhenAllDownSpec};

/// Never: nothing lapses, and no pick needs care.
const CALM: u64 = u64::MAX;

/// Somebody's next exchange is a trial.
const TRIALS: u8 = 1;
/// Somebody starts slowly.
const SLOW: u8 = 2;
/// Nobody is known to be able to serve.
const ALL_DOWN: u8 = 4;

/// A bit for each endpoint, 64 to a word.
type Words = Box<[AtomicU64]>;

/// The bits of one snapshot's pool.
pub(super) struct Masks {
    /// When to look again, in milliseconds of the engine's clock.
    due: Arc<AtomicU64>,
    flags: AtomicU8,
    pub(super) serve: Words,
    trials: Words,
    beyond: Words,
    pinned: Words,
    slow: Words,
}

impl Masks {
    fn new(endpoints: usize) -> Self {
        let words = || (0..endpoints.div_ceil(BLOCK)).map(|_| AtomicU64::new(0)).collect();
        Self {
            due: Arc::new(AtomicU64::new(0)),
            flags: AtomicU8::new(0),
            serve: words(),
            trials: words(),
            beyond: words(),
            pinned: words(),
            slow: words(),
        }
    }

    /// All who serve, however slowly they start.
    pub(super) fn everybody(&self) -> Vec<u64> {
        copy(&self.serve)
    }

    /// Who may be asked once all who serve were.
    pub(super) fn beyond(&self) -> Vec<u64> {
        copy(&self.beyond)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }
}

fn bit(words: &Words, index: usize) -> bool {
    words.get(index / BLOCK).is_some_and(|word| word.load(Ordering::Relaxed) >> (index % BLOCK) & 1 == 1)
}

fn write(words: &Words, bits: impl Fn(usize) -> bool, count: usize) {
    for (block, word) in words.iter().enumerate() {
        let lanes = (0..BLOCK.min(count.saturating_sub(block * BLOCK))).filter(|lane| bits(block * BLOCK + lane));
        word.store(lanes.fold(0, |mask, lane| mask | 1_u64 << lane), Ordering::Relaxed);
    }
}

fn of(list: &[bool]) -> impl Fn(usize) -> bool {
    |index| list.get(index).copied().unwrap_or(false)
}

fn copy(words: &Words) -> Vec<u64> {
    words.iter().map(|word| word.load(Ordering::Relaxed)).collect()
}

/// What a pool remembers of who served, over all snapshots.
#[derive(Default)]
pub(super) struct Remembered {
    memory: Memory,
    mode: Option<Mode>,
}

/// Where the pools of all snapshots of one name hear that something happened.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) remembered: Mutex<Remembered>,
    dues: Mutex<Vec<Weak<AtomicU64>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is consistent at each step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Bits for one more snapshot, which are told of what happens from now on.
    pub(super) fn masks(&self, endpoints: usize) -> Masks {
        let masks = Masks::new(endpoints);
        let mut dues = lock(&self.dues);
        dues.retain(|due| due.strong_count() > 0);
        dues.push(Arc::downgrade(&masks.due));
        masks
    }

    /// Something happened: whoever picks next looks anew.
    pub(super) fn stir(&self) {
        for due in lock(&self.dues).iter().filter_map(Weak::upgrade) {
            due.store(0, Ordering::Release);
        }
    }
}

impl Pool {
    pub(super) fn rules(spec: &PoolSpec) -> PoolRules {
        PoolRules {
            min_healthy: spec.failover.min_healthy,
            automatic: spec.failover.automatic,
            hold_down: millis(spec.failover.hold_down),
            max_ejected: spec.ejection.max_ejected,
            probed: spec.probed,
            when_all_down: match spec.when_all_down {
                WhenAllDownSpec::TryAll => AllDown::TryAll,
                WhenAllDownSpec::FailFast => AllDown::FailFast,
                WhenAllDownSpec::LastHealthy => AllDown::LastHealthy,
                WhenAllDownSpec::Pool(_) => AllDown::Pool,
                WhenAllDownSpec::Respond(_) => AllDown::Respond,
            },
        }
    }

    /// Brings the bits up to date where that is due. Whether picks need care: one look, while nothing is the matter.
    pub(super) fn attend(&self, now: impl FnOnce() -> u64) -> bool {
        let due = self.masks.due.load(Ordering::Acquire);
        if due == CALM {
            return false;
        }
        let now = now();
        if due <= now {
            self.look(now);
        }
        self.masks.flags.load(Ordering::Relaxed) != 0
    }

    fn look(&self, now: u64) {
        let mut remembered = lock(&self.state.watch.remembered);
        if self.masks.due.load(Ordering::Acquire) > now {
            return;
        }
        // Before anything is read: what happens from here on has it looked at again.
        self.masks.due.store(CALM, Ordering::Release);
        let views = self.views(now);
        let (serving, memory) = serving(&views, &self.rules, remembered.memory, now);
        self.announce(&remembered, &serving, memory, now);
        *remembered = Remembered { memory, mode: Some(serving.mode) };
        let slow = self.write(&serving, now);
        let flags = self.masks.flags.load(Ordering::Relaxed);
        let due = serving.due.into_iter().chain(slow).min().unwrap_or(if flags == 0 { CALM } else { CALM - 1 });
        self.masks.due.fetch_min(due, Ordering::Release);
    }

    fn views(&self, now: u64) -> Vec<EndpointView> {
        let probed = self.spec.probed;
        let view = |endpoint: &Arc<Endpoint>| {
            let (tier, weight, target) = (endpoint.tier, endpoint.weight, endpoint.target.is_some());
            endpoint.state.standing.read(|inner| inner.view(tier, weight, target, probed, now))
        };
        self.endpoints.iter().map(view).collect()
    }

    /// Writes the bits; when the next who starts slowly has done so.
    fn write(&self, serving: &Serving, now: u64) -> Option<u64> {
        let count = self.endpoints.len();
        let masks = &self.masks;
        let waited_for = self.state.queue.waiting() > 0 && (0..count).any(|index| of(&serving.mask)(index) && !bit(&masks.serve, index));
        write(&masks.serve, of(&serving.mask), count);
        write(&masks.trials, of(&serving.trials), count);
        write(&masks.beyond, of(&serving.beyond), count);
        write(&masks.pinned, of(&serving.pinned), count);
        let all_down = serving.mode == Mode::AllDown;
        let window = if all_down { 0 } else { millis(self.spec.slow_start) };
        let ends: Vec<Option<u64>> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.state.standing.read(Inner::began))
            .map(|began| began.map(|began| began + window).filter(|end| *end > now))
            .collect();
        let trial = of(&serving.trials);
        let starts = |index: usize| ends.get(index).is_some_and(Option::is_some) && !trial(index);
        write(&masks.slow, starts, count);
        let slow = (0..count).any(starts);
        let trials = serving.trials.contains(&true);
        let flags = u8::from(trials) * TRIALS + u8::from(slow) * SLOW + u8::from(all_down) * ALL_DOWN;
        masks.flags.store(flags, Ordering::Relaxed);
        if !all_down {
            for (endpoint, able) in self.endpoints.iter().zip(&serving.mask) {
                endpoint.state.standing.change(|inner| inner.note_last(*able));
            }
        }
        if waited_for {
            self.state.queue.nudge();
        }
        ends.into_iter().flatten().min()
    }

    fn announce(&self, before: &Remembered, serving: &Serving, memory: Memory, now: u64) {
        let Some(events) = self.state.events.get() else { return };
        let known = before.memory.tier;
        if let Some(to) = memory.tier.filter(|to| known.is_some_and(|from| from != *to)) {
            events.moved(&self.name, known, to, now);
        }
        match (before.mode, serving.mode) {
            (None | Some(Mode::Serving), Mode::AllDown) => events.tell(&self.name, None, Kind::AllDown, None, now),
            (Some(Mode::AllDown), Mode::Serving) => events.tell(&self.name, None, Kind::AllUp, None, now),
            _ => 0,
        };
    }

    /// Whether nobody of it is known to be able to serve, as of the last look.
    #[must_use]
    pub fn is_all_down(&self) -> bool {
        self.masks.has(ALL_DOWN)
    }

    /// The same at this moment.
    #[must_use]
    pub fn is_down_at(&self, now: u64) -> bool {
        self.attend(|| now);
        self.is_all_down()
    }

    /// Whether somebody else answers while all are down.
    #[must_use]
    pub fn has_substitute(&self) -> bool {
        matches!(self.spec.when_all_down, WhenAllDownSpec::Pool(_) | WhenAllDownSpec::Respond(_))
    }

    /// Brings up to date who serves, where that is due: for who looks without picking.
    pub fn look_after(&self, now: u64) {
        self.attend(|| now);
    }

    /// The tier that serves.
    #[must_use]
    pub fn tier(&self) -> Option<u8> {
        lock(&self.state.watch.remembered).memory.tier
    }

    /// Has an earlier tier take back, if one can serve.
    pub fn fail_back(&self) {
        lock(&self.state.watch.remembered).memory.failback = true;
        self.state.watch.stir();
    }

    /// Whether the endpoint of this index may be picked, as of the last look.
    #[must_use]
    pub fn serves(&self, index: usize) -> bool {
        bit(&self.masks.serve, index)
    }

    /// Whether anybody but this endpoint may be picked, as of the last look.
    #[must_use]
    pub fn serves_beside(&self, endpoint: &Endpoint) -> bool {
        self.endpoints.iter().enumerate().any(|(index, each)| self.serves(index) && each.id != endpoint.id)
    }

    /// Whether a pick of this endpoint is its trial.
    pub(super) fn needs_trial(&self, index: usize) -> bool {
        self.masks.has(TRIALS) && bit(&self.masks.trials, index)
    }

    /// Whether who is pinned to the endpoint of this index may go there.
    pub(super) fn takes_pinned(&self, index: usize) -> bool {
        bit(&self.masks.pinned, index)
    }

    /// Who may be picked on this occasion, where picks need care: those who start slowly only now and then.
    pub(super) fn chosen(&self, occasion: Occasion, now: u64) -> Vec<u64> {
        let mut words = copy(&self.masks.serve);
        if !self.masks.has(SLOW) {
            return words;
        }
        let window = millis(self.spec.slow_start).max(1);
        for (block, (word, slow)) in words.iter_mut().zip(copy(&self.masks.slow)).enumerate() {
            let mut rest = slow;
            while rest != 0 {
                let lane = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let index = block * BLOCK + lane;
                let began = self.endpoint(index).and_then(|each| each.state.standing.read(Inner::began));
                let age = now.saturating_sub(began.unwrap_or(0));
                if !slow_start::may(occasion, index, age, window) {
                    *word &= !(1 << lane);
                }
            }
        }
        if words.iter().all(|word| *word == 0) { copy(&self.masks.serve) } else { words }
    }
}
