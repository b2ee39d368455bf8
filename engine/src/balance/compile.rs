//! From an expression's tree to the steps of a [`Program`](super::program::Program).

use super::expression::{Binary, Expression, Field, Unary};
use super::number::either;
use super::program::{Register, Step};

/// A distinct part of an expression; operands by their number. Constants are their bits, so that zeros of both signs stay apart.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Constant(u64),
    Field(Field),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Where([usize; 3]),
}

impl Value {
    fn constant(value: f64) -> Self {
        Self::Constant(value.to_bits())
    }

    fn operands(self) -> impl Iterator<Item = usize> {
        let all = match self {
            Self::Constant(_) | Self::Field(_) => [None; 3],
            Self::Unary(_, a) => [Some(a), None, None],
            Self::Binary(_, a, b) => [Some(a), Some(b), None],
            Self::Where(three) => three.map(Some),
        };
        all.into_iter().flatten()
    }
}

/// The steps of an expression, each with the register for its result, the last one's being the expression's; and how many registers.
pub(super) fn compile(expression: &Expression) -> (Vec<(Step, Register)>, usize) {
    let mut values = Values::default();
    let result = values.enter(expression);
    let needed = values.needed(result);
    Allocation { values: &values.0, needed: &needed, registers: vec![None; values.0.len()], taken: Vec::new() }.steps()
}

/// All distinct parts, operands before what uses them.
#[derive(Default)]
struct Values(Vec<Value>);

impl Values {
    fn enter(&mut self, expression: &Expression) -> usize {
        let value = match expression {
            Expression::Constant(value) => Value::constant(*value),
            Expression::Field(field) => Value::Field(*field),
            Expression::Unary(operation, a) => {
                let a = self.enter(a);
                self.known(a).map_or(Value::Unary(*operation, a), |a| Value::constant(operation.apply(a)))
            }
            Expression::Binary(operation, sides) => {
                let [a, b] = sides.each_ref().map(|side| self.enter(side));
                // Exact for every number.
                if matches!(operation, Binary::Mul | Binary::Div) && self.known(b) == Some(1.0) {
                    return a;
                }
                self.binary(*operation, a, b)
            }
            Expression::Where(parts) => {
                let [condition, a, b] = parts.each_ref().map(|part| self.enter(part));
                match self.known(condition) {
                    Some(condition) if either(condition, 1.0, 0.0) > 0.0 => return a,
                    Some(_) => return b,
                    None => Value::Where([condition, a, b]),
                }
            }
        };
        self.number(value)
    }

    /// Constants stand on the right where that means the same.
    fn binary(&self, operation: Binary, a: usize, b: usize) -> Value {
        match (self.known(a), self.known(b)) {
            (Some(a), Some(b)) => Value::constant(operation.apply(a, b)),
            (Some(_), None) => mirrored(operation).map_or(Value::Binary(operation, a, b), |mirrored| Value::Binary(mirrored, b, a)),
            _ => Value::Binary(operation, a, b),
        }
    }

    fn known(&self, number: usize) -> Option<f64> {
        match self.0.get(number) {
            Some(Value::Constant(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    fn number(&mut self, value: Value) -> usize {
        self.0.iter().position(|known| *known == value).unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        })
    }

    /// For each value the last one that needs it in a register, if any does; the result needs itself.
    fn needed(&self, result: usize) -> Vec<Option<usize>> {
        let mut needed = vec![None; self.0.len()];
        if let Some(last) = needed.get_mut(result) {
            *last = Some(result);
        }
        for (number, value) in self.0.iter().enumerate().rev() {
            if needed.get(number).is_none_or(Option::is_none) {
                continue;
            }
            for operand in value.operands() {
                // An operation on a constant has it in the step itself.
                let within = matches!(value, Value::Binary(..)) && self.known(operand).is_some();
                if let Some(last @ None) = needed.get_mut(operand).filter(|_| !within) {
                    *last = Some(number);
                }
            }
        }
        needed
    }
}

/// The operation that gives the same with its operands exchanged.
fn mirrored(operation: Binary) -> Option<Binary> {
    Some(match operation {
        Binary::Add | Binary::Mul | Binary::Equal | Binary::NotEqual => operation,
        Binary::Less => Binary::Greater,
        Binary::LessEqual => Binary::GreaterEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterEqual => Binary::LessEqual,
        // Not so where the operands are zeros of both signs, or one is NaN.
        Binary::Min | Binary::Max | Binary::Sub | Binary::Div => return None,
    })
}

/// Gives each value that is needed a register, for as long as it is.
struct Allocation<'a> {
    values: &'a [Value],
    needed: &'a [Option<usize>],
    registers: Vec<Option<Register>>,
    taken: Vec<bool>,
}

impl Allocation<'_> {
    fn steps(mut self) -> (Vec<(Step, Register)>, usize) {
        let mut steps = Vec::new();
        for (number, (value, last)) in self.values.iter().zip(self.needed).enumerate() {
            if last.is_none() {
                continue;
            }
            let Some(step) = self.step(*value) else { continue };
            // Before its operands' registers are free: a step writes to none that it reads.
            let register = self.take();
            for operand in value.operands() {
                if self.needed.get(operand).is_some_and(|last| *last == Some(number)) {
                    self.free(operand);
                }
            }
            if let Some(place) = self.registers.get_mut(number) {
                *place = Some(register);
            }
            steps.push((step, register));
        }
        (steps, self.taken.len())
    }

    fn step(&self, value: Value) -> Option<Step> {
        let register = |operand: usize| self.registers.get(operand).copied().flatten();
        Some(match value {
            Value::Constant(bits) => Step::Constant(f64::from_bits(bits)),
            Value::Field(field) => Step::Load(field),
            Value::Unary(operation, a) => Step::Unary(operation, register(a)?),
            Value::Binary(operation, a, b) => match (self.values.get(a)?, self.values.get(b)?) {
                (Value::Constant(constant), _) => Step::Left(operation, f64::from_bits(*constant), register(b)?),
                (_, Value::Constant(constant)) => Step::Right(operation, register(a)?, f64::from_bits(*constant)),
                _ => Step::Binary(operation, register(a)?, register(b)?),
            },
            Value::Where([condition, a, b]) => Step::Where(register(condition)?, register(a)?, register(b)?),
        })
    }

    fn take(&mut self) -> Register {
        let free = self.taken.iter().position(|taken| !taken).unwrap_or_else(|| {
            self.taken.push(false);
            self.taken.len() - 1
        });
        if let Some(taken) = self.taken.get_mut(free) {
            *taken = true;
        }
        free as Register
    }

    fn free(&mut self, value: usize) {
        if let Some(Some(register)) = self.registers.get(value)
            && let Some(taken) = self.taken.get_mut(usize::from(*register))
        {
            *taken = false;
        }
    }
}
