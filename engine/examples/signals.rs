//! What learning costs: `cargo run --release -p forebay-engine --example signals [ENDPOINTS] [ANSWERS]`.
//!
//! Prints nanoseconds for each answer told and learned, and microseconds for each refresh, of pools of 10, 1,000 and 10,000 endpoints, or of
//! ENDPOINTS. Under `valgrind --tool=callgrind` the instructions of two runs with different ANSWERS, subtracted, give those of an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_engine::balance::columns::Columns;
use forebay_engine::balance::draw::draw;
use forebay_engine::balance::expression::Metrics;
use forebay_engine::balance::signals::Signals;
use forebay_engine::balance::slot::Shelf;

/// Between two refreshes.
const ANSWERS: u64 = 10_000;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let answers = numbers.get(1).copied().unwrap_or(2_000_000);
    match numbers.first() {
        Some(count) => measure(*count, answers),
        None => [10, 1000, 10_000].into_iter().for_each(|count| measure(count, answers)),
    }
}

fn measure(count: u64, answers: u64) {
    let shelf = Arc::new(Shelf::default());
    let columns = Columns::new((0..count).map(|_| shelf.slot()).collect(), &Metrics::default(), None);
    let signals = Signals::new(1);
    signals.joined(&columns, columns.slots(), 0.0);
    let (mut told, mut refreshed) = (Duration::ZERO, Vec::new());
    let mut now = 0.0;
    for begin in (0..answers).step_by(ANSWERS as usize) {
        let start = Instant::now();
        for number in begin..answers.min(begin + ANSWERS) {
            let chance = draw(1, number);
            if let Some(slot) = columns.slots().get((chance % count) as usize) {
                slot.picked();
                signals.answered(0, slot, (chance >> 40) as f64 / 1e9, 1 + (chance >> 60) as u32, chance >> 52 & 0xFFF != 0);
            }
        }
        told += start.elapsed();
        now += 0.125;
        let start = Instant::now();
        signals.refresh(&columns, now);
        refreshed.push(start.elapsed());
    }
    refreshed.sort_unstable();
    let each = told.as_nanos() as f64 / answers as f64;
    let middle = refreshed.get(refreshed.len() / 2).map_or(0.0, |taken| taken.as_nanos() as f64 / 1e3);
    println!("{count:>6} endpoints: {each:6.1} ns an answer, {middle:7.1} us a refresh");
}
