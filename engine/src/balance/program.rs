//! A score as a program for a small machine: each step works on a chunk of endpoints at a time, so that what a step costs is arithmetic.
//!
//! A register holds one number for each of the 256 endpoints of a chunk, as rows of eight: a row fits the vector registers of any processor of
//! the last twenty years, and a chunk with few endpoints works on few rows. Parts of an expression that occur twice are computed once, parts
//! made of constants when the program is made. Every number has the bits that evaluating the tree, operation by operation, would give.

use super::compile::compile;
use super::expression::{Binary, Expression, Field, Unary};
use super::number::{either, exp, log, max, min, truth};

/// Endpoints in a block, which is what one mask covers.
pub const BLOCK: usize = 64;
/// Endpoints in a row.
pub const ROW: usize = 8;
/// Rows of a chunk.
const ROWS: usize = 32;
/// Endpoints in a chunk, some whole blocks.
pub const CHUNK: usize = ROW * ROWS;

/// One number for each endpoint of a chunk, row by row.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub struct Lanes([[f64; ROW]; ROWS]);

impl Default for Lanes {
    fn default() -> Self {
        Self([[0.0; ROW]; ROWS])
    }
}

impl Lanes {
    /// The first `rows` rows.
    #[must_use]
    pub fn rows(&self, rows: usize) -> &[[f64; ROW]] {
        self.0.get(..rows).unwrap_or_default()
    }

    /// The same, to write.
    pub fn rows_mut(&mut self, rows: usize) -> &mut [[f64; ROW]] {
        self.0.get_mut(..rows).unwrap_or_default()
    }

    /// The numbers of the first `rows` rows.
    #[must_use]
    pub fn numbers(&self, rows: usize) -> &[f64] {
        self.rows(rows).as_flattened()
    }

    /// The same, to write.
    pub fn numbers_mut(&mut self, rows: usize) -> &mut [f64] {
        self.rows_mut(rows).as_flattened_mut()
    }
}

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
    /// Each with the register that its result goes to, which is none that it reads. The last one's result is the score.
    steps: Box<[(Step, Register)]>,
    registers: usize,
}

/// Registers of a program; a step takes out the one that it writes.
#[derive(Debug, Default)]
pub struct Memory(Vec<Option<Box<Lanes>>>);

impl Memory {
    fn get(&self, register: Register) -> Option<&Lanes> {
        self.0.get(usize::from(register))?.as_deref()
    }
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

    /// Makes a memory large enough for it.
    pub fn prepare(&self, memory: &mut Memory) {
        if memory.0.len() < self.registers {
            memory.0.resize_with(self.registers, || Some(Box::default()));
        }
    }

    /// Writes the scores of the first `rows` rows of a chunk to `out`. The memory was prepared; `load` writes a field of the chunk's endpoints
    /// to a slice of `rows * ROW` numbers.
    pub fn run(&self, memory: &mut Memory, rows: usize, out: &mut Lanes, load: impl Fn(Field, &mut [f64])) {
        let Some(((last, _), steps)) = self.steps.split_last() else { return };
        for (step, to) in steps {
            let Some(mut register) = memory.0.get_mut(usize::from(*to)).and_then(Option::take) else { return };
            match step {
                Step::Load(field) => load(*field, register.numbers_mut(rows)),
                step => step.run(memory, rows, &mut register).unwrap_or_default(),
            }
            if let Some(place) = memory.0.get_mut(usize::from(*to)) {
                *place = Some(register);
            }
        }
        match last {
            Step::Load(field) => load(*field, out.numbers_mut(rows)),
            step => step.run(memory, rows, out).unwrap_or_default(),
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "so that each operation has its own loop")]
fn one(out: &mut Lanes, a: &Lanes, rows: usize, operation: impl Fn(f64) -> f64) {
    for (out, a) in out.numbers_mut(rows).iter_mut().zip(a.numbers(rows)) {
        *out = operation(*a);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "so that each operation has its own loop")]
fn two(out: &mut Lanes, a: &Lanes, b: &Lanes, rows: usize, operation: impl Fn(f64, f64) -> f64) {
    for ((out, a), b) in out.numbers_mut(rows).iter_mut().zip(a.numbers(rows)).zip(b.numbers(rows)) {
        *out = operation(*a, *b);
    }
}

fn choose(out: &mut Lanes, condition: &Lanes, sides: (&Lanes, &Lanes), rows: usize) {
    let sides = sides.0.numbers(rows).iter().zip(sides.1.numbers(rows));
    for ((out, condition), (a, b)) in out.numbers_mut(rows).iter_mut().zip(condition.numbers(rows)).zip(sides) {
        *out = either(*condition, *a, *b);
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

impl Step {
    /// Computes its result; `None` when a register is missing, which a prepared memory has all of.
    #[expect(clippy::float_cmp, reason = "the operation is exact equality")]
    fn run(self, memory: &Memory, rows: usize, out: &mut Lanes) -> Option<()> {
        let register = |number| memory.get(number);
        match self {
            Self::Load(_) => {}
            Self::Constant(value) => out.numbers_mut(rows).fill(value),
            Self::Unary(Unary::Neg, a) => one(out, register(a)?, rows, |a| -a),
            Self::Unary(operation, a) => one(out, register(a)?, rows, |a| operation.apply(a)),
            Self::Binary(operation, a, b) => {
                let (a, b) = (register(a)?, register(b)?);
                with_function!(operation, f => two(out, a, b, rows, f));
            }
            Self::Right(operation, a, constant) => {
                let a = register(a)?;
                with_function!(operation, f => one(out, a, rows, |a| f(a, constant)));
            }
            Self::Left(operation, constant, a) => {
                let a = register(a)?;
                with_function!(operation, f => one(out, a, rows, |a| f(constant, a)));
            }
            Self::Where(condition, a, b) => choose(out, register(condition)?, (register(a)?, register(b)?), rows),
        }
        Some(())
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
            let (mut memory, mut out) = (Memory::default(), Lanes::default());
            program.prepare(&mut memory);
            program.run(&mut memory, rows, &mut out, |field, out| out.copy_from_slice(column(field)));
            let result = out.numbers(rows);
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
        let steps = [(Step::Load(Field::Age), 0), (Step::Right(Binary::Add, 0, 6.0), 1), (Step::Binary(Binary::Mul, 1, 1), 0)];
        assert_eq!(*program.steps, steps);
        let decided = Expression::Where(Box::new([Expression::Constant(f64::NAN), field(Field::Age), field(Field::Weight)]));
        assert_eq!(*Program::new(&decided).steps, [(Step::Load(Field::Weight), 0)]);
    }

    #[test]
    fn registers_are_used_again() {
        let chain = (0..20).fold(field(Field::Inflight), |tree, place| binary(Binary::Add, tree, field(Field::Reported(place))));
        assert_eq!(Program::new(&chain).registers, 3);
    }
}
