//! What control tells the engine of endpoints, and reads of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::{Engine, lock};
use crate::error::{EngineError, Result};
use crate::failover::observation::Observation;
use crate::failover::standing::Stand;
use crate::probe::{Order, Outcome};

/// How endpoints stand, as control has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandSpec {
    /// The number of the last event that control had read.
    pub seen: u64,
    /// By name.
    pub pools: BTreeMap<String, PoolStand>,
}

/// One pool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolStand {
    /// By id, those that are to change.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Stand>,
    /// An earlier tier takes back now, if one can serve.
    #[serde(default)]
    pub failback: bool,
    /// No endpoint is passed over by the engine; `null` leaves that as it is.
    #[serde(default)]
    pub held: Option<bool>,
}

impl Engine {
    /// Has endpoints stand as control says. Pools and endpoints that have gone meanwhile are passed by.
    pub fn stand(&self, spec: &StandSpec) {
        // One change at a time: a new weight makes a snapshot of the present one.
        let _state = lock(&self.state);
        let snapshot = self.shared.load();
        let now = self.shared.now();
        let mut reweighed = Vec::new();
        for (name, stands) in &spec.pools {
            let Some(pool) = snapshot.pools.get(name) else { continue };
            if let Some(held) = stands.held {
                pool.hold_still(held);
            }
            let changed = stands.endpoints.iter().filter(|(id, stand)| pool.stand(id, stand, spec.seen, now)).count();
            if changed > 0 {
                reweighed.push(name.as_str());
            }
            if stands.failback {
                pool.fail_back();
            }
        }
        if !reweighed.is_empty() {
            let seconds = self.shared.seconds(Instant::now());
            // It was built from the same specification before.
            if let Ok(snapshot) = snapshot.reweighed(&reweighed, self.shared.threads, seconds) {
                self.shared.publish(snapshot.into());
            }
        }
        for pool in self.shared.load().pools.values() {
            pool.look_after(now);
            pool.state.queue.nudge();
        }
    }

    /// Begins probes; their outcomes are to be had from [`Engine::probed`].
    ///
    /// # Errors
    ///
    /// The system's reason why no thread can be had.
    pub fn probe(&self, orders: Vec<Order>) -> Result<()> {
        self.probes.begin(orders).map_err(EngineError::Thread)
    }

    /// What probes have come to since the last call, in the order in which they ended.
    #[must_use]
    pub fn probed(&self) -> Vec<Outcome> {
        self.probes.take()
    }

    /// What has happened since the last call.
    #[must_use]
    pub fn observe(&self) -> Observation {
        Observation::read(&self.shared)
    }

    /// Waits, at most that long, until something happens, a probe has come to something, or somebody nudges; says whether that was it.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        self.shared.bell.wait(limit)
    }

    /// Ends the wait that is under way, or the next one.
    pub fn nudge(&self) {
        self.shared.bell.ring();
    }
}
