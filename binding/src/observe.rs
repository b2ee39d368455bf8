//! How endpoints stand, in both directions: JSON that control and the engine exchange.

use std::time::Duration;

use forebay_engine::{Engine, StandSpec};
use pyo3::prelude::*;

use crate::EngineError;

/// Takes in what control says.
pub(crate) fn stand(engine: &Engine, standing: &[u8]) -> PyResult<()> {
    let spec: StandSpec =
        serde_json::from_slice(standing).map_err(|error| EngineError::new_err(format!("no word on how endpoints stand: {error}")))?;
    engine.stand(&spec);
    Ok(())
}

/// What is new.
pub(crate) fn observe(engine: &Engine) -> PyResult<Vec<u8>> {
    serde_json::to_vec(&engine.observe()).map_err(|error| EngineError::new_err(error.to_string()))
}

/// Waits for news.
pub(crate) fn wait(engine: &Engine, seconds: f64) -> bool {
    engine.wait(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
