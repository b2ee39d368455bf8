//! What a pool learns, played from a list of events: for comparison with `forebay.balance.reference.signals`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forebay_engine::balance::columns::{Columns, Moment};
use forebay_engine::balance::expression::{Expression, ExpressionSpec, Field, Metrics};
use forebay_engine::balance::signals::Signals;
use forebay_engine::balance::slot::{Column, Shelf, Slot};
use forebay_engine::balance::view::View;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::EngineError;

/// Endpoints are numbered from 0.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Picked(usize),
    /// Latency, in flight, ok.
    Answered(usize, f64, u32, bool),
    Failed(usize),
    /// Now, load, metrics, in flight.
    Report(usize, f64, f64, BTreeMap<String, f64>, u32),
    /// Now.
    Joined(usize, f64),
    /// Now, in flight by endpoint.
    Refresh(f64, Vec<u32>),
}

/// The columns by the name of their field.
type Shown = BTreeMap<String, Vec<f64>>;

/// See `_engine.pyi`.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python's arguments are converted to owned values")]
pub(crate) fn signals(py: Python<'_>, count: usize, metrics: Vec<String>, events: &[u8]) -> PyResult<Vec<u8>> {
    let events: Vec<Event> =
        serde_json::from_slice(events).map_err(|error| EngineError::new_err(format!("not a list of events: {error}")))?;
    py.detach(|| play(count, &metrics, &events)).map_err(EngineError::new_err)
}

fn play(count: usize, names: &[String], events: &[Event]) -> Result<Vec<u8>, String> {
    let mut metrics = Metrics::default();
    for name in names {
        let words = ["reported", name].map(|word| ExpressionSpec::Name(word.to_owned()));
        Expression::new(&ExpressionSpec::Call(words.into()), &mut metrics)?;
    }
    let shelf = Arc::new(Shelf::default());
    let columns = Columns::new((0..count).map(|_| shelf.slot()).collect(), &metrics, None);
    let signals = Signals::new(1);
    signals.joined(&columns, columns.slots(), 0.0);
    let mut shown: Vec<Shown> = Vec::new();
    for event in events {
        if let Some(now) = happen(&signals, &columns, event)? {
            shown.push(read(&columns, names, now));
        }
    }
    serde_json::to_vec(&shown).map_err(|error| error.to_string())
}

/// Lets one event happen; returns when it was, if it has written columns.
fn happen(signals: &Signals, columns: &Columns, event: &Event) -> Result<Option<f64>, String> {
    let slot = |index: usize| columns.slots().get(index).ok_or_else(|| format!("there is no endpoint {index}"));
    match event {
        Event::Picked(index) => slot(*index)?.picked(),
        Event::Answered(index, latency, inflight, ok) => signals.answered(0, slot(*index)?, *latency, *inflight, *ok),
        Event::Failed(index) => signals.failed(0, slot(*index)?),
        Event::Report(index, now, load, metrics, inflight) => {
            let own = slot(*index)?.inflight();
            let before = own.swap(*inflight, Ordering::Relaxed);
            let metrics: Vec<(&str, f64)> = metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            signals.report(columns, slot(*index)?, *now, *load, &metrics);
            own.store(before, Ordering::Relaxed);
        }
        Event::Joined(index, now) => {
            signals.joined(columns, std::slice::from_ref(slot(*index)?), *now);
            return Ok(Some(*now));
        }
        Event::Refresh(now, inflight) => {
            for (slot, inflight) in columns.slots().iter().zip(inflight) {
                Slot::inflight(slot).store(*inflight, Ordering::Relaxed);
            }
            signals.refresh(columns, *now);
            return Ok(Some(*now));
        }
    }
    Ok(None)
}

fn read(columns: &Columns, names: &[String], now: f64) -> Shown {
    let moment = Moment { columns, weights: &[], now };
    let column = |field: Field| (0..moment.count()).map(|index| moment.value(field, index)).collect();
    let learned = [
        ("latency", Field::Latency),
        ("service_time", Field::ServiceTime),
        ("error_rate", Field::ErrorRate),
        ("age", Field::Age),
        ("reported_load", Field::ReportedLoad),
    ];
    let learned = learned.into_iter().map(|(name, field)| (name.to_owned(), column(field)));
    let reported = (0..).zip(names).map(|(metric, name)| (format!("reported:{name}"), column(Field::Reported(metric))));
    let others = columns.slots().iter().map(|slot| slot.get(Column::Others)).collect();
    learned.chain(reported).chain([("others".to_owned(), others)]).collect()
}
