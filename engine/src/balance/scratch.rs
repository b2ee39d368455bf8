//! The working memory of a score's pick: one for each thread, kept from pick to pick.

use std::cell::Cell;

use super::expression::Field;
use super::number::min;
use super::program::{BLOCK, CHUNK, Lanes, Memory, Program, ROW};
use super::view::{each_lane, lanes_of};

/// Blocks in a chunk.
pub(super) const BLOCKS: usize = CHUNK / BLOCK;

/// One bit for each endpoint of a chunk that is eligible.
pub(super) type Masks = [u64; BLOCKS];

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

/// Scores, chunk by chunk; the least is the best.
#[derive(Default)]
pub(super) struct Scores {
    memory: Memory,
    /// NaN where an endpoint is out of the question.
    chunks: Vec<Lanes>,
    /// The best of each chunk; infinity where none is finite.
    best: Vec<f64>,
    count: usize,
}

impl Scores {
    /// Makes room for so many.
    pub(super) fn begin(&mut self, program: &Program, count: usize) {
        program.prepare(&mut self.memory);
        if self.chunks.len() < count.div_ceil(CHUNK) {
            self.chunks.resize_with(count.div_ceil(CHUNK), Lanes::default);
        }
        self.best.clear();
        self.count = count;
    }

    /// Computes the scores of the next chunk; those that are not in the masks of its blocks are out of the question.
    pub(super) fn add(&mut self, program: &Program, masks: Masks, load: impl Fn(Field, &mut [f64])) {
        let chunk = self.best.len();
        let rows = rows_of(self.count - chunk * CHUNK);
        let best = match self.chunks.get_mut(chunk) {
            Some(scores) if masks != [0; BLOCKS] => {
                program.run(&mut self.memory, rows, scores, load);
                settle(scores, rows, masks)
            }
            _ => f64::INFINITY,
        };
        self.best.push(best);
    }

    /// How many have the best score; 0 when none is finite.
    pub(super) fn ties(&self) -> usize {
        let best = self.best();
        if best == f64::INFINITY {
            return 0;
        }
        self.chunks(best).map(|(_, scores)| count(scores, best)).sum()
    }

    /// The place of one of those that have the best score, by its number among them.
    pub(super) fn find(&self, mut number: usize) -> Option<usize> {
        let best = self.best();
        for (chunk, scores) in self.chunks(best) {
            for (block, scores) in scores.chunks(BLOCK).enumerate() {
                let among = count(scores, best);
                if number < among {
                    let lane = scores.iter().enumerate().filter(|(_, score)| equal(**score, best)).nth(number)?.0;
                    return Some(chunk * CHUNK + block * BLOCK + lane);
                }
                number -= among;
            }
        }
        None
    }

    fn best(&self) -> f64 {
        self.best.iter().fold(f64::INFINITY, |least, best| min(*best, least))
    }

    /// The chunks whose best is this.
    fn chunks(&self, best: f64) -> impl Iterator<Item = (usize, &[f64])> {
        let chunks = self.best.iter().zip(&self.chunks).enumerate().filter(move |(_, (its, _))| equal(**its, best));
        chunks.map(|(chunk, (_, scores))| (chunk, scores.numbers(rows_of(self.count - chunk * CHUNK))))
    }
}

/// The rows of a chunk where so many endpoints are left.
fn rows_of(count: usize) -> usize {
    count.min(CHUNK).div_ceil(ROW)
}

/// The best of the scores of a chunk; puts out of the question what is not in the masks and what is infinitely good.
fn settle(scores: &mut Lanes, rows: usize, masks: Masks) -> f64 {
    for (scores, lanes) in scores.numbers_mut(rows).chunks_mut(BLOCK).zip(masks) {
        if lanes != u64::MAX {
            blank(scores, lanes);
        }
    }
    let best = least(scores.numbers(rows));
    if best > f64::NEG_INFINITY {
        return best;
    }
    for score in scores.numbers_mut(rows) {
        *score = if *score > f64::NEG_INFINITY { *score } else { f64::NAN };
    }
    least(scores.numbers(rows))
}

/// Scores tie when they are exactly equal; zeros of both signs are.
#[expect(clippy::float_cmp, reason = "exact equality is meant")]
fn equal(a: f64, b: f64) -> bool {
    a == b
}

/// How many scores are equal to the best.
fn count(scores: &[f64], best: f64) -> usize {
    scores.iter().map(|score| usize::from(equal(*score, best))).sum()
}

/// Puts those that are not in `lanes` out of the question.
fn blank(scores: &mut [f64], lanes: u64) {
    for lane in each_lane(!lanes & lanes_of(scores.len())) {
        if let Some(score) = scores.get_mut(lane) {
            *score = f64::NAN;
        }
    }
}

/// The least number; infinity where there is none. Two rows at a time, column by column, so that it is vector code that waits little.
fn least(scores: &[f64]) -> f64 {
    let mut least = [f64::INFINITY; 2 * ROW];
    let pairs = scores.chunks_exact(2 * ROW);
    let rest = pairs.remainder();
    for pair in pairs {
        for (least, score) in least.iter_mut().zip(pair) {
            *least = min(*score, *least);
        }
    }
    least.into_iter().chain(rest.iter().copied()).fold(f64::INFINITY, |least, score| min(score, least))
}
