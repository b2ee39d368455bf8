//! What a pick costs: `cargo run --release -p forebay-engine --example pick [CASE] [PICKS]`.
//!
//! Prints nanoseconds for each pick of each case, or of those whose line contains CASE, in the fastest of 20 rounds of PICKS. Under
//! `valgrind --tool=callgrind` the instructions of two runs with different PICKS, subtracted, give those of a pick.
//!
//! `whole` is what a request pays: the pool's pick, the hold on the endpoint, and giving it back. The other kinds are the policy alone.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use forebay_engine::balance::columns::{Columns, Moment};
use forebay_engine::balance::draw::{Occasion, draw};
use forebay_engine::balance::expression::Metrics;
use forebay_engine::balance::policy::{Policy, PolicySpec};
use forebay_engine::balance::slot::{Column, Shelf, Slot};
use forebay_engine::balance::view::Masked;
use forebay_engine::pool::{Ask, Pool};
use forebay_engine::snapshot::PoolSpec;
use serde_json::{Value, json};

/// The fastest of so many rounds counts: what else the machine does can only add.
const ROUNDS: u64 = 20;
/// Exchanges that run at once.
const HELD: usize = 8;

/// One thing to measure.
struct Case {
    /// What kind of cost it is.
    kind: &'static str,
    name: &'static str,
    policy: Value,
    count: usize,
    /// All endpoints have weight 1.
    alike: bool,
}

impl Case {
    fn title(&self) -> String {
        format!("{} {} of {}.", self.kind, self.name, self.count)
    }
}

fn cases() -> Vec<Case> {
    let structural = |count: usize| {
        [
            ("round_robin", json!({"kind": "round_robin"})),
            ("weighted_round_robin", json!({"kind": "weighted_round_robin"})),
            ("random", json!({"kind": "random"})),
            ("weighted_random", json!({"kind": "weighted_random"})),
            ("first_available", json!({"kind": "first_available", "limit": 100})),
            ("maglev", hash("maglev")),
            ("ring", hash("ring")),
            ("rendezvous", hash("rendezvous")),
        ]
        .map(|(name, policy)| Case { kind: "structural", name, policy, count, alike: false })
    };
    let scores = |count: usize| {
        [
            ("least_connections", score(&least_connections(), None)),
            ("shortest_expected_delay", score(&expected_delay(), None)),
            ("least_busy", score(&json!(["max", "reported_load", ["/", "inflight", ["+", "inflight", "weight"]]]), None)),
            ("peak_ewma", score(&json!(["/", ["*", one_more(), "latency"], "weight"]), Some(2))),
            ("power_of_two", score(&least_connections(), Some(2))),
            ("a user's", score(&json!(["+", expected_delay(), ["*", 0.1, "error_rate"]]), None)),
            ("exp of age", score(&json!(["*", one_more(), ["exp", ["neg", "age"]]]), None)),
        ]
        .map(|(name, policy)| Case { kind: "score", name, policy, count, alike: false })
    };
    let mut cases = Vec::new();
    for count in [10, 1000, 10_000] {
        cases.extend(structural(count));
        cases.extend(scores(count));
        let policy = score(&expected_delay(), None);
        cases.push(Case { kind: "score", name: "shortest_expected_delay, equal weights,", policy: policy.clone(), count, alike: true });
        cases.push(Case { kind: "whole", name: "shortest_expected_delay", policy, count, alike: true });
    }
    cases
}

fn hash(table: &str) -> Value {
    json!({"kind": "consistent_hash", "table": table, "key": "path", "bounded_load": null, "fallback": {"kind": "random"}})
}

fn score(expression: &Value, choices: Option<usize>) -> Value {
    json!({"kind": "score", "order": "least", "expression": expression, "choices": choices, "ties": "random"})
}

fn one_more() -> Value {
    json!(["+", "inflight", 1])
}

fn least_connections() -> Value {
    json!(["/", one_more(), "weight"])
}

fn expected_delay() -> Value {
    json!(["/", ["*", one_more(), "service_time"], "weight"])
}

/// Gives an endpoint numbers of its own.
fn fill(slot: &Slot, k: u64) {
    slot.set(Column::Latency, 0.001 + (draw(5, k) % 1000) as f64 / 1e5);
    slot.set(Column::ServiceTime, 0.001 + (draw(2, k) % 1000) as f64 / 1e5);
    slot.set(Column::ErrorRate, (draw(3, k) % 10) as f64 / 1e3);
    slot.set(Column::Since, (draw(4, k) % 100) as f64);
}

/// Every hundredth is out of service.
fn masks(count: usize) -> Vec<u64> {
    let mut masks = vec![u64::MAX; count.div_ceil(64)];
    for index in (0..count).step_by(100) {
        if let Some(mask) = masks.get_mut(index / 64) {
            *mask &= !(1 << (index % 64));
        }
    }
    masks
}

/// Nanoseconds that each of `picks` calls takes, in the fastest round.
fn fastest(picks: u64, mut pick: impl FnMut(u64)) -> f64 {
    let mut least = f64::INFINITY;
    for round in 0..ROUNDS {
        let start = Instant::now();
        (round * picks..(round + 1) * picks).for_each(&mut pick);
        least = least.min(start.elapsed().as_nanos() as f64 / picks as f64);
    }
    least
}

/// Of the policy alone.
fn policy(case: &Case, picks: u64) -> Result<f64, String> {
    let shelf = Arc::new(Shelf::default());
    let slots: Vec<_> = (0..case.count).map(|_| shelf.slot()).collect();
    for (slot, k) in slots.iter().zip(0..) {
        fill(slot, k);
        slot.inflight().store((draw(1, k) % 8) as u32, Ordering::Relaxed);
    }
    let columns = Columns::new(slots, &Metrics::default(), None);
    let weights: Vec<f64> = if case.alike { Vec::new() } else { (0..case.count).map(|index| 1.0 + (index % 3) as f64).collect() };
    let ids: Vec<String> = (0..case.count).map(|index| format!("server-{index}")).collect();
    let members: Vec<(&str, f64)> = ids.iter().enumerate().map(|(at, id)| (id.as_str(), weights.get(at).copied().unwrap_or(1.0))).collect();
    let spec: PolicySpec = serde_json::from_value(case.policy.clone()).map_err(|error| error.to_string())?;
    let policy = Policy::new(&spec, &members, 7, &mut Metrics::default())?;
    let masks = masks(case.count);
    let eligible = Masked::<fn(usize) -> bool> { masks: &masks, check: None };
    Ok(fastest(picks, |turn| {
        let view = Moment { columns: &columns, weights: &weights, now: 200.0 };
        let occasion = Occasion { seed: 7, turn, key: Some(draw(6, turn)) };
        let picked = black_box(policy.pick(&view, occasion, &eligible));
        // As if each answer came some picks later.
        if let Some(slot) = picked.and_then(|(index, _)| columns.slots().get(index)) {
            slot.inflight().store(((turn >> 3) & 7) as u32, Ordering::Relaxed);
        }
    }))
}

/// Of the pool.
fn whole(case: &Case, picks: u64) -> Result<f64, String> {
    let endpoint = |index: usize| json!({"id": format!("server-{index}"), "address": "127.0.0.1:9", "target": "127.0.0.1:9", "weight": 1});
    let spec: PoolSpec = serde_json::from_value(json!({
        "policy": case.policy, "seed": 7, "endpoints": (0..case.count).map(endpoint).collect::<Vec<_>>(), "host": "client",
        "connect_timeout": 1.0, "max_connections": null, "max_inflight": null, "queue": {"size": 10, "timeout": 1.0},
        "retry": {"attempts": 3, "replay_buffer": 65536},
    }))
    .map_err(|error| error.to_string())?;
    let pool = Arc::new(Pool::build("app", spec, None, 1, 0.0)?);
    for (endpoint, k) in pool.endpoints.iter().zip(0..) {
        fill(&endpoint.state.slot, k);
    }
    let mut held = VecDeque::with_capacity(HELD + 1);
    Ok(fastest(picks, |_| {
        held.push_back(black_box(pool.pick(&Ask::default(), || 0).ok()));
        if held.len() > HELD {
            held.pop_front();
        }
    }))
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let picks = arguments.next().map_or(Ok(20_000), |picks| picks.parse()).map_err(|error| format!("PICKS: {error}"))?;
    let wanted: Vec<Case> = cases().into_iter().filter(|case| case.title().contains(&wanted)).collect();
    if wanted.is_empty() {
        return Err("no case has such a title: without arguments all are printed".into());
    }
    for case in wanted {
        let nanoseconds = if case.kind == "whole" { whole(&case, picks)? } else { policy(&case, picks)? };
        println!("{:60} {nanoseconds:8.1} ns", case.title());
    }
    Ok(())
}
