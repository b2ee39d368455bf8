//! What servers say of themselves. A report is written into the slot's own cells, without any lock; two at once may mix, and are both of now.

use std::sync::atomic::Ordering;

use super::median::{key, median};
use super::refresh::Scratch;
use super::{STALE, Signals};
use crate::balance::columns::Columns;
use crate::balance::slot::{Column, Slot};

/// The metric by which a server tells how many exchanges it has from all its gateways.
const INFLIGHT: &str = "inflight";
/// Exchanges of other gateways that an endpoint is said to have at most.
const MOST: f64 = 2_147_483_648.0;

impl Signals {
    /// The server said how busy it is (0 to 1) and whatever else; believed for [`STALE`] seconds, and shown from the next refresh on. Metrics
    /// that `columns` does not have are not kept. Of what it has in flight, those that are not from here count at once.
    pub fn report(&self, columns: &Columns, slot: &Slot, now: f64, load: f64, metrics: &[(&str, f64)]) {
        slot.set(Column::ToldLoad, load);
        for (metric, name) in columns.metrics() {
            if let Some(cell) = columns.told(metric, slot) {
                let value = told(metrics, name).unwrap_or(f64::NAN);
                cell.store(value.to_bits(), Ordering::Relaxed);
            }
        }
        // In this order: what a fresh report says of others is not taken for stale meanwhile.
        slot.set(Column::Told, now);
        slot.set_others(others(slot, metrics));
        if !self.reporting.load(Ordering::Relaxed) {
            self.reporting.store(true, Ordering::Relaxed);
        }
    }

    /// Writes what the reports say to the columns: a report that is missing or stale counts as the median of the fresh ones, or 0 where there is
    /// none.
    pub(super) fn show_reports(&self, scratch: &mut Scratch, columns: &Columns, now: f64) {
        // Taken back before looking, so that a report that comes meanwhile is seen the next time.
        if !self.reporting.load(Ordering::Relaxed) || !self.reporting.swap(false, Ordering::Relaxed) {
            return;
        }
        let fresh = |slot: &Slot| {
            let told = slot.get(Column::Told);
            told >= 0.0 && now - told <= STALE
        };
        let slots = columns.slots();
        if slots.iter().any(|slot| fresh(slot)) {
            self.reporting.store(true, Ordering::Relaxed);
        }
        let load = |slot: &Slot| Some(slot.get(Column::ToldLoad)).filter(|_| fresh(slot));
        show(scratch, columns, load, |slot, load| slot.set(Column::ReportedLoad, load));
        for slot in slots.iter().filter(|slot| !fresh(slot)) {
            slot.set_others(0.0);
        }
        for (metric, _) in columns.metrics() {
            let told = |slot: &Slot| {
                let value = columns.told(metric, slot).map(|cell| f64::from_bits(cell.load(Ordering::Relaxed)));
                value.filter(|value| !value.is_nan() && fresh(slot))
            };
            show(scratch, columns, told, |slot, value| {
                if let Some(cell) = columns.metric(metric, slot) {
                    cell.store(value.to_bits(), Ordering::Relaxed);
                }
            });
        }
    }
}

fn told(metrics: &[(&str, f64)], name: &str) -> Option<f64> {
    metrics.iter().rfind(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Exchanges that the server has, but for those from here.
fn others(slot: &Slot, metrics: &[(&str, f64)]) -> f64 {
    let own = f64::from(slot.inflight().load(Ordering::Relaxed));
    told(metrics, INFLIGHT).filter(|told| *told > own).map_or(0.0, |told| (told.min(MOST).floor() - own).max(0.0))
}

fn show(scratch: &mut Scratch, columns: &Columns, told: impl Fn(&Slot) -> Option<f64>, set: impl Fn(&Slot, f64)) {
    scratch.first.clear();
    scratch.first.extend(columns.slots().iter().filter_map(|slot| told(slot)).map(key));
    let usual = median(&mut scratch.first, 0.0);
    for slot in columns.slots() {
        set(slot, told(slot).unwrap_or(usual));
    }
}
