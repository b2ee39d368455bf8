//! What a pick by a score costs: `cargo run --release -p forebay-engine --example pick [CASE] [PICKS]`.
//!
//! Prints nanoseconds for each pick of each case, or of those whose name contains CASE, in the fastest of 20 rounds of PICKS. Under `valgrind --tool=callgrind` the instructions of
//! two runs with different PICKS, subtracted, give those of a pick.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use forebay_engine::balance::columns::{Columns, Moment};
use forebay_engine::balance::draw::{Occasion, draw};
use forebay_engine::balance::expression::Metrics;
use forebay_engine::balance::score::Score;
use forebay_engine::balance::slot::{Column, Shelf};
use forebay_engine::balance::view::Masked;

const DELAY: &str = r#"["/", ["*", ["+", "inflight", 1], "service_time"], "weight"]"#;
const USER: &str = r#"["+", ["/", ["*", ["+", "inflight", 1], "service_time"], "weight"], ["*", 0.1, "error_rate"]]"#;
const EXP: &str = r#"["*", ["+", "inflight", 1], ["exp", ["neg", "age"]]]"#;

const CASES: [(&str, &str, usize); 10] = [
    ("least inflight", r#""inflight""#, 10),
    ("expected delay", DELAY, 10),
    ("user's", USER, 10),
    ("least inflight", r#""inflight""#, 1000),
    ("expected delay", DELAY, 1000),
    ("user's", USER, 1000),
    ("expected delay, equal weights,", DELAY, 1000),
    ("exp of age", EXP, 1000),
    ("expected delay", DELAY, 10_000),
    ("user's", USER, 10_000),
];

/// The fastest of so many rounds counts: what else the machine does can only add.
const ROUNDS: u64 = 20;

fn columns(count: usize) -> Columns {
    let shelf = Arc::new(Shelf::default());
    let slots: Vec<_> = (0..count).map(|_| shelf.slot()).collect();
    for (slot, k) in slots.iter().zip(0..) {
        slot.inflight().store((draw(1, k) % 8) as u32, Ordering::Relaxed);
        slot.set(Column::ServiceTime, 0.001 + (draw(2, k) % 1000) as f64 / 1e5);
        slot.set(Column::ErrorRate, (draw(3, k) % 10) as f64 / 1e3);
        slot.set(Column::Since, (draw(4, k) % 100) as f64);
    }
    Columns::new(slots, &Metrics::default(), None)
}

fn run(score: &Score, (count, alike): (usize, bool), picks: u64) -> f64 {
    let columns = columns(count);
    let weights: Vec<f64> = if alike { Vec::new() } else { (0..count).map(|index| 1.0 + (index % 3) as f64).collect() };
    let mut masks = vec![u64::MAX; count.div_ceil(64)];
    // Every hundredth is out of service.
    for index in (0..count).step_by(100) {
        if let Some(mask) = masks.get_mut(index / 64) {
            *mask &= !(1 << (index % 64));
        }
    }
    let eligible = Masked::<fn(usize) -> bool> { masks: &masks, check: None };
    let mut least = f64::INFINITY;
    for round in 0..ROUNDS {
        let start = Instant::now();
        for turn in round * picks..(round + 1) * picks {
            let view = Moment { columns: &columns, weights: &weights, now: 200.0 };
            let picked = black_box(score.pick(&view, Occasion { seed: 7, turn, key: None }, &eligible));
            // As if each answer came eight picks later.
            if let Some(slot) = picked.and_then(|index| columns.slots().get(index)) {
                slot.inflight().store(((turn >> 3) & 7) as u32, Ordering::Relaxed);
            }
        }
        least = least.min(start.elapsed().as_nanos() as f64 / picks as f64);
    }
    least
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let picks = arguments.next().map_or(Ok(20_000), |picks| picks.parse()).map_err(|error| format!("PICKS: {error}"))?;
    for (name, expression, count) in CASES {
        let case = format!("{name} of {count}.");
        if !case.contains(&wanted) {
            continue;
        }
        let spec = serde_json::from_str(&format!(r#"{{"order": "least", "expression": {expression}, "choices": null, "ties": "random"}}"#))
            .map_err(|error| error.to_string())?;
        let score = Score::new(&spec, &mut Metrics::default())?;
        println!("{case:40} {:8.1} ns", run(&score, (count, name.contains("equal")), picks));
    }
    Ok(())
}
