//! Where each endpoint's numbers stand: columns that all threads read and write without locks.
//!
//! An endpoint has a slot, one lane of a block of 64, which it keeps over all snapshots: an exchange begun under an old snapshot counts where a
//! new one looks. A slot is free again when the last who holds it lets go.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::program::BLOCK;

/// One number for each slot of a block, as the bits of an `f64`.
#[derive(Debug)]
pub struct Cells([AtomicU64; BLOCK]);

impl Default for Cells {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Cells {
    /// The number in a lane (from 0 to 63).
    #[must_use]
    pub fn get(&self, lane: usize) -> f64 {
        f64::from_bits(self.cell(lane).load(Ordering::Relaxed))
    }

    /// Writes the number in a lane.
    pub fn set(&self, lane: usize, value: f64) {
        self.cell(lane).store(value.to_bits(), Ordering::Relaxed);
    }

    /// The bits of a lane, for whoever must compare and exchange.
    #[must_use]
    pub fn cell(&self, lane: usize) -> &AtomicU64 {
        lane_of(&self.0, lane)
    }

    /// Copies the numbers from a lane on.
    pub(super) fn copy(&self, from: usize, out: &mut [f64]) {
        match <&mut [f64; BLOCK]>::try_from(&mut *out) {
            // A loop whose length the compiler knows.
            Ok(whole) => self.0.iter().zip(whole).for_each(|(cell, out)| *out = f64::from_bits(cell.load(Ordering::Relaxed))),
            Err(_) => {
                for (cell, out) in self.0.iter().skip(from).zip(out) {
                    *out = f64::from_bits(cell.load(Ordering::Relaxed));
                }
            }
        }
    }

    /// Adds the numbers from a lane on.
    pub(super) fn add(&self, from: usize, out: &mut [f64]) {
        for (cell, out) in self.0.iter().skip(from).zip(out) {
            *out += f64::from_bits(cell.load(Ordering::Relaxed));
        }
    }
}

/// A lane is below 64 by its making; the mask tells the compiler so.
fn lane_of<T>(lanes: &[T; BLOCK], lane: usize) -> &T {
    let [first, ..] = lanes;
    lanes.get(lane % BLOCK).unwrap_or(first)
}

/// What is learned of an endpoint, one column each; all start at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Seconds to the first byte.
    Latency,
    /// Seconds that one request takes.
    ServiceTime,
    /// Share of failed answers.
    ErrorRate,
    /// When it joined or recovered, in seconds of the engine's clock.
    Since,
    /// How busy it says it is; without a fresh report, what is usual in its pool.
    ReportedLoad,
    /// What its last report said of that.
    ToldLoad,
    /// When its last report came, in seconds of the engine's clock; below zero for never.
    Told,
    /// Exchanges on it of other gateways, as its last report tells; a whole number.
    Others,
}

const COLUMNS: usize = 8;

/// 64 slots.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) inflight: [AtomicU32; BLOCK],
    picks: [AtomicU32; BLOCK],
    births: [AtomicU32; BLOCK],
    learned: [Cells; COLUMNS],
    /// Whether other gateways' exchanges were ever told of.
    shared: AtomicBool,
}

impl Block {
    /// Whether `Others` may hold anything but 0.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    pub(super) fn cells(&self, column: Column) -> &Cells {
        let [first, ..] = &self.learned;
        self.learned.get(column as usize).unwrap_or(first)
    }
}

/// Copies in-flight counts from a lane on.
pub(super) fn copy_counts(counts: &[AtomicU32; BLOCK], from: usize, out: &mut [f64]) {
    match <&mut [f64; BLOCK]>::try_from(&mut *out) {
        Ok(whole) => counts.iter().zip(whole).for_each(|(count, out)| *out = f64::from(count.load(Ordering::Relaxed))),
        Err(_) => {
            for (count, out) in counts.iter().skip(from).zip(out) {
                *out = f64::from(count.load(Ordering::Relaxed));
            }
        }
    }
}

impl Default for Block {
    fn default() -> Self {
        let none = || std::array::from_fn(|_| AtomicU32::new(0));
        Self { inflight: none(), picks: none(), births: none(), learned: Default::default(), shared: AtomicBool::new(false) }
    }
}

/// Where the slots of one pool are kept, for as long as its name lives.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Blocks>);

#[derive(Debug, Default)]
struct Blocks {
    shelved: Vec<Shelved>,
    /// Slots taken so far.
    births: u32,
}

#[derive(Debug, Default)]
struct Shelved {
    block: Arc<Block>,
    taken: u64,
}

impl Shelf {
    /// Takes the first slot that is free; all its numbers are 0.
    #[must_use]
    pub fn slot(self: &Arc<Self>) -> Arc<Slot> {
        let mut blocks = self.blocks();
        blocks.births = blocks.births.wrapping_add(1);
        let birth = blocks.births;
        let (place, block, lane) = blocks.take();
        lane_of(&block.births, lane).store(birth, Ordering::Relaxed);
        Arc::new(Slot { shelf: Arc::clone(self), block, place, lane })
    }

    fn free(&self, slot: &Slot) {
        slot.inflight().store(0, Ordering::Relaxed);
        lane_of(&slot.block.picks, slot.lane).store(0, Ordering::Relaxed);
        for cells in &slot.block.learned {
            cells.set(slot.lane, 0.0);
        }
        let blocks = &mut self.blocks().shelved;
        if let Some(shelved) = blocks.get_mut(slot.place) {
            shelved.taken &= !(1 << slot.lane);
        }
        while blocks.last().is_some_and(|last| last.taken == 0) {
            blocks.pop();
        }
    }

    /// No thread panics while it holds this, and if one did, the list is still a list.
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocks {
    fn take(&mut self) -> (usize, Arc<Block>, usize) {
        for (place, shelved) in self.shelved.iter_mut().enumerate() {
            let lane = shelved.taken.trailing_ones() as usize;
            if lane < BLOCK {
                shelved.taken |= 1 << lane;
                return (place, Arc::clone(&shelved.block), lane);
            }
        }
        let block = Arc::default();
        self.shelved.push(Shelved { block: Arc::clone(&block), taken: 1 });
        (self.shelved.len() - 1, block, 0)
    }
}

/// An endpoint's place in the columns; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    shelf: Arc<Shelf>,
    pub(super) block: Arc<Block>,
    /// The place of its block on the shelf, and its lane there.
    pub(super) place: usize,
    pub(super) lane: usize,
}

impl Slot {
    /// Where its numbers stand.
    #[must_use]
    pub fn lane(&self) -> Lane<'_> {
        Lane { block: &self.block, place: self.place, index: self.lane }
    }

    /// Counts a pick of its endpoint.
    pub fn picked(&self) {
        lane_of(&self.block.picks, self.lane).fetch_add(1, Ordering::Relaxed);
    }

    /// Exchanges on it now.
    #[must_use]
    pub fn inflight(&self) -> &AtomicU32 {
        lane_of(&self.block.inflight, self.lane)
    }

    /// Exchanges on it now, those of other gateways included.
    #[must_use]
    #[expect(clippy::cast_sign_loss, reason = "a count")]
    pub fn inflight_of_all(&self) -> u32 {
        let own = self.inflight().load(Ordering::Relaxed);
        if self.block.is_shared() { own.saturating_add(self.get(Column::Others) as u32) } else { own }
    }

    /// Writes how many exchanges of other gateways are on it.
    pub fn set_others(&self, count: f64) {
        self.set(Column::Others, count);
        if count > 0.0 && !self.block.is_shared() {
            self.block.shared.store(true, Ordering::Relaxed);
        }
    }

    /// A number that was learned.
    #[must_use]
    pub fn get(&self, column: Column) -> f64 {
        self.block.cells(column).get(self.lane)
    }

    /// Writes a number that was learned.
    pub fn set(&self, column: Column, value: f64) {
        self.block.cells(column).set(self.lane, value);
    }

    /// The bits of a number that is learned, for whoever must compare and exchange.
    #[must_use]
    pub fn cell(&self, column: Column) -> &AtomicU64 {
        self.block.cells(column).cell(self.lane)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shelf.free(self);
    }
}

/// A slot's numbers, for whoever goes through those of all.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    pub(super) block: &'a Block,
    pub(super) place: usize,
    pub(super) index: usize,
}

impl Lane<'_> {
    /// Its slot's number on the shelf, from 0: that of a slot that was freed is given again.
    #[must_use]
    pub fn number(self) -> usize {
        self.place * BLOCK + self.index
    }

    /// From 1; tells its slot from all others of the shelf, before and after.
    #[must_use]
    pub fn birth(self) -> u32 {
        lane_of(&self.block.births, self.index).load(Ordering::Relaxed)
    }

    /// Picks so far; begins anew after 2^32.
    #[must_use]
    pub fn picks(self) -> u32 {
        lane_of(&self.block.picks, self.index).load(Ordering::Relaxed)
    }

    /// Exchanges now.
    #[must_use]
    pub fn inflight(self) -> u32 {
        lane_of(&self.block.inflight, self.index).load(Ordering::Relaxed)
    }

    /// Writes a number that was learned.
    pub fn set(self, column: Column, value: f64) {
        self.block.cells(column).set(self.index, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_when_its_last_holder_lets_go_and_starts_from_nothing() {
        let shelf = Arc::new(Shelf::default());
        let slots: Vec<_> = (0..100).map(|_| shelf.slot()).collect();
        let held = Arc::clone(&slots[7]);
        held.inflight().store(3, Ordering::Relaxed);
        held.set(Column::Latency, 0.5);
        held.picked();
        let inflight: *const AtomicU32 = held.inflight();
        drop(slots);
        let others: Vec<_> = (0..64).map(|_| shelf.slot()).collect();
        assert!(others.iter().all(|other| !std::ptr::eq(other.inflight(), inflight)), "a slot that is held is nobody else's");
        assert_eq!((held.inflight().load(Ordering::Relaxed), held.lane().picks(), held.get(Column::Latency)), (3, 1, 0.5));
        let (number, birth) = (held.lane().number(), held.lane().birth());
        drop(held);
        let again = shelf.slot();
        assert!(std::ptr::eq(again.inflight(), inflight));
        assert_eq!((again.inflight().load(Ordering::Relaxed), again.lane().picks(), again.get(Column::Latency)), (0, 0, 0.0));
        assert_eq!(again.lane().number(), number);
        assert_ne!(again.lane().birth(), birth);
    }

    #[test]
    fn blocks_that_nobody_uses_any_more_are_given_back() {
        let shelf = Arc::new(Shelf::default());
        let mut slots: Vec<_> = (0..1000).map(|_| shelf.slot()).collect();
        slots.truncate(3);
        assert_eq!(shelf.blocks().shelved.len(), 1);
        slots.clear();
        assert_eq!(shelf.blocks().shelved.len(), 0);
    }
}
