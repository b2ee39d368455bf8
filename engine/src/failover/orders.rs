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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::callable::Callables;
    use crate::pool::Ask;
    use crate::record::{Cause, Format};
    use crate::testing::world::spec;

    fn engine() -> Engine {
        Engine::new(spec(), 1, ("off", Format::Json), || {}, &Callables::new(), BTreeMap::new()).unwrap()
    }

    fn stand(engine: &Engine, text: &str) {
        engine.stand(&serde_json::from_str(text).unwrap());
    }

    /// The ids of those who are picked in a dozen turns, in their order.
    fn picks(engine: &Engine) -> Vec<String> {
        let pool = std::sync::Arc::clone(&engine.shared.load().pools["app"]);
        let now = || engine.shared.now();
        let mut found: Vec<String> = (0..12).map(|_| pool.pick(&Ask::default(), now).ok().unwrap().endpoint().id.to_string()).collect();
        found.sort();
        found
    }

    #[test]
    fn a_weight_of_control_s_holds_until_it_is_taken_back_and_over_other_changes() {
        let engine = engine();
        stand(&engine, r#"{"seen": 0, "pools": {"app": {"endpoints": {"a": {"weight": 0}, "b": {"weight": 2}}}}}"#);
        assert_eq!(picks(&engine), [["b"; 8].as_slice(), ["c"; 4].as_slice()].concat());
        let mut changed = spec();
        changed.pools.get_mut("app").unwrap().connect_timeout = Duration::from_secs(7);
        let delta = crate::snapshot::DeltaSpec { base: 1, number: 2, pools: changed.pools, ..Default::default() };
        assert_eq!(engine.apply(delta, &Callables::new()).unwrap(), 2);
        assert_eq!(picks(&engine).iter().filter(|id| *id == "b").count(), 8);
        stand(&engine, r#"{"seen": 0, "pools": {"app": {"endpoints": {"a": {}, "b": {}}}}}"#);
        assert_eq!(picks(&engine).iter().filter(|id| *id == "a").count(), 4);
        assert_eq!(engine.number(), 2);
    }

    #[test]
    fn what_is_named_but_not_there_changes_nothing() {
        let engine = engine();
        stand(&engine, r#"{"seen": 0, "pools": {"none": {"failback": true}, "app": {"endpoints": {"z": {"status": "down"}}}}}"#);
        assert_eq!(picks(&engine).len(), 12);
    }

    #[test]
    fn an_observation_tells_of_what_changed_and_of_each_event_once() {
        let engine = engine();
        let first = serde_json::to_value(engine.observe()).unwrap();
        assert_eq!(first["pools"]["app"]["endpoints"].as_object().unwrap().len(), 3, "nothing was known of them before");
        assert!(!engine.wait(Duration::ZERO));
        let pool = std::sync::Arc::clone(&engine.shared.load().pools["app"]);
        pool.failed(&pool.endpoints[1], 0, Cause::ConnectRefused, engine.shared.now());
        assert!(engine.wait(Duration::ZERO));
        let second = serde_json::to_value(engine.observe()).unwrap();
        assert_eq!(
            (&second["number"], &second["events"][0]["kind"], &second["events"][0]["cause"]),
            (&1.into(), &"reflex".into(), &"connect_refused".into())
        );
        let endpoints = second["pools"]["app"]["endpoints"].as_object().unwrap();
        assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(endpoints["b"]["failures"], 1);
        assert!(endpoints["b"]["passed_over"].as_f64().unwrap() > 0.5);
        assert_eq!(engine.observe().events, []);
        engine.nudge();
        assert!(engine.wait(Duration::from_secs(60)));
    }

    #[test]
    fn who_is_held_is_not_passed_over() {
        let engine = engine();
        stand(&engine, r#"{"seen": 0, "pools": {"app": {"held": true}}}"#);
        let pool = std::sync::Arc::clone(&engine.shared.load().pools["app"]);
        pool.failed(&pool.endpoints[0], 0, Cause::ConnectRefused, engine.shared.now());
        assert!(picks(&engine).contains(&"a".to_owned()));
    }
}
