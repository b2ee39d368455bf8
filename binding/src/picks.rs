//! Picks on a state that is given, not learned: what tests hold against the reference.

use std::collections::HashMap;

use forebay_engine::balance::draw::Occasion;
use forebay_engine::balance::expression::{Field, Metrics};
use forebay_engine::balance::policy::{Policy, PolicySpec};
use forebay_engine::balance::program::BLOCK;
use forebay_engine::balance::view::View;
use pyo3::prelude::*;

use crate::EngineError;

/// Columns as they were given; one that was not is all zeros.
struct Table {
    weights: Vec<f64>,
    columns: HashMap<String, Vec<f64>>,
    metrics: Metrics,
}

impl Table {
    fn column(&self, field: Field) -> Option<&[f64]> {
        let name = match field {
            Field::Weight => return Some(&self.weights),
            Field::Inflight => "inflight".to_owned(),
            Field::Latency => "latency".to_owned(),
            Field::ServiceTime => "service_time".to_owned(),
            Field::ErrorRate => "error_rate".to_owned(),
            Field::Age => "age".to_owned(),
            Field::ReportedLoad => "reported_load".to_owned(),
            Field::Reported(place) => format!("reported:{}", self.metrics.names().get(usize::from(place))?),
        };
        self.columns.get(&name).map(Vec::as_slice)
    }
}

impl View for Table {
    fn count(&self) -> usize {
        self.weights.len()
    }

    fn fill(&self, field: Field, block: usize, out: &mut [f64]) {
        out.fill(0.0);
        let column = self.column(field).and_then(|column| column.get(block * BLOCK..)).unwrap_or_default();
        for (out, value) in out.iter_mut().zip(column) {
            *out = *value;
        }
    }

    fn value(&self, field: Field, index: usize) -> f64 {
        self.column(field).and_then(|column| column.get(index)).copied().unwrap_or(0.0)
    }
}

/// The indices of `count` picks in a row on a state that stays as it is.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the signature of the reference")]
#[expect(clippy::needless_pass_by_value, reason = "what Python gives is owned")]
pub(crate) fn picks(
    policy: &[u8],
    endpoints: Vec<(String, f64)>,
    columns: HashMap<String, Vec<f64>>,
    eligible: Vec<bool>,
    seed: u64,
    turn: u64,
    count: usize,
    key: Option<u64>,
) -> PyResult<Vec<Option<usize>>> {
    let spec: PolicySpec = serde_json::from_slice(policy).map_err(|error| EngineError::new_err(format!("not a policy: {error}")))?;
    let members: Vec<(&str, f64)> = endpoints.iter().map(|(id, weight)| (id.as_str(), *weight)).collect();
    let mut metrics = Metrics::default();
    let policy = Policy::new(&spec, &members, seed, &mut metrics).map_err(EngineError::new_err)?;
    let weights: Vec<f64> = endpoints.iter().map(|(_, weight)| *weight).collect();
    let able: Vec<bool> = eligible.iter().zip(&weights).map(|(eligible, weight)| *eligible && *weight > 0.0).collect();
    let table = Table { weights, columns, metrics };
    let may = |index: usize| able.get(index).copied().unwrap_or(false);
    let mut turn = turn;
    let picks = (0..count).map(|_| {
        let picked = policy.pick(&table, Occasion { seed, turn, key }, &may);
        turn = turn.wrapping_add(1 + picked.map_or(0, |(_, passed)| passed));
        picked.map(|(index, _)| index)
    });
    Ok(picks.collect())
}
