//! `_engine.serving`: the rule of who may serve, for comparison with its twin in Python.

use forebay_engine::failover::serving::{EndpointView, Memory, PoolRules, Serving, serving as rule};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

use crate::EngineError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    rules: PoolRules,
    memory: Memory,
    endpoints: Vec<EndpointView>,
    now: u64,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    serving: Serving,
    memory: Memory,
}

/// See `_engine.pyi`.
#[pyfunction]
pub(crate) fn serving(py: Python<'_>, question: &[u8]) -> PyResult<Vec<u8>> {
    let question: Question =
        serde_json::from_slice(question).map_err(|error| EngineError::new_err(format!("no question that the rule answers: {error}")))?;
    let answer = py.detach(|| {
        let (serving, memory) = rule(&question.endpoints, &question.rules, question.memory, question.now);
        serde_json::to_vec(&Answer { serving, memory })
    });
    answer.map_err(|error| EngineError::new_err(error.to_string()))
}
