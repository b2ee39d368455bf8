//! Two small rules of the engine, for comparison with those of the same name in `forebay.failover`.

use forebay_engine::balance::draw::Occasion;
use forebay_engine::failover::budget::{Bucket, Flow};
use forebay_engine::failover::slow_start::may;
use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn slow_start(seed: u64, turn: u64, index: usize, age: u64, window: u64) -> bool {
    may(Occasion { seed, turn, key: None }, index, age, window)
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "it comes from Python")]
pub(crate) fn budget(share: f64, hedges: bool, asks: Vec<(u64, u64, u64)>) -> Vec<bool> {
    let bucket = Bucket::default();
    let flow = |inflight| if hedges { Flow::of_hedges(share) } else { Flow::of_retries(share, inflight) };
    asks.iter().map(|(requests, inflight, now)| bucket.take(flow(*inflight), *requests, *now)).collect()
}
