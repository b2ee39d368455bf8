//! What a policy sees of a pool at one moment: the fields of its endpoints, and who may be picked.

use std::sync::atomic::{AtomicU64, Ordering};

use super::expression::Field;
use super::program::BLOCK;

/// What a score reads.
pub trait View {
    /// How many endpoints there are.
    fn count(&self) -> usize;

    /// Writes a field of endpoints `block * 64..` to `out`, whose length is a multiple of 8 and may go beyond the last endpoint; what is
    /// written there does not matter.
    fn fill(&self, field: Field, block: usize, out: &mut [f64]);

    /// The field of one endpoint.
    fn value(&self, field: Field, index: usize) -> f64;

    /// Whether every weight is 1, as far as is known: a score then need not look at them.
    fn weighs_alike(&self) -> bool {
        false
    }
}

/// Who may be picked. A function of the index is one; what knows whole blocks at once is faster.
pub trait Eligible {
    /// Those of `lanes` that may be picked, where bit `i` stands for endpoint `block * 64 + i`.
    fn lanes(&self, block: usize, lanes: u64) -> u64;

    /// Whether this endpoint may be picked.
    fn has(&self, index: usize) -> bool;
}

impl<F: Fn(usize) -> bool> Eligible for F {
    fn lanes(&self, block: usize, lanes: u64) -> u64 {
        each_lane(lanes).filter(|lane| self(block * BLOCK + lane)).fold(0, |found, lane| found | 1 << lane)
    }

    fn has(&self, index: usize) -> bool {
        self(index)
    }
}

/// The places of the bits that are set, from the lowest.
pub(super) fn each_lane(mut lanes: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = lanes.trailing_zeros() as usize;
        lanes &= lanes.wrapping_sub(1);
        (lane < BLOCK).then_some(lane)
    })
}

/// Everybody.
#[derive(Debug, Clone, Copy)]
pub struct All;

impl Eligible for All {
    fn lanes(&self, _block: usize, lanes: u64) -> u64 {
        lanes
    }

    fn has(&self, _index: usize) -> bool {
        true
    }
}

/// The lanes of a block in which endpoints are, where `count` endpoints are left to go.
pub(super) fn lanes_of(count: usize) -> u64 {
    if count < BLOCK { (1 << count) - 1 } else { u64::MAX }
}

/// Those whose bit is set, at the moment of each look, in the mask of their block.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a>(pub &'a [AtomicU64]);

impl Eligible for Live<'_> {
    fn lanes(&self, block: usize, lanes: u64) -> u64 {
        lanes & self.0.get(block).map_or(0, |mask| mask.load(Ordering::Relaxed))
    }

    fn has(&self, index: usize) -> bool {
        self.lanes(index / BLOCK, 1 << (index % BLOCK)) != 0
    }
}

/// Those whose bit is set in the mask of their block, as far as `check` agrees where there is one.
#[derive(Debug, Clone, Copy)]
pub struct Masked<'a, F> {
    /// One for each block of 64 endpoints.
    pub masks: &'a [u64],
    /// Asked of those in the masks.
    pub check: Option<F>,
}

impl<F: Fn(usize) -> bool> Eligible for Masked<'_, F> {
    fn lanes(&self, block: usize, lanes: u64) -> u64 {
        let lanes = lanes & self.masks.get(block).copied().unwrap_or(0);
        self.check.as_ref().map_or(lanes, |check| check.lanes(block, lanes))
    }

    fn has(&self, index: usize) -> bool {
        let mask = self.masks.get(index / BLOCK).copied().unwrap_or(0);
        mask >> (index % BLOCK) & 1 == 1 && self.check.as_ref().is_none_or(|check| check(index))
    }
}
