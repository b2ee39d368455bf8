//! Score policies: the endpoint whose expression is least, or greatest, among all or among a few drawn ones.
//!
//! Each equals, pick for pick, the slow reference in `forebay.balance.reference`. A pick neither allocates nor locks.

use serde::{Deserialize, Serialize};

use super::draw::{Occasion, draw, scale};
use super::expression::{Expression, ExpressionSpec, Field, Metrics, Unary};
use super::program::{BLOCK, Program};
use super::scratch::{BLOCKS, Scratch};
use super::view::{Eligible, View, each_lane, lanes_of};

/// Where the policy does not say how many to draw, pools of up to this many endpoints are looked at whole ...
pub const SCAN_LIMIT: usize = 1024;
/// ... and of larger ones this many are drawn.
pub const SAMPLES: usize = 8;
/// The most that a policy may draw.
pub const MOST_CHOICES: usize = BLOCK;

/// The wire form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSpec {
    /// Which end wins.
    pub order: Order,
    /// What each endpoint's score is.
    pub expression: ExpressionSpec,
    /// How many endpoints are drawn to compare; `None` compares all, up to [`SCAN_LIMIT`].
    pub choices: Option<usize>,
    /// Who wins among equals.
    pub ties: Ties,
}

/// Which end of the scores wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The least score.
    Least,
    /// The greatest score.
    Most,
}

/// Who wins among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// One that is drawn.
    Random,
    /// One after the other, by turn.
    Rotate,
}

/// A score policy, compiled.
#[derive(Debug, Clone)]
pub struct Score {
    /// The least result is the best.
    program: Program,
    /// The same for endpoints that all have weight 1.
    alike: Program,
    choices: Option<usize>,
    ties: Ties,
}

impl Score {
    /// Compiles a score; the reported metrics that it reads are entered in `metrics`.
    ///
    /// # Errors
    ///
    /// Which part of the expression makes no sense, or that the choices do not.
    pub fn new(spec: &ScoreSpec, metrics: &mut Metrics) -> Result<Self, String> {
        if spec.choices.is_some_and(|choices| !(1..=MOST_CHOICES).contains(&choices)) {
            return Err(format!("a score's choices are not from 1 to {MOST_CHOICES}"));
        }
        let expression = Expression::new(&spec.expression, metrics)?;
        let least = match spec.order {
            Order::Least => expression,
            Order::Most => Expression::Unary(Unary::Neg, Box::new(expression)),
        };
        let alike = Program::new(&least.with(Field::Weight, 1.0));
        Ok(Self { program: Program::new(&least), alike, choices: spec.choices, ties: spec.ties })
    }

    /// Whether the view must know what time it is.
    #[must_use]
    pub fn reads_age(&self) -> bool {
        self.program.reads(Field::Age)
    }

    /// The best of the eligible endpoints; `None` when none is eligible.
    pub fn pick(&self, view: &impl View, occasion: Occasion, eligible: &impl Eligible) -> Option<usize> {
        let count = view.count();
        Scratch::with(|scratch| {
            self.choices
                .or((count > SCAN_LIMIT).then_some(SAMPLES))
                .and_then(|choices| self.sample(view, occasion, eligible, choices, scratch))
                .or_else(|| self.scan(view, occasion, eligible, scratch))
        })
    }

    fn program(&self, view: &impl View) -> &Program {
        if view.weighs_alike() { &self.alike } else { &self.program }
    }

    /// The best of up to `choices` that are drawn; `None` when no draw met an eligible one.
    fn sample(
        &self,
        view: &impl View,
        occasion: Occasion,
        eligible: &impl Eligible,
        choices: usize,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        let count = view.count();
        let program = self.program(view);
        let first = occasion.draw();
        let Scratch { drawn, scores } = scratch;
        drawn.clear();
        for sub in 0..8 * choices as u64 {
            // When all are drawn, further draws change nothing.
            if drawn.len() == choices.min(count) {
                break;
            }
            let index = scale(draw(first, sub), count as u64) as usize;
            if !drawn.contains(&index) && eligible.has(index) {
                drawn.push(index);
            }
        }
        if drawn.is_empty() {
            return None;
        }
        scores.begin(program, drawn.len());
        let mut masks = [0; BLOCKS];
        if let Some(mask) = masks.first_mut() {
            *mask = lanes_of(drawn.len());
        }
        scores.add(program, masks, |field, out| {
            for (out, index) in out.iter_mut().zip(&*drawn) {
                *out = view.value(field, *index);
            }
        });
        let place = match scores.ties() {
            0 => self.number(occasion, drawn.len()),
            ties => scores.find(self.number(occasion, ties))?,
        };
        drawn.get(place).copied()
    }

    /// The best of all.
    fn scan(&self, view: &impl View, occasion: Occasion, eligible: &impl Eligible, scratch: &mut Scratch) -> Option<usize> {
        let count = view.count();
        let program = self.program(view);
        let scores = &mut scratch.scores;
        scores.begin(program, count);
        for first in (0..count.div_ceil(BLOCK)).step_by(BLOCKS) {
            let masks = std::array::from_fn(|part| match lanes_of(count.saturating_sub((first + part) * BLOCK)) {
                0 => 0,
                lanes => eligible.lanes(first + part, lanes),
            });
            scores.add(program, masks, |field, out| {
                for (block, out) in (first..).zip(out.chunks_mut(BLOCK)) {
                    view.fill(field, block, out);
                }
            });
        }
        match scores.ties() {
            0 => self.any(count, occasion, eligible),
            ties => scores.find(self.number(occasion, ties)),
        }
    }

    /// One of all eligible, where no score is finite.
    fn any(&self, count: usize, occasion: Occasion, eligible: &impl Eligible) -> Option<usize> {
        let blocks = || (0..count.div_ceil(BLOCK)).map(|block| (block, eligible.lanes(block, lanes_of(count - block * BLOCK))));
        let ties = blocks().map(|(_, lanes)| lanes.count_ones() as usize).sum();
        if ties == 0 {
            return None;
        }
        let number = self.number(occasion, ties);
        let all = || blocks().flat_map(|(block, lanes)| each_lane(lanes).map(move |lane| block * BLOCK + lane));
        // The last only when eligibility changed between the two passes.
        all().nth(number).or_else(|| all().last())
    }

    /// Which of so many equals wins.
    fn number(&self, occasion: Occasion, ties: usize) -> usize {
        match self.ties {
            _ if ties < 2 => 0,
            Ties::Random => scale(occasion.draw(), ties as u64) as usize,
            Ties::Rotate => (occasion.turn % ties as u64) as usize,
        }
    }
}

#[cfg(test)]
mod tests;
