//! The working memory of a score's pick: one for each thread, kept from pick to pick.

use std::cell::Cell;

use super::expression::Field;
use super::number::min;
use super::program::{BLOCK, Program, ROW, ROWS, Row};
use super::view::{each_lane, lanes_of};

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// What a pick works with; of any content between two.
#[derive(Default)]
pub(super) struct Scratch {
    /// The endpoints that were drawn.
    pub(super) drawn: Vec<usize>,
    /// The scores of those looked at.
    pub(super) scores: Scores,
}

impl Scratch {
    /// Lends the thread's own. It is taken out meanwhile, so that a view that picks in turn has another.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let result = work(&mut scratch);
        // Only a thread that is ending has no place for it any more.
        let _ = SCRATCH.try_with(|place| place.set(Some(scratch)));
        result
    }
}

/// Scores, block by block; the least is the best.
#[derive(Default)]
pub(super) struct Scores {
    registers: Vec<Row>,
    /// Of one endpoint after the other; NaN where it is out of the question.
    rows: Vec<Row>,
    /// The best of each block; infinity where none is finite.
    best: Vec<f64>,
    count: usize,
}

impl Scores {
    /// Makes room for so many.
    pub(super) fn begin(&mut self, program: &Program, count: usize) {
        if self.registers.len() < program.memory() {
            self.registers.resize(program.memory(), [0.0; ROW]);
        }
        if self.rows.len() < count.div_ceil(ROW) {
            self.rows.resize(count.div_ceil(BLOCK) * ROWS, [0.0; ROW]);
        }
        self.best.clear();
        self.count = count;
    }

    /// Computes the scores of the next block, or those of `lanes` in it; negated where the greatest is the best.
    pub(super) fn add(&mut self, program: &Program, negate: bool, lanes: u64, load: impl Fn(Field, &mut [f64])) {
        let start = self.best.len() * ROWS;
        let end = self.count.div_ceil(ROW).min(start + ROWS);
        let Some(scores) = self.rows.get_mut(start..end).filter(|_| lanes != 0) else { return self.best.push(f64::INFINITY) };
        let result = program.run(&mut self.registers, scores.len(), load);
        for (score, result) in scores.iter_mut().zip(result) {
            *score = if negate { result.map(|score| -score) } else { *result };
        }
        blank(scores, lanes);
        let mut best = least(scores);
        if best == f64::NEG_INFINITY {
            for score in scores.as_flattened_mut() {
                *score = if *score == f64::NEG_INFINITY { f64::NAN } else { *score };
            }
            best = least(scores);
        }
        self.best.push(best);
    }

    /// How many have the best score; 0 when none is finite.
    pub(super) fn ties(&self) -> usize {
        let best = self.best();
        if best == f64::INFINITY {
            return 0;
        }
        self.blocks(best).map(|(_, scores)| scores.iter().map(|score| usize::from(equal(*score, best))).sum::<usize>()).sum()
    }

    /// The place of one of those that have the best score, by its number among them.
    pub(super) fn find(&self, mut number: usize) -> Option<usize> {
        let best = self.best();
        for (block, scores) in self.blocks(best) {
            for (lane, _) in scores.iter().enumerate().filter(|(_, score)| equal(**score, best)) {
                if number == 0 {
                    return Some(block * BLOCK + lane);
                }
                number -= 1;
            }
        }
        None
    }

    fn best(&self) -> f64 {
        self.best.iter().fold(f64::INFINITY, |least, best| min(*best, least))
    }

    /// The blocks whose best is this.
    fn blocks(&self, best: f64) -> impl Iterator<Item = (usize, &[f64])> {
        let rows = self.rows.get(..self.count.div_ceil(ROW)).unwrap_or_default();
        let blocks = self.best.iter().zip(rows.chunks(ROWS)).enumerate();
        blocks.filter(move |(_, (its, _))| equal(**its, best)).map(|(block, (_, rows))| (block, rows.as_flattened()))
    }
}

/// Scores tie when they are exactly equal; zeros of both signs are.
#[expect(clippy::float_cmp, reason = "exact equality is meant")]
fn equal(a: f64, b: f64) -> bool {
    a == b
}

/// Puts those that are not in `lanes` out of the question.
fn blank(scores: &mut [Row], lanes: u64) {
    let scores = scores.as_flattened_mut();
    for lane in each_lane(!lanes & lanes_of(scores.len())) {
        if let Some(score) = scores.get_mut(lane) {
            *score = f64::NAN;
        }
    }
}

/// The least number, column by column so that it is vector code; infinity where there is none.
fn least(scores: &[Row]) -> f64 {
    let mut least = [f64::INFINITY; ROW];
    for row in scores {
        for (least, score) in least.iter_mut().zip(row) {
            *least = min(*score, *least);
        }
    }
    least.into_iter().fold(f64::INFINITY, |least, score| min(score, least))
}
