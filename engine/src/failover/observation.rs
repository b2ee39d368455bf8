//! What control reads of the engine again and again: what happened, and the counts that have changed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::events::{News, Told};
use super::serving::Status;
use crate::endpoint::Endpoint;
use crate::pool::Pool;
use crate::server::shared::Shared;

/// Endpoints that are looked at in a millisecond at most: ten thousand of them ten times a second.
const LOOKED_AT: u64 = 100;

/// Everything that is new since the last observation. All counts are of the endpoint's whole life.
#[derive(Debug, Serialize)]
pub struct Observation {
    /// Of the last event.
    pub number: u64,
    /// Events that were never read.
    pub lost: u64,
    /// In their order.
    pub events: Vec<Told>,
    /// By name.
    pub pools: BTreeMap<String, PoolObservation>,
}

/// One pool.
#[derive(Debug, Serialize)]
pub struct PoolObservation {
    /// The tier that serves.
    pub tier: Option<u8>,
    /// Nobody is known to be able to serve.
    pub all_down: bool,
    /// By id, those that changed.
    pub endpoints: BTreeMap<String, EndpointObservation>,
}

/// One endpoint.
#[derive(Debug, Serialize)]
pub struct EndpointObservation {
    /// As the engine has it: `unknown` again for one that left and came back.
    pub status: Status,
    /// Attempts begun.
    pub requests: u64,
    /// Final response heads.
    pub answers: u64,
    /// Those of them with a status of 500 and above.
    pub errors: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Seconds from pick to head, over all answers.
    pub latency: f64,
    /// The sum of ln(seconds) from pick to head, over all answers: that of a few slow ones hardly moves it.
    pub log_latency: f64,
    /// Exchanges on it now.
    pub inflight: u32,
    /// Seconds for which it is still passed over, or 0.
    pub passed_over: f64,
    /// Whether its trial runs.
    pub trial: bool,
    /// Seconds after which its server closes an idle connection, where that is known.
    pub idle_limit: Option<f64>,
}

impl Observation {
    pub(crate) fn read(shared: &Shared) -> Self {
        let now = shared.now();
        let snapshot = shared.load();
        for pool in snapshot.pools.values() {
            pool.look_after(now);
        }
        let News { number, lost, events } = shared.events.read(now);
        let pools = snapshot.pools.iter().map(|(name, pool)| {
            let told = events.iter().any(|told| *told.pool == **name);
            (name.clone(), of_pool(pool, told, now))
        });
        let pools = pools.collect();
        Self { number, lost, events, pools }
    }
}

/// With its endpoints, unless nothing was told of them and they have been looked at just now: the more there are, the longer ago that may be.
fn of_pool(pool: &Pool, told: bool, now: u64) -> PoolObservation {
    let mut endpoints = BTreeMap::new();
    if told || is_due(pool.endpoints.len(), pool.state.looked_at.load(Ordering::Relaxed), now) {
        pool.state.looked_at.store(now, Ordering::Relaxed);
        endpoints.extend(pool.endpoints.iter().filter_map(|endpoint| Some((endpoint.id.to_string(), of_endpoint(endpoint, now)?))));
    }
    PoolObservation { tier: pool.tier(), all_down: pool.is_all_down(), endpoints }
}

/// Whether so many endpoints, last looked at `then`, are to be looked at now.
const fn is_due(endpoints: usize, then: u64, now: u64) -> bool {
    now >= then.saturating_add(endpoints as u64 / LOOKED_AT)
}

/// Its counts, unless they are what they were.
fn of_endpoint(endpoint: &Endpoint, now: u64) -> Option<EndpointObservation> {
    let state = &endpoint.state;
    let (requests, failures) = (state.requests.load(Ordering::Relaxed), state.failures.load(Ordering::Relaxed));
    let answers = state.latency.count();
    let (left, trial, changes, status) = state.standing.read(|inner| {
        let left = inner.reflex().pause(now).map_or(0, |pause| pause.until.saturating_sub(now));
        (left, inner.is_on_trial(), inner.changes(), inner.status(now).0)
    });
    // Each of these only grows: their sum changes whenever one of them does.
    let sum = requests + failures + answers + changes + 1;
    if state.standing.observed(sum) && left == 0 && !trial {
        return None;
    }
    Some(EndpointObservation {
        status,
        requests,
        answers,
        errors: state.responses.snapshot().server_error,
        failures,
        latency: state.latency.sum().as_secs_f64(),
        log_latency: state.latency.sum_of_logarithms(),
        inflight: state.inflight().load(Ordering::Relaxed),
        passed_over: left as f64 / 1000.0,
        trial,
        idle_limit: endpoint.idle.limit().map(|limit| limit.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_endpoints_are_looked_at_each_time_and_ten_thousand_ten_times_a_second() {
        assert!(is_due(99, 50, 50));
        assert!(!is_due(10_000, 50, 149) && is_due(10_000, 50, 150));
    }
}
