//! The engine's counts as plain values, in the shape that `forebay.observe.statistics` reads.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::balance::callable::CallableStatistics;
use crate::balance::slot::{Column, Slot};
use crate::endpoint::Endpoint;
use crate::failover::reflex::FAILURES;
use crate::pool::Pool;
use crate::record::{CauseCounts, HistogramSnapshot, StatusCounts};
use crate::server::shared::Shared;

/// Everything at one moment. Counts are read one after the other while traffic runs, so that two of them may differ by what ran between.
#[derive(Debug, Serialize)]
pub struct Statistics {
    snapshot: u64,
    uptime: f64,
    threads: usize,
    connections: Connections,
    exchanges: Exchanges,
    records: Records,
    responses: StatusCounts,
    causes: CauseCounts,
    listeners: BTreeMap<String, Vec<String>>,
    pools: BTreeMap<String, PoolStatistics>,
}

#[derive(Debug, Serialize)]
struct Connections {
    open: usize,
    idle: usize,
    accepted: u64,
    paused: u64,
}

#[derive(Debug, Serialize)]
struct Exchanges {
    running: usize,
    tunnels: usize,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Records {
    written: u64,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct PoolStatistics {
    requests: u64,
    attempts: u64,
    retries: u64,
    responses: StatusCounts,
    queue: QueueStatistics,
    latency: HistogramSnapshot,
    callable: Option<CallableStatistics>,
    endpoints: BTreeMap<String, EndpointStatistics>,
}

#[derive(Debug, Serialize)]
struct QueueStatistics {
    waiting: usize,
    full: u64,
    timed_out: u64,
}

#[derive(Debug, Serialize)]
struct EndpointStatistics {
    address: String,
    target: Option<String>,
    weight: u32,
    status: &'static str,
    reason: String,
    since: f64,
    passed_over: Option<f64>,
    requests: u64,
    failures: u64,
    consecutive_failures: u32,
    inflight: u32,
    connections: EndpointConnections,
    responses: StatusCounts,
    bytes: Bytes,
    latency: HistogramSnapshot,
    fields: Fields,
}

/// What a policy reads of an endpoint, besides its weight and what is in flight.
#[derive(Debug, Serialize)]
struct Fields {
    latency: f64,
    service_time: f64,
    error_rate: f64,
    age: f64,
    reported_load: f64,
}

#[derive(Debug, Serialize)]
struct EndpointConnections {
    open: u32,
    idle: usize,
}

#[derive(Debug, Serialize)]
struct Bytes {
    sent: u64,
    received: u64,
}

impl Statistics {
    /// Reads them; `addresses` are the listeners' own.
    #[must_use]
    pub(crate) fn read(shared: &Shared, addresses: BTreeMap<String, Vec<String>>) -> Self {
        let totals = &shared.totals;
        let snapshot = shared.load();
        let now = shared.now();
        let tunnels = totals.tunnels.load(Ordering::Relaxed);
        Self {
            snapshot: snapshot.spec.number,
            uptime: shared.epoch.elapsed().as_secs_f64(),
            threads: shared.threads,
            connections: Connections {
                open: totals.open.load(Ordering::Relaxed),
                idle: totals.parked.load(Ordering::Relaxed),
                accepted: totals.accepted.load(Ordering::Relaxed),
                paused: totals.paused.load(Ordering::Relaxed),
            },
            exchanges: Exchanges {
                // A tunnel is an exchange that runs, and is told apart here.
                running: totals.running.load(Ordering::Relaxed).saturating_sub(tunnels),
                tunnels,
                total: totals.exchanges.load(Ordering::Relaxed),
            },
            records: Records {
                written: shared.log.as_ref().map_or(0, crate::record::AccessLog::written),
                dropped: shared.log.as_ref().map_or(0, crate::record::AccessLog::dropped),
            },
            responses: totals.responses.snapshot(),
            causes: totals.causes.snapshot(),
            listeners: addresses,
            pools: snapshot.pools.iter().map(|(name, pool)| (name.clone(), of_pool(pool, now))).collect(),
        }
    }
}

fn of_pool(pool: &Pool, now: u64) -> PoolStatistics {
    let state = &pool.state;
    PoolStatistics {
        requests: state.requests.load(Ordering::Relaxed),
        attempts: state.attempts.load(Ordering::Relaxed),
        retries: state.retries.load(Ordering::Relaxed),
        responses: state.responses.snapshot(),
        queue: QueueStatistics {
            waiting: state.queue.waiting(),
            full: state.queue.full.load(Ordering::Relaxed),
            timed_out: state.queue.timed_out.load(Ordering::Relaxed),
        },
        latency: state.latency.snapshot(),
        callable: pool.caller().map(|caller| caller.statistics(now)),
        endpoints: pool.endpoints.iter().map(|endpoint| (endpoint.id.to_string(), of_endpoint(endpoint, now))).collect(),
    }
}

fn of_endpoint(endpoint: &Endpoint, now: u64) -> EndpointStatistics {
    let state = &endpoint.state;
    let left = state.reflex.left(now);
    let (status, reason) = status(endpoint, left);
    EndpointStatistics {
        address: endpoint.address.to_string(),
        target: endpoint.target.as_ref().map(ToString::to_string),
        weight: endpoint.weight,
        status,
        reason,
        since: now.saturating_sub(state.reflex.since(now)) as f64 / 1000.0,
        passed_over: left.map(|left| left as f64 / 1000.0),
        requests: state.requests.load(Ordering::Relaxed),
        failures: state.failures.load(Ordering::Relaxed),
        consecutive_failures: state.reflex.failures(),
        inflight: state.inflight().load(Ordering::Relaxed),
        connections: EndpointConnections { open: endpoint.idle.open(), idle: endpoint.idle.idle() },
        responses: state.responses.snapshot(),
        bytes: Bytes { sent: state.sent.load(Ordering::Relaxed), received: state.received.load(Ordering::Relaxed) },
        latency: state.latency.snapshot(),
        fields: fields(&state.slot, now),
    }
}

fn fields(slot: &Slot, now: u64) -> Fields {
    Fields {
        latency: slot.get(Column::Latency),
        service_time: slot.get(Column::ServiceTime),
        error_rate: slot.get(Column::ErrorRate),
        age: now as f64 / 1000.0 - slot.get(Column::Since),
        reported_load: slot.get(Column::ReportedLoad),
    }
}

fn status(endpoint: &Endpoint, left: Option<u64>) -> (&'static str, String) {
    let reflex = &endpoint.state.reflex;
    let last = reflex.cause().map_or("", crate::record::Cause::name);
    if endpoint.target.is_none() {
        ("unresolved", "its name has no address".into())
    } else if left.is_some() {
        ("ejected", format!("{} failures in a row, the last: {last}", reflex.failures()))
    } else if !endpoint.state.answered.load(Ordering::Relaxed) {
        ("unknown", if last.is_empty() { "no answer yet".into() } else { format!("no answer yet, the last failure: {last}") })
    } else if reflex.failures() >= FAILURES {
        ("healthy", format!("tried again after {} failures in a row", reflex.failures()))
    } else {
        ("healthy", "it answers".into())
    }
}
