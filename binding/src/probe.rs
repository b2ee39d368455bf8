//! Probes, as control orders them and reads what they came to: JSON in both directions.

use forebay_engine::Engine;
use forebay_engine::probe::Order;
use pyo3::prelude::*;

use crate::{EngineError, raise};

/// Begins what a list of orders asks for.
pub(crate) fn begin(engine: &Engine, orders: &[u8]) -> PyResult<()> {
    let orders: Vec<Order> =
        serde_json::from_slice(orders).map_err(|error| EngineError::new_err(format!("not an order of probes: {error}")))?;
    engine.probe(orders).map_err(raise)
}

/// All outcomes since the last call.
pub(crate) fn outcomes(engine: &Engine) -> PyResult<Vec<u8>> {
    serde_json::to_vec(&engine.probed()).map_err(|error| EngineError::new_err(error.to_string()))
}
