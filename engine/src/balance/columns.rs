//! What is known of a pool's endpoints, in the order in which a snapshot has them, as a score reads it.
//!
//! Endpoints that are neighbours in a snapshot nearly always have neighbouring slots, and are read in runs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::expression::{Field, Metrics};
use super::number::max;
use super::program::BLOCK;
use super::slot::{Block, Cells, Column, Lane, Slot, copy_counts};
use super::view::View;

/// A reported metric of all slots, by the place of their block.
#[derive(Debug)]
struct Metric {
    name: Arc<str>,
    blocks: Box<[Arc<Reported>]>,
}

#[derive(Debug)]
struct Reported {
    /// As scores read it.
    shown: Cells,
    /// As the endpoint's last report has it; NaN where that has none.
    told: Cells,
}

impl Default for Reported {
    fn default() -> Self {
        let told = Cells::default();
        (0..BLOCK).for_each(|lane| told.set(lane, f64::NAN));
        Self { shown: Cells::default(), told }
    }
}

/// Endpoints whose slots lie side by side.
#[derive(Debug)]
struct Run {
    block: Arc<Block>,
    place: usize,
    /// The first lane in the block of slots, and in the block of endpoints.
    from: usize,
    to: usize,
    count: usize,
}

/// The slots of a snapshot's endpoints, in their order.
#[derive(Debug)]
pub struct Columns {
    slots: Box<[Arc<Slot>]>,
    /// For each block of 64 endpoints.
    runs: Box<[Box<[Run]>]>,
    metrics: Box<[Metric]>,
}

impl Columns {
    /// Columns for endpoints that hold these slots. The values of the reported metrics come from the columns before where those had them, and
    /// are 0 elsewhere.
    #[must_use]
    pub fn new(slots: Vec<Arc<Slot>>, metrics: &Metrics, previous: Option<&Self>) -> Self {
        let runs = slots.chunks(BLOCK).map(runs).collect();
        let metrics = metrics.names().iter().map(|name| Metric::new(name, &slots, previous)).collect();
        Self { slots: slots.into(), runs, metrics }
    }

    /// The slot of each endpoint.
    #[must_use]
    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Where the numbers of each endpoint stand.
    pub fn lanes(&self) -> impl Iterator<Item = Lane<'_>> {
        self.runs.iter().flatten().flat_map(|run| {
            let lanes = run.from..run.from + run.count;
            lanes.map(|index| Lane { block: &run.block, place: run.place, index })
        })
    }

    /// A reported metric of a slot, by its place in the pool's [`Metrics`].
    #[must_use]
    pub fn metric(&self, metric: u16, slot: &Slot) -> Option<&AtomicU64> {
        self.reported(metric, slot).map(|reported| reported.shown.cell(slot.lane))
    }

    /// What a slot's last report says of a metric, by its place in the pool's [`Metrics`]; NaN where it says nothing.
    #[must_use]
    pub fn told(&self, metric: u16, slot: &Slot) -> Option<&AtomicU64> {
        self.reported(metric, slot).map(|reported| reported.told.cell(slot.lane))
    }

    /// Those of a block of endpoints that have fewer exchanges from here, a bit each.
    #[must_use]
    pub fn below(&self, block: usize, most: u32) -> u64 {
        let mut found = 0;
        for run in self.runs.get(block).into_iter().flatten() {
            let counts = run.block.inflight.iter().skip(run.from).take(run.count);
            // In one order with those who give places back and look who waits.
            let bits = (0..).zip(counts).fold(0, |bits, (lane, count)| bits | u64::from(count.load(Ordering::SeqCst) < most) << lane);
            found |= bits << run.to;
        }
        found
    }

    /// The reported metrics and their names.
    pub fn metrics(&self) -> impl Iterator<Item = (u16, &str)> {
        (0..).zip(self.metrics.iter().map(|metric| &*metric.name))
    }

    fn reported(&self, metric: u16, slot: &Slot) -> Option<&Reported> {
        self.metrics.get(usize::from(metric))?.blocks.get(slot.place).map(|reported| &**reported)
    }

    fn each_run(&self, block: usize, out: &mut [f64], read: impl Fn(&Run, &mut [f64])) {
        for run in self.runs.get(block).into_iter().flatten() {
            if let Some(out) = out.get_mut(run.to..run.to + run.count) {
                read(run, out);
            }
        }
    }

    fn fill_learned(&self, column: Column, block: usize, out: &mut [f64]) {
        self.each_run(block, out, |run, out| run.block.cells(column).copy(run.from, out));
    }

    fn fill_inflight(&self, block: usize, out: &mut [f64]) {
        self.each_run(block, out, |run, out| {
            copy_counts(&run.block.inflight, run.from, out);
            if run.block.is_shared() {
                run.block.cells(Column::Others).add(run.from, out);
            }
        });
    }

    fn fill_metric(&self, metric: u16, block: usize, out: &mut [f64]) {
        let Some(metric) = self.metrics.get(usize::from(metric)) else { return out.fill(0.0) };
        self.each_run(block, out, |run, out| match metric.blocks.get(run.place) {
            Some(reported) => reported.shown.copy(run.from, out),
            None => out.fill(0.0),
        });
    }
}

fn runs(slots: &[Arc<Slot>]) -> Box<[Run]> {
    let mut runs: Vec<Run> = Vec::new();
    for (to, slot) in slots.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.place == slot.place && run.from + run.count == slot.lane => run.count += 1,
            _ => runs.push(Run { block: Arc::clone(&slot.block), place: slot.place, from: slot.lane, to, count: 1 }),
        }
    }
    runs.into()
}

impl Metric {
    fn new(name: &Arc<str>, slots: &[Arc<Slot>], previous: Option<&Columns>) -> Self {
        let known = previous.and_then(|columns| Some((columns, columns.metrics.iter().find(|metric| metric.name == *name)?)));
        let places = slots.iter().map(|slot| slot.place + 1).max().unwrap_or(0);
        let blocks = (0..places)
            .map(|place| known.and_then(|(_, metric)| metric.blocks.get(place)).map_or_else(Arc::default, Arc::clone))
            .collect::<Box<[_]>>();
        if let Some((columns, _)) = known {
            // A slot that is new here may have been another endpoint's once.
            let kept: HashSet<*const Slot> = columns.slots.iter().map(Arc::as_ptr).collect();
            for slot in slots.iter().filter(|slot| !kept.contains(&Arc::as_ptr(slot))) {
                if let Some(reported) = blocks.get(slot.place) {
                    reported.shown.set(slot.lane, 0.0);
                    reported.told.set(slot.lane, f64::NAN);
                }
            }
        }
        Self { name: Arc::clone(name), blocks }
    }
}

/// The columns at one moment, as a score reads them.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Whose.
    pub columns: &'a Columns,
    /// The weight of each endpoint, slow start counted in; empty where each is 1.
    pub weights: &'a [f64],
    /// Seconds of the engine's clock.
    pub now: f64,
}

impl Moment<'_> {
    /// Exchanges on an endpoint now, those of other gateways included as far as its server tells; 0 for an index beyond the last.
    #[must_use]
    pub fn inflight(&self, index: usize) -> u32 {
        self.columns.slots.get(index).map_or(0, |slot| slot.inflight_of_all())
    }
}

/// Whose clock was read before another joined has it at 0: an age below that would turn `1 / age` round.
fn age(now: f64, since: f64) -> f64 {
    max(now - since, 0.0)
}

impl View for Moment<'_> {
    fn count(&self) -> usize {
        self.columns.slots.len()
    }

    fn fill(&self, field: Field, block: usize, out: &mut [f64]) {
        match field {
            Field::Inflight => self.columns.fill_inflight(block, out),
            Field::Weight if self.weights.is_empty() => out.fill(1.0),
            Field::Weight => {
                for (out, weight) in out.iter_mut().zip(self.weights.get(block * BLOCK..).unwrap_or_default()) {
                    *out = *weight;
                }
            }
            Field::Latency => self.columns.fill_learned(Column::Latency, block, out),
            Field::ServiceTime => self.columns.fill_learned(Column::ServiceTime, block, out),
            Field::ErrorRate => self.columns.fill_learned(Column::ErrorRate, block, out),
            Field::Age => {
                self.columns.fill_learned(Column::Since, block, out);
                for out in out {
                    *out = age(self.now, *out);
                }
            }
            Field::ReportedLoad => self.columns.fill_learned(Column::ReportedLoad, block, out),
            Field::Reported(metric) => self.columns.fill_metric(metric, block, out),
        }
    }

    fn weighs_alike(&self) -> bool {
        self.weights.is_empty()
    }

    fn value(&self, field: Field, index: usize) -> f64 {
        let Some(slot) = self.columns.slots.get(index) else { return 0.0 };
        match field {
            Field::Inflight => f64::from(self.inflight(index)),
            Field::Weight if self.weights.is_empty() => 1.0,
            Field::Weight => self.weights.get(index).copied().unwrap_or(0.0),
            Field::Latency => slot.get(Column::Latency),
            Field::ServiceTime => slot.get(Column::ServiceTime),
            Field::ErrorRate => slot.get(Column::ErrorRate),
            Field::Age => age(self.now, slot.get(Column::Since)),
            Field::ReportedLoad => slot.get(Column::ReportedLoad),
            Field::Reported(metric) => self.columns.metric(metric, slot).map_or(0.0, |cell| f64::from_bits(cell.load(Ordering::Relaxed))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::expression::Expression;
    use crate::balance::slot::Shelf;

    const FIELDS: [Field; 8] = [
        Field::Inflight,
        Field::Weight,
        Field::Latency,
        Field::ServiceTime,
        Field::ErrorRate,
        Field::Age,
        Field::ReportedLoad,
        Field::Reported(1),
    ];

    fn metrics() -> Metrics {
        let mut metrics = Metrics::default();
        for name in ["a", "b"] {
            let spec = serde_json::from_str(&format!(r#"["reported", {name:?}]"#)).unwrap();
            Expression::new(&spec, &mut metrics).unwrap();
        }
        metrics
    }

    /// Gives each number of each endpoint a value of its own.
    fn write(columns: &Columns) {
        for (slot, k) in columns.slots().iter().zip(1_u32..) {
            slot.inflight().store(k, Ordering::Relaxed);
            let all = [Column::Latency, Column::ServiceTime, Column::ErrorRate, Column::Since, Column::ReportedLoad];
            for (column, part) in all.into_iter().zip(1..) {
                slot.set(column, f64::from(k) + f64::from(part) / 10.0);
            }
            columns.metric(1, slot).unwrap().store((f64::from(k) + 0.9).to_bits(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_block_and_one_value_read_the_same_wherever_the_slots_lie() {
        let shelf = Arc::new(Shelf::default());
        let mut slots: Vec<_> = (0..200).map(|_| shelf.slot()).collect();
        slots.remove(5);
        slots.swap(100, 20);
        slots.rotate_left(70);
        let columns = Columns::new(slots, &metrics(), None);
        write(&columns);
        let weights: Vec<f64> = (0..199).map(f64::from).collect();
        let view = Moment { columns: &columns, weights: &weights, now: 1000.0 };
        let expected = [20.0, 19.0, 20.1, 20.2, 20.3, 1000.0 - 20.4, 20.5, 20.9];
        for (field, expected) in FIELDS.into_iter().zip(expected) {
            assert_eq!(view.value(field, 19).to_bits(), f64::to_bits(expected), "{field:?}");
            for block in 0..4 {
                let mut out = [f64::NAN; BLOCK];
                view.fill(field, block, &mut out);
                for (lane, out) in out.iter().enumerate().take(199 - block * BLOCK) {
                    assert_eq!(out.to_bits(), view.value(field, block * BLOCK + lane).to_bits(), "{field:?} of block {block}, lane {lane}");
                }
            }
        }
    }

    #[test]
    fn those_with_room_are_found_wherever_their_slots_lie() {
        let shelf = Arc::new(Shelf::default());
        let mut slots: Vec<_> = (0..200).map(|_| shelf.slot()).collect();
        slots.swap(100, 20);
        slots.rotate_left(70);
        for (slot, count) in slots.iter().zip([0, 3, 2, 4, 1].into_iter().cycle()) {
            slot.inflight().store(count, Ordering::Relaxed);
        }
        let columns = Columns::new(slots, &metrics(), None);
        for block in 0..5 {
            let expected =
                (0..BLOCK).filter(|lane| columns.slots().get(block * BLOCK + lane).is_some_and(|slot| slot.inflight_of_all() < 3));
            assert_eq!(columns.below(block, 3), expected.fold(0, |bits, lane| bits | 1 << lane), "block {block}");
        }
    }

    #[test]
    fn who_joined_a_moment_later_than_the_clock_was_read_is_not_younger_than_new() {
        let shelf = Arc::new(Shelf::default());
        let columns = Columns::new(vec![shelf.slot(), shelf.slot()], &metrics(), None);
        columns.slots()[0].set(Column::Since, 7.0004);
        columns.slots()[1].set(Column::Since, 5.0);
        let view = Moment { columns: &columns, weights: &[], now: 7.0 };
        let mut out = [f64::NAN; 8];
        view.fill(Field::Age, 0, &mut out);
        assert_eq!(out[..2], [0.0, 2.0]);
        assert_eq!((view.value(Field::Age, 0), view.value(Field::Age, 1)), (0.0, 2.0));
    }

    #[test]
    fn exchanges_of_other_gateways_are_in_flight_too() {
        let shelf = Arc::new(Shelf::default());
        let slots: Vec<_> = (0..70).map(|_| shelf.slot()).collect();
        for slot in &slots {
            slot.inflight().store(2, Ordering::Relaxed);
        }
        slots[69].set_others(3.0);
        let columns = Columns::new(slots[60..].to_vec(), &metrics(), None);
        let view = Moment { columns: &columns, weights: &[], now: 0.0 };
        let mut out = [0.0; 16];
        let read = |out: &mut [f64; 16]| view.fill(Field::Inflight, 0, out);
        read(&mut out);
        assert_eq!(out[..10], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 5.0]);
        assert_eq!((0..10).map(|index| view.inflight(index)).sum::<u32>(), 23);
        assert_eq!(view.value(Field::Inflight, 9).to_bits(), 5.0_f64.to_bits());
        slots[69].set_others(0.0);
        read(&mut out);
        assert_eq!(out[9].to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn reported_metrics_are_kept_by_name_and_not_by_the_slot_s_next_owner() {
        let shelf = Arc::new(Shelf::default());
        let slots: Vec<_> = (0..3).map(|_| shelf.slot()).collect();
        let before = Columns::new(slots.clone(), &metrics(), None);
        write(&before);
        drop(slots);
        let kept = Arc::clone(&before.slots()[2]);
        let numbers = |columns: &Columns| -> Vec<f64> {
            let view = Moment { columns, weights: &[], now: 0.0 };
            (0..columns.slots().len()).map(|index| view.value(Field::Reported(1), index)).collect()
        };
        assert_eq!(numbers(&before), [1.9, 2.9, 3.9]);
        let after = Columns::new(vec![kept, shelf.slot()], &metrics(), Some(&before));
        assert_eq!(numbers(&after), [3.9, 0.0]);
        drop(before);
        let next = Columns::new(vec![shelf.slot(), Arc::clone(&after.slots()[0])], &metrics(), Some(&after));
        assert_eq!(numbers(&next), [0.0, 3.9]);
    }
}
