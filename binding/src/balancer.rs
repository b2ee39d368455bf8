//! A pool without a gateway: the engine's own picks for any Python program, on whatever clock the caller has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forebay_engine::balance::expression::Field;
use forebay_engine::balance::hash::hash;
use forebay_engine::balance::view::View as _;
use forebay_engine::pool::{Ask, Lease, Pool};
use forebay_engine::record::Cause;
use forebay_engine::snapshot::PoolSpec;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use crate::EngineError;

const FIELDS: [(&str, Field); 7] = [
    ("inflight", Field::Inflight),
    ("weight", Field::Weight),
    ("latency", Field::Latency),
    ("service_time", Field::ServiceTime),
    ("error_rate", Field::ErrorRate),
    ("age", Field::Age),
    ("reported_load", Field::ReportedLoad),
];

/// One pick that is not done.
struct Held {
    lease: Lease,
    /// Seconds.
    at: f64,
    answered: bool,
}

struct State {
    pool: Arc<Pool>,
    held: Vec<Option<Held>>,
    free: Vec<usize>,
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "forebay._engine")]
pub(crate) struct Balancer {
    state: Mutex<State>,
}

/// The engine's clock counts whole milliseconds; before 0 there is nothing.
#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a negative number becomes 0")]
fn millis(now: f64) -> u64 {
    (now * 1000.0) as u64
}

fn build(pool: &[u8], previous: Option<&Pool>, now: f64) -> PyResult<Arc<Pool>> {
    let spec: PoolSpec = serde_json::from_slice(pool).map_err(|error| EngineError::new_err(format!("not a pool: {error}")))?;
    Pool::build("balancer", spec, previous, 1, now).map(Arc::new).map_err(EngineError::new_err)
}

fn unknown(ticket: usize) -> PyErr {
    PyKeyError::new_err(format!("ticket {ticket} is not held: it was done, or never given"))
}

impl Balancer {
    /// Nothing panics while it holds this, and if it did, the state is still one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Balancer {
    #[new]
    #[pyo3(signature = (pool, now = 0.0))]
    fn new(pool: &[u8], now: f64) -> PyResult<Self> {
        let state = State { pool: build(pool, None, now)?, held: Vec::new(), free: Vec::new() };
        Ok(Self { state: Mutex::new(state) })
    }

    #[pyo3(signature = (now, key = None, tried = None))]
    fn pick(&self, now: f64, key: Option<&[u8]>, tried: Option<Vec<usize>>) -> Option<(usize, usize)> {
        let mut state = self.state();
        let pool = Arc::clone(&state.pool);
        pool.refresh(now);
        let tried: Vec<Arc<str>> =
            tried.into_iter().flatten().filter_map(|index| pool.endpoints.get(index)).map(|each| Arc::clone(&each.id)).collect();
        let ask = Ask { tried: &tried, key: key.map(|key| hash(key, pool.spec.seed)), pinned: None, near: false };
        let lease = pool.pick(&ask, || millis(now)).ok()?;
        let index = lease.index();
        let held = Some(Held { lease, at: now, answered: false });
        let ticket = state.free.pop().unwrap_or(state.held.len());
        match state.held.get_mut(ticket) {
            Some(place) => *place = held,
            None => state.held.push(held),
        }
        Some((ticket, index))
    }

    fn answered(&self, ticket: usize, now: f64, ok: bool) -> PyResult<()> {
        let mut state = self.state();
        let pool = Arc::clone(&state.pool);
        let held = state.held.get_mut(ticket).and_then(Option::as_mut).ok_or_else(|| unknown(ticket))?;
        if !std::mem::replace(&mut held.answered, true) {
            pool.answered(&held.lease, 0, now - held.at, ok, || millis(now));
        }
        Ok(())
    }

    fn failed(&self, ticket: usize, now: f64) -> PyResult<()> {
        let mut state = self.state();
        let pool = Arc::clone(&state.pool);
        let held = state.held.get_mut(ticket).and_then(Option::take).ok_or_else(|| unknown(ticket))?;
        state.free.push(ticket);
        pool.failed(held.lease.endpoint(), 0, Cause::ClosedBeforeResponse, millis(now));
        Ok(())
    }

    #[expect(unused_variables, reason = "every event has a time, though nothing is learned from this one")]
    fn done(&self, ticket: usize, now: f64) -> PyResult<()> {
        let mut state = self.state();
        let held = state.held.get_mut(ticket).and_then(Option::take).ok_or_else(|| unknown(ticket))?;
        state.free.push(ticket);
        drop(state);
        drop(held);
        Ok(())
    }

    #[expect(clippy::needless_pass_by_value, reason = "what Python gives is owned")]
    fn report(&self, index: usize, now: f64, load: f64, metrics: BTreeMap<String, f64>) -> PyResult<()> {
        let pool = Arc::clone(&self.state().pool);
        let endpoint = pool.endpoints.get(index).ok_or_else(|| PyKeyError::new_err(format!("there is no endpoint {index}")))?;
        let metrics: Vec<(&str, f64)> = metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        pool.reported(endpoint, now, load, &metrics);
        Ok(())
    }

    fn columns(&self, now: f64) -> BTreeMap<&'static str, Vec<f64>> {
        let pool = Arc::clone(&self.state().pool);
        pool.refresh(now);
        let moment = pool.moment(now);
        let column = |field| (0..moment.count()).map(|index| moment.value(field, index)).collect();
        FIELDS.into_iter().map(|(name, field)| (name, column(field))).collect()
    }

    fn update(&self, pool: &[u8], now: f64) -> PyResult<()> {
        let mut state = self.state();
        state.pool = build(pool, Some(&state.pool), now)?;
        Ok(())
    }
}
