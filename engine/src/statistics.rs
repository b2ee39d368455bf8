//! The engine's counts as plain values, in the shape that `forebay.observe.statistics` reads.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::balance::callable::CallableStatistics;
use crate::balance::slot::{Column, Slot};
use crate::endpoint::Endpoint;
use crate::failover::reflex::Ground;
use crate::failover::serving::Status;
use crate::failover::standing::Inner;
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
    effort: EffortStatistics,
    responses: StatusCounts,
    tier: u8,
    all_down: bool,
    queue: QueueStatistics,
    latency: HistogramSnapshot,
    callable: Option<CallableStatistics>,
    endpoints: BTreeMap<String, EndpointStatistics>,
}

#[derive(Debug, Serialize)]
struct EffortStatistics {
    raced: u64,
    hedged: u64,
    cancelled: u64,
    refused: u64,
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
    tier: u8,
    role: &'static str,
    status: &'static str,
    reason: String,
    since: f64,
    next: Option<String>,
    passed_over: Option<f64>,
    trial: bool,
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
    pool.look_after(now);
    let (state, tier) = (&pool.state, pool.tier().unwrap_or(0));
    PoolStatistics {
        requests: state.requests.load(Ordering::Relaxed),
        attempts: state.attempts.load(Ordering::Relaxed),
        retries: state.retries.load(Ordering::Relaxed),
        effort: EffortStatistics {
            raced: state.effort.raced.load(Ordering::Relaxed),
            hedged: state.effort.hedges.taken.load(Ordering::Relaxed),
            cancelled: state.effort.cancelled.load(Ordering::Relaxed),
            refused: state.effort.retries.refused.load(Ordering::Relaxed),
        },
        responses: state.responses.snapshot(),
        tier,
        all_down: pool.is_all_down(),
        queue: QueueStatistics {
            waiting: state.queue.waiting(),
            full: state.queue.full.load(Ordering::Relaxed),
            timed_out: state.queue.timed_out.load(Ordering::Relaxed),
        },
        latency: state.latency.snapshot(),
        callable: pool.caller().map(|caller| caller.statistics(now)),
        endpoints: pool.endpoints.iter().map(|endpoint| (endpoint.id.to_string(), of_endpoint(endpoint, tier, now))).collect(),
    }
}

fn of_endpoint(endpoint: &Endpoint, tier: u8, now: u64) -> EndpointStatistics {
    let state = &endpoint.state;
    let stood = state.standing.read(|inner| stood(endpoint, inner, now));
    EndpointStatistics {
        address: endpoint.address.to_string(),
        target: endpoint.target.as_ref().map(ToString::to_string),
        weight: endpoint.weight,
        tier: endpoint.tier,
        role: if endpoint.tier == tier { "active" } else { "standby" },
        status: stood.status,
        reason: stood.reason,
        since: now.saturating_sub(stood.since) as f64 / 1000.0,
        next: stood.next,
        passed_over: stood.left.map(seconds),
        trial: stood.trial,
        requests: state.requests.load(Ordering::Relaxed),
        failures: state.failures.load(Ordering::Relaxed),
        consecutive_failures: stood.failures,
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

/// How an endpoint stands, for people.
struct Stood {
    status: &'static str,
    reason: String,
    next: Option<String>,
    since: u64,
    left: Option<u64>,
    trial: bool,
    failures: u32,
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

fn stood(endpoint: &Endpoint, inner: &Inner, now: u64) -> Stood {
    let (status, since) = inner.status(now);
    let reflex = inner.reflex();
    let left = reflex.pause(now).map(|pause| pause.until.saturating_sub(now)).filter(|left| *left > 0);
    let ends = left.or_else(|| inner.until().map(|until| until.saturating_sub(now)).filter(|left| *left > 0));
    let (name, reason) = if endpoint.target.is_none() {
        ("unresolved", "its name has no address".to_owned())
    } else if let Some(shown) = left.and_then(|_| paused(inner, now)) {
        shown
    } else {
        (status.name(), reason(endpoint, inner, status, now))
    };
    let next = match (ends, name) {
        _ if inner.is_on_trial() => Some("one request tries it".to_owned()),
        (Some(left), "draining" | "disabled") => Some(format!("serves again in {:.1} s", seconds(left))),
        (Some(left), _) => Some(format!("one request tries it in {:.1} s", seconds(left))),
        (None, _) if endpoint.target.is_some() && inner.awaits_trial(now) => Some("the next request tries it".to_owned()),
        _ => None,
    };
    let since = if left.is_some() { inner.paused_at().max(since) } else { since };
    Stood { status: name, reason, next, since, left, trial: inner.is_on_trial(), failures: reflex.failures() }
}

/// What is said of an endpoint that is passed over.
fn paused(inner: &Inner, now: u64) -> Option<(&'static str, String)> {
    let reflex = inner.reflex();
    let last = reflex.cause().map_or("server_error", crate::record::Cause::name);
    Some(match reflex.pause(now)?.ground {
        Ground::Unreachable if reflex.failures() < 2 => ("down", format!("passed over: {last}")),
        Ground::Unreachable => ("down", format!("passed over: {last}, {} failures in a row", reflex.failures())),
        Ground::Failures if reflex.failures() == 0 => ("ejected", "its trial was answered with a server error".to_owned()),
        Ground::Failures => ("ejected", format!("{} failures in a row, the last: {last}", reflex.failures())),
        Ground::Closing => ("draining", "it closes its connections".to_owned()),
        Ground::RetryAfter => ("draining", "it asked to be left alone with Retry-After".to_owned()),
    })
}

fn reason(endpoint: &Endpoint, inner: &Inner, status: Status, now: u64) -> String {
    let reflex = inner.reflex();
    let last = reflex.cause().map(crate::record::Cause::name);
    if status == Status::Suspect && inner.is_silent() {
        "silent for longer than usual while others answer".into()
    } else if !matches!(status, Status::Unknown | Status::Healthy) {
        "said by control".into()
    } else if reflex.pause(now).is_some() {
        format!("tried again after {} failures in a row", reflex.failures())
    } else if endpoint.state.answered.load(Ordering::Relaxed) {
        "it answers".into()
    } else {
        last.map_or_else(|| "no answer yet".into(), |last| format!("no answer yet, the last failure: {last}"))
    }
}
