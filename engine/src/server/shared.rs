//! What all threads of one engine share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::bell::Bell;
use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::config::Snapshot;
use crate::failover::events::Events;
use crate::probe::Probed;
use crate::record::{AccessLog, CauseCounters, StatusCounters};

/// Counts over all threads.
#[derive(Default)]
pub struct Totals {
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Client connections open.
    pub open: AtomicUsize,
    /// Those of them that are parked.
    pub parked: AtomicUsize,
    /// Times that accepting paused, for want of files or at `max_connections`.
    pub paused: AtomicU64,
    /// Exchanges that run.
    pub running: AtomicUsize,
    /// Tunnels among them.
    pub tunnels: AtomicUsize,
    /// Exchanges begun.
    pub exchanges: AtomicU64,
    /// Answers to clients by class.
    pub responses: StatusCounters,
    /// Causes of what went wrong.
    pub causes: CauseCounters,
}

/// See the module.
pub struct Shared {
    /// The snapshot that serves.
    pub snapshot: ArcSwap<Snapshot>,
    /// How often it was changed, for a thread to see at a glance that its own is old.
    pub version: AtomicU64,
    /// Counts.
    pub totals: Totals,
    /// Has the allocator give back what a burst needed; called on each thread while it winds down.
    pub tidy: fn(),
    /// `None` when it is off.
    pub log: Option<AccessLog>,
    /// Answers close their connections.
    pub leaving: AtomicBool,
    /// No more requests are taken on.
    pub stopping: AtomicBool,
    /// Where the engine's clock starts.
    pub epoch: Instant,
    /// Threads of this engine.
    pub threads: usize,
    /// Makes request ids of this process differ from those of any other.
    pub id_seed: u64,
    /// Ids made so far.
    pub ids: AtomicU64,
    /// Calls control: something happened that it should look at.
    pub bell: Arc<Bell>,
    /// What happened that it should know of.
    pub events: Arc<Events>,
    /// What probes have come to.
    pub probed: Probed,
}

impl Shared {
    /// Milliseconds of the engine's clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }

    /// A moment as milliseconds of the engine's clock.
    #[must_use]
    pub fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.epoch).as_millis() as u64
    }

    /// Seconds since 1970, as the system has it; for what must mean the same on every machine.
    #[must_use]
    pub fn wall() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// A moment as seconds of the engine's clock.
    #[must_use]
    pub fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64()
    }

    /// Whether the engine is ending.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether the engine is ending, or has handed its sockets over.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Has this snapshot serve.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        for pool in snapshot.pools.values() {
            pool.report_to(&self.events);
        }
        self.snapshot.store(snapshot);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The snapshot that serves.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}
