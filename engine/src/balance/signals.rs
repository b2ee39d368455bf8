//! What a pool learns about its endpoints, for as long as the pool's name lives; why so is said in `forebay.balance.reference.signals`,
//! which this equals number for number.
//!
//! The columns change only at a refresh, ten times a second. So whoever has an answer to tell writes it down for its own thread, and one thread
//! learns from all that was written: the same calls in the same order give the same numbers as learning at once.

mod learn;
mod median;
mod refresh;
mod reports;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use self::learn::{Means, Record};
use self::refresh::Scratch;
use super::columns::Columns;
use super::slot::{Column, Slot};

/// Seconds: what an endpoint is said to take in a pool that knows nothing yet. Not 0, so that nothing divides by it.
pub const NEUTRAL: f64 = 0.001;
/// Seconds for which a report of a server's is believed.
pub const STALE: f64 = 10.0;
/// Seconds between two refreshes of the columns.
pub const REFRESH: f64 = 0.1;
/// How many samples a thread keeps to itself.
const BATCH: usize = 256;

/// The news of one attempt.
#[derive(Debug, Clone, Copy)]
struct Sample {
    latency: f64,
    slot: u32,
    birth: u32,
    /// At the pick, itself included; 0 for an error.
    inflight: u32,
}

/// What one thread has not told yet. Two threads' never share a cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Sample>>);

/// What is learned, and what learning needs.
#[derive(Debug)]
struct State {
    means: Means,
    /// By the slot's number.
    records: Vec<Record>,
    /// When the columns were written; `None` before the beginning.
    refreshed: Option<f64>,
    scratch: Scratch,
    /// Empty; takes the place of the samples that a shard gives up.
    spare: Vec<Sample>,
}

/// What a pool has learned, shared by all threads. Seconds are those of any one clock.
///
/// An endpoint's picks are counted in its [slot](Slot::picked); from the answers to them, [`refresh`](Self::refresh) writes its columns.
#[derive(Debug)]
pub struct Signals {
    /// When the next refresh is due, as the bits of an `f64`.
    due: AtomicU64,
    /// Whether a report may be fresh.
    reporting: AtomicBool,
    shards: Box<[Shard]>,
    state: Mutex<State>,
}

impl Signals {
    /// Knows nothing; for threads numbered from 0.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shard = || Shard(Mutex::new(Vec::with_capacity(BATCH)));
        Self {
            due: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            reporting: AtomicBool::new(false),
            shards: (0..threads.max(1)).map(|_| shard()).collect(),
            state: Mutex::new(State {
                means: Means::default(),
                records: Vec::new(),
                refreshed: None,
                scratch: Scratch::default(),
                spare: Vec::with_capacity(BATCH),
            }),
        }
    }

    /// These endpoints of `columns` are new, or have recovered: nothing is known of them, and until something is, they show what is typical of
    /// the pool. The first call, or the first refresh, sets the beginning. To be called before they are picked.
    pub fn joined(&self, columns: &Columns, slots: &[Arc<Slot>], now: f64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin(&mut state, now);
        self.drain(&mut state);
        let typical = state.typical(columns);
        for slot in slots {
            Record::start(&mut state.records, slot.lane(), now);
            slot.set(Column::Latency, typical.latency);
            slot.set(Column::ServiceTime, typical.service);
            slot.set(Column::ErrorRate, state.means.errors);
        }
        self.show_reports(&mut state.scratch, columns, now);
    }

    /// An answer began, `latency` seconds after its pick; `inflight` is what was in flight there then, itself included. One that is not `ok`
    /// (a 5xx) counts as an error, and its latency says nothing. `thread` is the caller's number.
    pub fn answered(&self, thread: usize, slot: &Slot, latency: f64, inflight: u32, ok: bool) {
        let inflight = if ok { inflight.max(1) } else { 0 };
        let lane = slot.lane();
        self.tell(thread, Sample { latency, slot: lane.number() as u32, birth: lane.birth(), inflight });
    }

    /// An attempt ended without an answer, by the endpoint's fault. One that its client left is no news of the endpoint.
    pub fn failed(&self, thread: usize, slot: &Slot) {
        self.answered(thread, slot, 0.0, 0, false);
    }

    fn tell(&self, thread: usize, sample: Sample) {
        let Some(Shard(shard)) = self.shards.get(thread).or(self.shards.first()) else { return };
        let mut samples = shard.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push(sample);
        if samples.len() >= BATCH
            && let Some(mut state) = self.try_state()
        {
            state.take(&mut samples);
            drop(samples);
            state.learn();
        }
    }

    /// Sets the columns anew if it is time to.
    #[inline]
    pub fn refresh(&self, columns: &Columns, now: f64) {
        if now >= f64::from_bits(self.due.load(Ordering::Relaxed)) {
            self.refresh_now(columns, now);
        }
    }

    /// Whoever comes while another thread is at it goes on.
    #[cold]
    fn refresh_now(&self, columns: &Columns, now: f64) {
        let Some(mut state) = self.try_state() else { return };
        let elapsed = now - self.begin(&mut state, now);
        if now < f64::from_bits(self.due.load(Ordering::Relaxed)) || elapsed <= 0.0 || !elapsed.is_finite() {
            return;
        }
        self.due.store((now + REFRESH).to_bits(), Ordering::Relaxed);
        state.refreshed = Some(now);
        self.drain(&mut state);
        state.refresh(columns, elapsed, now);
        self.show_reports(&mut state.scratch, columns, now);
    }

    /// When the columns were written last, or else now.
    fn begin(&self, state: &mut State, now: f64) -> f64 {
        *state.refreshed.get_or_insert_with(|| {
            self.due.store((now + REFRESH).to_bits(), Ordering::Relaxed);
            now
        })
    }

    fn drain(&self, state: &mut State) {
        for Shard(shard) in &self.shards {
            state.take(&mut shard.lock().unwrap_or_else(PoisonError::into_inner));
            state.learn();
        }
    }

    /// No thread panics while it holds this, and if one did, the numbers are still numbers.
    fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl State {
    /// Takes a shard's samples away, quickly, so that its thread need not wait; [`learn`](Self::learn) comes next.
    fn take(&mut self, samples: &mut Vec<Sample>) {
        std::mem::swap(samples, &mut self.spare);
    }

    fn learn(&mut self) {
        for sample in &self.spare {
            // A slot's samples outlive it.
            if let Some(record) = self.records.get_mut(sample.slot as usize).filter(|record| record.birth == sample.birth) {
                record.tell(&mut self.means, sample);
            }
        }
        self.spare.clear();
    }
}

#[cfg(test)]
mod tests;
