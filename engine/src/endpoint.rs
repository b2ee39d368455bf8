//! One server of a pool: where it is, what it is doing, and what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::balance::slot::{Shelf, Slot};
use crate::failover::evidence::Evidence;
use crate::failover::standing::{Inner, Standing};
use crate::probe::Marks;
use crate::record::{Histogram, StatusCounters};
use crate::snapshot::EndpointSpec;
use crate::upstream::idle::Idle;
use crate::upstream::target::Target;

/// What is counted of an endpoint, over all threads and for as long as its identity lives.
pub struct EndpointState {
    /// Its place in the pool's columns: what policies read.
    pub slot: Arc<Slot>,
    /// Exchanges begun.
    pub requests: AtomicU64,
    /// Attempts that failed.
    pub failures: AtomicU64,
    /// Its answers by class.
    pub responses: StatusCounters,
    /// Content bytes sent to it.
    pub sent: AtomicU64,
    /// Content bytes received from it.
    pub received: AtomicU64,
    /// Time to the response head, or until the attempt was given up for a quicker one.
    pub latency: Histogram,
    /// Whether it ever answered.
    pub answered: AtomicBool,
    /// Whether it may serve.
    pub standing: Standing,
    /// Whether anything has come from it lately.
    pub evidence: Evidence,
    /// When it was probed, and when it answered.
    pub probe: Marks,
}

impl EndpointState {
    fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            responses: StatusCounters::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            latency: Histogram::default(),
            answered: AtomicBool::new(false),
            standing: Standing::default(),
            evidence: Evidence::default(),
            probe: Marks::default(),
        }
    }

    /// Exchanges on it now.
    #[must_use]
    pub fn inflight(&self) -> &AtomicU32 {
        self.slot.inflight()
    }
}

/// An endpoint as one snapshot has it; its state and connections are shared with the snapshots before.
#[derive(Clone)]
pub struct Endpoint {
    /// Its identity within the pool.
    pub id: Arc<str>,
    /// As declared.
    pub address: Arc<str>,
    /// Where to connect, once known.
    pub target: Option<Target>,
    /// Its share, as declared or as control has it at present.
    pub weight: u32,
    /// 0 serves first.
    pub tier: u8,
    /// What is counted.
    pub state: Arc<EndpointState>,
    /// Its connections that serve nobody.
    pub idle: Arc<Idle>,
}

impl Endpoint {
    /// Builds it for a new snapshot, taking over what the same identity had in the last one.
    pub(crate) fn build(spec: &EndpointSpec, previous: Option<&Self>, threads: usize, shelf: &Arc<Shelf>) -> Result<Self, String> {
        let target = match &spec.target {
            Some(text) => Some(Target::parse(text).ok_or_else(|| format!("endpoint {}: {text:?} is no address to connect to", spec.id))?),
            None => None,
        };
        // Connections belong to the address, counts to the identity.
        let idle =
            previous.filter(|known| known.target == target).map_or_else(|| Arc::new(Idle::new(threads)), |known| Arc::clone(&known.idle));
        let state = previous.map_or_else(|| Arc::new(EndpointState::new(shelf.slot())), |known| Arc::clone(&known.state));
        let weight = state.standing.read(Inner::weight).unwrap_or(spec.weight);
        Ok(Self { id: spec.id.as_str().into(), address: spec.address.as_str().into(), target, weight, tier: spec.tier, state, idle })
    }

    /// Takes one more exchange on, unless `most` are running; says how many there are then.
    #[must_use]
    pub fn try_begin(&self, most: u32) -> Option<u32> {
        let inflight = self.state.inflight();
        if most == u32::MAX {
            return Some(inflight.fetch_add(1, Ordering::Relaxed) + 1);
        }
        let begun = inflight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count < most).then_some(count + 1));
        begun.ok().map(|before| before + 1)
    }
}
