//! A score as a program for a small machine: each step works on one block of endpoints at a time, so that what a step costs is arithmetic.
//!
//! A register holds one number for each of the 64 endpoints of a block, as rows of eight: a row fits the vector registers of any processor of
//! the last twenty years, and a block with few endpoints works on few rows. Parts of an expression that occur twice are computed once, parts
//! made of constants when the program is made. Every number has the bits that evaluating the tree, operation by operation, would give.

use std::cell::Cell;

use super::compile::compile;
use super::expression::{Binary, Expression, Field, Unary};
use super::number::{either, exp, log, max, min, truth};

/// Endpoints in a row.
pub const ROW: usize = 8;
/// Rows of a block.
pub const ROWS: usize = 8;
/// Endpoints in a block.
pub const BLOCK: usize = ROW * ROWS;

/// One number for each of eight endpoints.
pub type Row = [f64; ROW];

/// The number of a register.
pub(super) type Register = u8;

/// What one step computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Reads a field.
    Load(Field),
    /// The same number for all.
    Constant(f64),
    Unary(Unary, Register),
    Binary(Binary, Register, Register),
    /// A register and a constant.
    Right(Binary, Register, f64),
    /// A constant and a register.
    Left(Binary, f64, Register),
    Where(Register, Register, Register),
}

/// A compiled score.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Each with the register that its result goes to.
    steps: Box<[(Step, Register)]>,
    registers: usize,
}

impl Program {
    /// Compiles an expression.
    #[must_use]
    pub fn new(expression: &Expression) -> Self {
        let (steps, registers) = compile(expression);
        Self { steps: steps.into(), registers }
    }

    /// Whether it reads this field.
    #[must_use]
    pub fn reads(&self, field: Field) -> bool {
        self.steps.iter().any(|(step, _)| *step == Step::Load(field))
    }

    /// How many rows of working memory it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.registers * ROWS
    }

    /// Runs over the first `rows` rows of a block, and returns the rows of the result. `memory` has at least [`Self::memory`] rows, of any
    /// content; `load` writes a field of the block's endpoints into a slice of `rows * ROW` numbers.
    pub fn run<'a>(&self, memory: &'a mut [Row], rows: usize, load: impl Fn(Field, &mut [f64])) -> &'a [Row] {
        for (step, to) in &self.steps {
            if let Step::Load(field) = step {
                let start = usize::from(*to) * ROWS;
                if let Some(register) = memory.get_mut(start..start + rows) {
                    load(*field, register.as_flattened_mut());
                }
            } else {
                Machine { memory: Cell::from_mut(&mut *memory).as_slice_of_cells(), rows, to: *to }.run(*step);
            }
        }
        let start = self.steps.last().map_or(0, |(_, to)| usize::from(*to) * ROWS);
        memory.get(start..start + rows).unwrap_or_default()
    }
}

/// The registers during one step. They are cells because a step may write where it reads: it reads a row before it writes it.
struct Machine<'a> {
    memory: &'a [Cell<Row>],
    rows: usize,
    to: Register,
}

impl Machine<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as part of a step's loop")]
    fn register(&self, number: Register) -> &[Cell<Row>] {
        let start = usize::from(number) * ROWS;
        self.memory.get(start..start + self.rows).unwrap_or_default()
    }

    fn constant(&self, value: f64) {
        for to in self.register(self.to) {
            to.set([value; ROW]);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "so that each operation has its own loop")]
    fn one(&self, a: Register, operation: impl Fn(f64) -> f64) {
        for (to, a) in self.register(self.to).iter().zip(self.register(a)) {
            to.set(a.get().map(&operation));
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "so that each operation has its own loop")]
    fn two(&self, a: Register, b: Register, operation: impl Fn(f64, f64) -> f64) {
        for ((to, a), b) in self.register(self.to).iter().zip(self.register(a)).zip(self.register(b)) {
            let mut row = a.get();
            for (a, b) in row.iter_mut().zip(b.get()) {
                *a = operation(*a, b);
            }
            to.set(row);
        }
    }

    fn choose(&self, condition: Register, a: Register, b: Register) {
        let sources = self.register(condition).iter().zip(self.register(a)).zip(self.register(b));
        for (to, ((condition, a), b)) in self.register(self.to).iter().zip(sources) {
            let mut row = condition.get();
            for ((condition, a), b) in row.iter_mut().zip(a.get()).zip(b.get()) {
                *condition = either(*condition, a, b);
            }
            to.set(row);
        }
    }
}

/// Evaluates `$body` with `$f` as the function of an operation on two numbers: one loop for each operation.
macro_rules! with_function {
    (|$a:ident, $b:ident| $value:expr, $f:ident => $body:expr) => {{
        let $f = |$a: f64, $b: f64| -> f64 { $value };
        $body
    }};
    ($operation:expr, $f:ident => $body:expr) => {
        match $operation {
            Binary::Add => with_function!(|a, b| a + b, $f => $body),
            Binary::Sub => with_function!(|a, b| a - b, $f => $body),
            Binary::Mul => with_function!(|a, b| a * b, $f => $body),
            Binary::Div => with_function!(|a, b| a / b, $f => $body),
            Binary::Min => with_function!(|a, b| min(a, b), $f => $body),
            Binary::Max => with_function!(|a, b| max(a, b), $f => $body),
            Binary::Less => with_function!(|a, b| truth(a < b), $f => $body),
            Binary::LessEqual => with_function!(|a, b| truth(a <= b), $f => $body),
            Binary::Greater => with_function!(|a, b| truth(a > b), $f => $body),
            Binary::GreaterEqual => with_function!(|a, b| truth(a >= b), $f => $body),
            Binary::Equal => with_function!(|a, b| truth(a == b), $f => $body),
            Binary::NotEqual => with_function!(|a, b| truth(a != b), $f => $body),
        }
    };
}

impl Unary {
    /// What it makes of a number.
    #[must_use]
    pub fn apply(self, a: f64) -> f64 {
        match self {
            Self::Neg => -a,
            Self::Log => log(a),
            Self::Exp => exp(a),
        }
    }
}

impl Binary {
    /// What it makes of two numbers.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the operation is exact equality")]
    pub fn apply(self, a: f64, b: f64) -> f64 {
        with_function!(self, f => f(a, b))
    }
}

impl Machine<'_> {
    #[expect(clippy::float_cmp, reason = "the operation is exact equality")]
    fn run(&self, step: Step) {
        match step {
            Step::Load(_) => {}
            Step::Constant(value) => self.constant(value),
            Step::Unary(Unary::Neg, a) => self.one(a, |a| -a),
            Step::Unary(operation, a) => self.one(a, |a| operation.apply(a)),
            Step::Binary(operation, a, b) => with_function!(operation, f => self.two(a, b, f)),
            Step::Right(operation, a, constant) => with_function!(operation, f => self.one(a, |a| f(a, constant))),
            Step::Left(operation, constant, a) => with_function!(operation, f => self.one(a, |a| f(constant, a))),
            Step::Where(condition, a, b) => self.choose(condition, a, b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::draw::{draw, scale};

    const FIELDS: [Field; 4] = [Field::Inflight, Field::Weight, Field::Age, Field::Reported(0)];
    const NUMBERS: [f64; 12] = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e300, 5e-324, 745.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    const BINARY: [Binary; 12] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
        Binary::Less,
        Binary::LessEqual,
        Binary::Greater,
        Binary::GreaterEqual,
        Binary::Equal,
        Binary::NotEqual,
    ];

    /// A stream of draws.
    struct Dice(u64, u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.1 += 1;
            usize::try_from(scale(draw(self.0, self.1), bound as u64)).unwrap()
        }

        fn number(&mut self) -> f64 {
            let plain = self.below(2) == 0;
            if plain { self.below(2000) as f64 / 100.0 - 10.0 } else { NUMBERS[self.below(NUMBERS.len())] }
        }

        fn tree(&mut self, depth: usize) -> Expression {
            let kind = if depth == 0 { self.below(4) } else { self.below(12) };
            match kind {
                0 => Expression::Constant(self.number()),
                1..4 => Expression::Field(FIELDS[self.below(FIELDS.len())]),
                4 => {
                    let operation = [Unary::Neg, Unary::Log, Unary::Exp][self.below(3)];
                    Expression::Unary(operation, Box::new(self.tree(depth - 1)))
                }
                5 => Expression::Where(Box::new(std::array::from_fn(|_| self.tree(depth - 1)))),
                _ => Expression::Binary(BINARY[self.below(12)], Box::new(std::array::from_fn(|_| self.tree(depth - 1)))),
            }
        }
    }

    /// The plain reading of a tree.
    #[expect(clippy::float_cmp, reason = "the operation is exact equality")]
    fn evaluate(tree: &Expression, field: &dyn Fn(Field) -> f64) -> f64 {
        let truth = |holds| if holds { 1.0 } else { 0.0 };
        match tree {
            Expression::Constant(value) => *value,
            Expression::Field(name) => field(*name),
            Expression::Unary(Unary::Neg, a) => -evaluate(a, field),
            Expression::Unary(Unary::Log, a) => log(evaluate(a, field)),
            Expression::Unary(Unary::Exp, a) => exp(evaluate(a, field)),
            Expression::Where(parts) => {
                let [condition, a, b] = parts.each_ref().map(|part| evaluate(part, field));
                if condition.is_nan() || condition == 0.0 { b } else { a }
            }
            Expression::Binary(operation, sides) => {
                let [a, b] = sides.each_ref().map(|side| evaluate(side, field));
                match operation {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Min => {
                        if a < b {
                            a
                        } else {
                            b
                        }
                    }
                    Binary::Max => {
                        if a > b {
                            a
                        } else {
                            b
                        }
                    }
                    Binary::Less => truth(a < b),
                    Binary::LessEqual => truth(a <= b),
                    Binary::Greater => truth(a > b),
                    Binary::GreaterEqual => truth(a >= b),
                    Binary::Equal => truth(a == b),
                    Binary::NotEqual => truth(a != b),
                }
            }
        }
    }

    fn bits(x: f64) -> u64 {
        if x.is_nan() { u64::MAX } else { x.to_bits() }
    }

    #[test]
    fn a_program_gives_the_bits_of_its_tree() {
        for seed in 0..4000 {
            let mut dice = Dice(seed, 0);
            let tree = dice.tree(2 + dice.0 as usize % 5);
            let program = Program::new(&tree);
            let rows = 1 + dice.below(ROWS);
            let columns: Vec<Vec<f64>> = FIELDS.iter().map(|_| (0..rows * ROW).map(|_| dice.number()).collect()).collect();
            let column = |field: Field| &columns[FIELDS.iter().position(|known| *known == field).unwrap()];
            let mut memory = vec![[f64::NAN; ROW]; program.memory()];
            let result = program.run(&mut memory, rows, |field, out| out.copy_from_slice(column(field))).as_flattened();
            assert_eq!(result.len(), rows * ROW);
            for (index, score) in result.iter().enumerate() {
                let expected = evaluate(&tree, &|field| column(field)[index]);
                assert_eq!(bits(*score), bits(expected), "{tree:?} at {index}: {score} for {expected}");
            }
        }
    }

    fn field(field: Field) -> Expression {
        Expression::Field(field)
    }

    fn binary(operation: Binary, a: Expression, b: Expression) -> Expression {
        Expression::Binary(operation, Box::new([a, b]))
    }

    #[test]
    fn what_occurs_twice_is_computed_once_and_constants_when_compiled() {
        let sum = || binary(Binary::Add, field(Field::Age), binary(Binary::Mul, Expression::Constant(2.0), Expression::Constant(3.0)));
        let program = Program::new(&binary(Binary::Mul, sum(), sum()));
        let steps = [(Step::Load(Field::Age), 0), (Step::Right(Binary::Add, 0, 6.0), 0), (Step::Binary(Binary::Mul, 0, 0), 0)];
        assert_eq!(*program.steps, steps);
        let decided = Expression::Where(Box::new([Expression::Constant(f64::NAN), field(Field::Age), field(Field::Weight)]));
        assert_eq!(*Program::new(&decided).steps, [(Step::Load(Field::Weight), 0)]);
    }

    #[test]
    fn registers_are_used_again() {
        let chain = (0..20).fold(field(Field::Inflight), |tree, place| binary(Binary::Add, tree, field(Field::Reported(place))));
        assert_eq!(Program::new(&chain).memory(), 2 * ROWS);
    }
}
