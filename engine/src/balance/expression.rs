//! A score as control sends it, and as a checked tree. What it means, operation by operation, is said in [`number`](super::number).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most nodes of an expression, and its greatest depth, a lone field being 1 deep: the same bounds as in `forebay.balance`.
pub const MOST_NODES: usize = 64;
/// See [`MOST_NODES`].
pub const DEEPEST: usize = 16;

/// The wire form: a number, the name of a field, or `[operation, operand...]`; a reported metric is `["reported", name]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExpressionSpec {
    /// A constant.
    Number(f64),
    /// A field; within a call also the operation's or the metric's name.
    Name(String),
    /// An operation and its operands.
    Call(Vec<ExpressionSpec>),
}

/// What a score reads of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Requests on it now.
    Inflight,
    /// Its share, slow start counted in.
    Weight,
    /// Seconds to the first byte.
    Latency,
    /// Seconds that one request takes it.
    ServiceTime,
    /// Share of failed answers.
    ErrorRate,
    /// Seconds since it joined or recovered.
    Age,
    /// How busy it says it is.
    ReportedLoad,
    /// A metric that it reports, by its place in the pool's [`Metrics`].
    Reported(u16),
}

/// The names of the reported metrics that a pool's scores read, in the order in which they were met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics(Vec<Arc<str>>);

impl Metrics {
    /// All names; the place of each is that in [`Field::Reported`].
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.0
    }

    /// The place of a name, if any score reads it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u16> {
        self.0.iter().position(|known| **known == *name).map(|place| place as u16)
    }

    fn intern(&mut self, name: &str) -> Result<u16, String> {
        if let Some(place) = self.find(name) {
            return Ok(place);
        }
        let place = u16::try_from(self.0.len()).map_err(|_| "its scores read more than 65,536 reported metrics".to_owned())?;
        self.0.push(name.into());
        Ok(place)
    }
}

/// Operations on one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-x`
    Neg,
    /// Natural logarithm.
    Log,
    /// e to the power of it.
    Exp,
}

/// Operations on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// `a` if `a < b` else `b`
    Min,
    /// `a` if `a > b` else `b`
    Max,
    /// 1 if `a < b` else 0; the others likewise.
    Less,
    /// `a <= b`
    LessEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
}

/// A checked expression. `clamp(x, low, high)` has become `min(max(x, low), high)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// The same for every endpoint.
    Constant(f64),
    /// Read of the endpoint.
    Field(Field),
    /// An operation on one operand.
    Unary(Unary, Box<Expression>),
    /// An operation on two.
    Binary(Binary, Box<[Expression; 2]>),
    /// The second where the first is a number other than 0, else the third.
    Where(Box<[Expression; 3]>),
}

impl Expression {
    /// Checks a wire form; reported metrics are entered in `metrics`.
    ///
    /// # Errors
    ///
    /// What the expression has too much of, or which part of it is unknown.
    pub fn new(spec: &ExpressionSpec, metrics: &mut Metrics) -> Result<Self, String> {
        let mut nodes = MOST_NODES;
        Self::read(spec, metrics, &mut nodes, DEEPEST)
    }

    /// `nodes` and `depth` say how much is left.
    fn read(spec: &ExpressionSpec, metrics: &mut Metrics, nodes: &mut usize, depth: usize) -> Result<Self, String> {
        *nodes = nodes.checked_sub(1).ok_or_else(|| format!("the expression has more than {MOST_NODES} nodes"))?;
        let left = depth.checked_sub(1).ok_or_else(|| format!("the expression is more than {DEEPEST} deep"))?;
        let (name, operands) = match spec {
            ExpressionSpec::Number(value) => return Ok(Self::Constant(*value)),
            ExpressionSpec::Name(name) => return field(name).map(Self::Field),
            ExpressionSpec::Call(parts) => match parts.split_first() {
                Some((ExpressionSpec::Name(name), [ExpressionSpec::Name(metric)])) if name == "reported" => {
                    return metrics.intern(metric).map(|place| Self::Field(Field::Reported(place)));
                }
                Some((ExpressionSpec::Name(name), operands)) => (name.as_str(), operands),
                _ => return Err("an operation has no name".to_owned()),
            },
        };
        let operands = operands.iter().map(|operand| Self::read(operand, metrics, nodes, left)).collect::<Result<Vec<_>, String>>()?;
        Self::operation(name, operands)
    }

    /// The same with a number in place of a field.
    #[must_use]
    pub fn with(&self, field: Field, number: f64) -> Self {
        let with = |part: &Self| part.with(field, number);
        match self {
            Self::Field(name) if *name == field => Self::Constant(number),
            Self::Constant(_) | Self::Field(_) => self.clone(),
            Self::Unary(operation, a) => Self::Unary(*operation, Box::new(with(a))),
            Self::Binary(operation, sides) => Self::Binary(*operation, Box::new(sides.each_ref().map(with))),
            Self::Where(parts) => Self::Where(Box::new(parts.each_ref().map(with))),
        }
    }

    fn operation(name: &str, operands: Vec<Self>) -> Result<Self, String> {
        let count = operands.len();
        let wrong = || format!("the expression's operation {name:?} is unknown or does not take {count} operands");
        if let Some(operation) = binary(name) {
            return Ok(Self::Binary(operation, operands.try_into().map_err(|_| wrong())?));
        }
        match (name, <[Self; 1]>::try_from(operands)) {
            ("neg", Ok([x])) => Ok(Self::Unary(Unary::Neg, Box::new(x))),
            ("log", Ok([x])) => Ok(Self::Unary(Unary::Log, Box::new(x))),
            ("exp", Ok([x])) => Ok(Self::Unary(Unary::Exp, Box::new(x))),
            ("where", Err(three)) => Ok(Self::Where(three.try_into().map_err(|_| wrong())?)),
            ("clamp", Err(three)) => {
                let [x, low, high] = <[Self; 3]>::try_from(three).map_err(|_| wrong())?;
                let raised = Self::Binary(Binary::Max, Box::new([x, low]));
                Ok(Self::Binary(Binary::Min, Box::new([raised, high])))
            }
            _ => Err(wrong()),
        }
    }
}

fn field(name: &str) -> Result<Field, String> {
    Ok(match name {
        "inflight" => Field::Inflight,
        "weight" => Field::Weight,
        "latency" => Field::Latency,
        "service_time" => Field::ServiceTime,
        "error_rate" => Field::ErrorRate,
        "age" => Field::Age,
        "reported_load" => Field::ReportedLoad,
        _ => return Err(format!("the expression's field {name:?} is unknown")),
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "+" => Binary::Add,
        "-" => Binary::Sub,
        "*" => Binary::Mul,
        "/" => Binary::Div,
        "min" => Binary::Min,
        "max" => Binary::Max,
        "<" => Binary::Less,
        "<=" => Binary::LessEqual,
        ">" => Binary::Greater,
        ">=" => Binary::GreaterEqual,
        "==" => Binary::Equal,
        "!=" => Binary::NotEqual,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Expression, String> {
        let spec: ExpressionSpec = serde_json::from_str(json).map_err(|error| error.to_string())?;
        assert_eq!(
            serde_json::from_str::<ExpressionSpec>(&serde_json::to_string(&spec).unwrap()).unwrap(),
            spec,
            "{json} goes there and back"
        );
        Expression::new(&spec, &mut Metrics::default())
    }

    #[test]
    fn every_name_of_the_wire_form_is_known() {
        for name in ["inflight", "weight", "latency", "service_time", "error_rate", "age", "reported_load"] {
            assert!(matches!(read(&format!("{name:?}")), Ok(Expression::Field(_))), "{name}");
        }
        for name in ["+", "-", "*", "/", "min", "max", "<", "<=", ">", ">=", "==", "!="] {
            assert!(matches!(read(&format!("[{name:?}, 1, \"weight\"]")), Ok(Expression::Binary(..))), "{name}");
        }
        for name in ["neg", "log", "exp"] {
            assert!(matches!(read(&format!("[{name:?}, 2.5]")), Ok(Expression::Unary(..))), "{name}");
        }
        assert!(matches!(read(r#"["where", 1, 2, 3]"#), Ok(Expression::Where(_))));
        assert_eq!(read(r#"["clamp", "age", 0, 1]"#), read(r#"["min", ["max", "age", 0], 1]"#));
    }

    #[test]
    fn reported_metrics_are_numbered_as_they_are_met() {
        let spec: ExpressionSpec =
            serde_json::from_str(r#"["+", ["reported", "b"], ["*", ["reported", "a"], ["reported", "b"]]]"#).unwrap();
        let mut metrics = Metrics::default();
        let Ok(Expression::Binary(Binary::Add, sides)) = Expression::new(&spec, &mut metrics) else { panic!("no sum") };
        assert_eq!(sides[0], Expression::Field(Field::Reported(0)));
        assert_eq!(metrics.names().iter().map(|name| &**name).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!((metrics.find("a"), metrics.find("c")), (Some(1), None));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (json, says) in [
            (r#""speed""#, "\"speed\" is unknown"),
            (r#"["+", 1]"#, "\"+\" is unknown or does not take 1 operands"),
            (r#"["**", 1, 2]"#, "\"**\" is unknown"),
            (r#"["clamp", 1, 2]"#, "\"clamp\" is unknown or does not take 2"),
            (r#"["where", 1]"#, "\"where\" is unknown or does not take 1"),
            (r#"["reported", 1]"#, "\"reported\""),
            ("[1, 2]", "no name"),
            ("[]", "no name"),
            ("null", "match"),
        ] {
            let refused = read(json).unwrap_err();
            assert!(refused.contains(says), "{json}: {refused}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let deep = |levels: usize| format!("{}1{}", "[\"neg\",".repeat(levels), "]".repeat(levels));
        assert!(read(&deep(DEEPEST - 1)).is_ok());
        assert!(read(&deep(DEEPEST)).unwrap_err().contains("deep"));
        // A full tree of 63 nodes, and one of 127.
        let full = |levels: usize| (0..levels).fold("1".to_owned(), |tree, _| format!("[\"+\",{tree},{tree}]"));
        assert!(read(&full(5)).is_ok());
        assert!(read(&full(6)).unwrap_err().contains("64 nodes"));
    }

    #[test]
    fn a_constant_keeps_its_bits_on_the_wire() {
        for k in 0..2000 {
            let value = f64::from_bits(crate::balance::draw::draw(5, k));
            if value.is_finite() {
                let read: ExpressionSpec = serde_json::from_str(&format!("{value:?}")).unwrap();
                assert_eq!(read, ExpressionSpec::Number(value));
            }
        }
    }
}
