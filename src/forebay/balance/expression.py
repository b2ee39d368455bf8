"""Policies' scores as expressions: what Python's operators build from `endpoint`, and what the text in a `balance` key is read as.

An expression is an immutable tree of at most 64 nodes and a depth of 16. It prints as the Python that makes it again, has one wire form
(what the engine compiles), and here a slow value in plain Python, which the engine's equals bit for bit. All values are binary64
numbers: a comparison is 1 or 0. What consists of constants alone is one constant, computed where it is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn, TypeAlias

from forebay.balance import numbers
from forebay.types import Malformed, describe

LARGEST: Final = 64
"""How many nodes an expression may have: fields, constants and operations."""
DEEPEST: Final = 16
"""How deep operations may stand inside one another."""

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "inflight": "Requests on it now, from this gateway.",
        "weight": "Its declared weight, times the factor of its slow start; above 0 for whatever may be picked.",
        "latency": "Seconds to the first byte of its answers, averaged with less weight on older ones.",
        "service_time": "Seconds that one request takes it: latency by the requests in flight when it came, itself included; averaged.",
        "error_rate": "Share of its answers that failed, 0 to 1, averaged over 10 s.",
        "age": "Seconds since it joined the pool or recovered.",
        "reported_load": "How busy it says it is, 0 to 1; 0 where it says nothing.",
    }
)
"""What an expression may read of an endpoint, by name. A failed answer counts as a slow one, never as a fast one; what is not known of
an endpoint is its pool's median, or 1 ms for times in a pool that knows nothing yet."""

FRESH: Final[Mapping[str, float]] = MappingProxyType(
    {"inflight": 0.0, "latency": 0.001, "service_time": 0.001, "error_rate": 0.0, "age": 0.0, "reported_load": 0.0}
)
"""The fields of an endpoint that has just joined a pool of which nothing is known; its weight is its own."""

Operand: TypeAlias = "Expression | float"
Wire: TypeAlias = "float | str | list[Wire]"

_COMPARISONS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
}
OPERATIONS: Final[Mapping[str, tuple[int, Callable[..., float]]]] = {
    "+": (2, lambda a, b: a + b),
    "-": (2, lambda a, b: a - b),
    "*": (2, lambda a, b: a * b),
    "/": (2, numbers.div),
    "neg": (1, lambda a: -a),
    "min": (2, numbers.least),
    "max": (2, numbers.most),
    "where": (3, numbers.where),
    "log": (1, numbers.log),
    "exp": (1, numbers.exp),
    "clamp": (3, lambda x, low, high: numbers.least(numbers.most(x, low), high)),
    **{name: (2, compare) for name, compare in _COMPARISONS.items()},
}
"""Each operation of the wire form: how many operands it has, and what it computes."""

_BINDING: Final = {**dict.fromkeys(_COMPARISONS, 1), "+": 2, "-": 2, "*": 3, "/": 3, "neg": 4}
_ATOM: Final = 5
_METRIC: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class Expression:
    """A score of an endpoint; made by arithmetic on `forebay.endpoint` and by `forebay.balance.min`, `max`, `where` and so on.

    `==` builds an expression too; `same` says whether two trees are one and the same. Everything that would need the value at once
    (`if`, `and`, `float()`) raises, since the engine computes it at each pick.

    Attributes:
        nodes: how many nodes the tree has.
        depth: how many of them stand inside one another at most.
    """

    __slots__ = ()
    __array_ufunc__ = None  # NumPy's numbers leave the operators to us
    nodes: int
    depth: int

    def value(self, fields: Mapping[str, float]) -> float:
        """The score of an endpoint whose fields have these values, by name; a reported metric's name is `reported:NAME`.

        Raises KeyError for a field that is missing.
        """
        raise NotImplementedError

    def wire(self) -> Wire:
        """What the engine is told: a number, a field's name, `["reported", name]`, or an operation's name and its operands."""
        raise NotImplementedError

    def parts(self) -> tuple[Expression, ...]:
        """The operands; none for a field or a constant."""
        return ()

    def fields(self) -> frozenset[str]:
        """The fields that it reads, as `value` wants them."""
        return frozenset[str]().union(*(part.fields() for part in self.parts()))

    def same(self, other: object) -> bool:
        """Whether both are the same tree."""
        return isinstance(other, Expression) and repr(self) == repr(other)

    def _binding(self) -> int:
        return _ATOM

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Callable[[object], Expression], tuple[Wire]]:
        return from_wire, (self.wire(),)

    def __add__(self, other: Operand) -> Expression:
        return operation("+", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return operation("+", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return operation("-", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return operation("-", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return operation("*", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return operation("*", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return operation("/", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return operation("/", other, self)

    def __neg__(self) -> Expression:
        return operation("neg", self)

    def __pos__(self) -> Expression:
        return self

    def __lt__(self, other: Operand) -> Expression:
        return operation("<", self, other)

    def __le__(self, other: Operand) -> Expression:
        return operation("<=", self, other)

    def __gt__(self, other: Operand) -> Expression:
        return operation(">", self, other)

    def __ge__(self, other: Operand) -> Expression:
        return operation(">=", self, other)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return operation("==", self, other) if _is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return operation("!=", self, other) if _is_operand(other) else NotImplemented

    def __bool__(self) -> bool:
        hint = f"{TRUTH_HINT}, and balance.max(a, b) for Python's max(a, b)"
        raise Malformed(f'"{self}" is neither true nor false before the engine computes it', hint)

    def __float__(self) -> NoReturn:
        raise Malformed(f'"{self}" has no value before the engine computes it', "write log, exp, min, max of forebay.balance")

    def __abs__(self) -> NoReturn:
        raise Malformed("an expression knows no abs()", f"write balance.max({self}, -({self}))")

    def _refused(self, _other: object) -> NoReturn:
        raise Malformed("an expression knows no such operator", OPERATOR_HINT)

    __pow__ = __rpow__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refused
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refused


TRUTH_HINT: Final = 'write where(condition, a, b) for "a if condition else b", and (a < b) * (b < c) for "a < b < c" or "and"'
OPERATOR_HINT: Final = (
    "the operators are + - * / and comparisons; write x * x for a square, exp(y * log(x)) for a power, where(a, b, 0) for a and b"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Expression):
    """A constant, always finite."""

    number: float
    nodes: int = 1
    depth: int = 1

    def value(self, fields: Mapping[str, float]) -> float:  # noqa: ARG002, D102 - as its base says
        return self.number

    def wire(self) -> Wire:  # noqa: D102 - as its base says
        return self.number

    def __bool__(self) -> bool:
        return self.number != 0

    def __repr__(self) -> str:
        text = repr(self.number)
        # Python reads -0 as the whole number 0, which has no sign.
        return text if text == "-0.0" else text.removesuffix(".0")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Field(Expression):
    """What is known of an endpoint: one of `FIELDS`, or a metric that the servers report."""

    name: str
    reported: bool = False
    nodes: int = 1
    depth: int = 1

    def value(self, fields: Mapping[str, float]) -> float:  # noqa: D102 - as its base says
        return fields[self._column()]

    def wire(self) -> Wire:  # noqa: D102 - as its base says
        return ["reported", self.name] if self.reported else self.name

    def fields(self) -> frozenset[str]:  # noqa: D102 - as its base says
        return frozenset({self._column()})

    def _column(self) -> str:
        return f"reported:{self.name}" if self.reported else self.name

    def __repr__(self) -> str:
        return f"reported({self.name!r})" if self.reported else self.name


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operation(Expression):
    """An operation of `OPERATIONS` on other expressions."""

    operator: str
    operands: tuple[Expression, ...]
    nodes: int
    depth: int

    def value(self, fields: Mapping[str, float]) -> float:  # noqa: D102 - as its base says
        return OPERATIONS[self.operator][1](*(operand.value(fields) for operand in self.operands))

    def wire(self) -> Wire:  # noqa: D102 - as its base says
        return [self.operator, *(operand.wire() for operand in self.operands)]

    def parts(self) -> tuple[Expression, ...]:  # noqa: D102 - as its base says
        return self.operands

    def __bool__(self) -> bool:
        # Whatever keeps expressions in a set or a dict asks whether two of the same hash are equal.
        if self.operator == "==" and self.operands[0].same(self.operands[1]):
            return True
        return Expression.__bool__(self)

    def __repr__(self) -> str:
        binding = self._binding()
        if binding == _ATOM:
            return f"{self.operator}({', '.join(map(repr, self._listed()))})"
        if self.operator == "neg":
            return f"-{_within(self.operands[0], binding)}"
        left, right = self.operands
        # Operators of one rank join from the left; comparisons do not join at all.
        looser = binding + 1 if self.operator in _COMPARISONS else binding
        return f"{_within(left, looser)} {self.operator} {_within(right, binding + 1)}"

    def _binding(self) -> int:
        return _BINDING.get(self.operator, _ATOM)

    def _listed(self) -> tuple[Expression, ...]:
        """The operands of a function as they were written: `min(a, b, c)` is `min` of `min(a, b)` and `c`."""
        first = self.operands[0]
        if self.operator in {"min", "max"} and isinstance(first, Operation) and first.operator == self.operator:
            return (*first._listed(), *self.operands[1:])  # noqa: SLF001 - of its own class
        return self.operands


def _within(expression: Expression, binding: int) -> str:
    return f"({expression})" if expression._binding() < binding else repr(expression)  # noqa: SLF001 - of this module


def field(name: str) -> Field:
    """One of `FIELDS`. Raises Malformed for any other."""
    if name not in FIELDS:
        raise Malformed(f'unknown field "{name}"', f"the fields are {', '.join(FIELDS)}, and reported('name')")
    return Field(name)


def reported(name: object) -> Field:
    """A metric that the servers report under this name; 0 where an endpoint reports none. Raises Malformed for what is no name."""
    if not isinstance(name, str) or not _METRIC.fullmatch(name):
        raise Malformed(f"{name!r} is no name of a reported metric", "write up to 64 letters, digits and _ . : / -, in quotes")
    return Field(name, reported=True)


def operand(value: object) -> Expression:
    """An expression as it is, a number as a constant. Raises Malformed for anything else, and for a number that is not finite."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool):
        raise Malformed(f"{value} is no number", "write 1 or 0")
    if not isinstance(value, int | float):
        raise Malformed(f"{describe(value)} is no number", "an expression is made of numbers and of an endpoint's fields")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Malformed(f"the constant {number} is not finite", "write a number up to 1.7e308")
    return Number(number)


def _is_operand(value: object) -> bool:
    return isinstance(value, Expression | int | float)


def operation(operator: str, *values: object) -> Expression:
    """An operation on expressions and numbers; the number that it gives where all are constants.

    Raises Malformed where the whole has more than 64 nodes or a depth over 16, and where constants give no finite number.
    """
    operands = tuple(operand(value) for value in values)
    nodes = 1 + sum(each.nodes for each in operands)
    depth = 1 + max(each.depth for each in operands)
    if nodes > LARGEST:
        raise Malformed(f"the expression has {nodes} nodes, more than {LARGEST}", TOO_LARGE_HINT)
    if depth > DEEPEST:
        raise Malformed(f"the expression is {depth} deep, more than {DEEPEST}", TOO_LARGE_HINT)
    made = Operation(operator, operands, nodes, depth)
    if all(isinstance(each, Number) for each in operands):
        number = made.value({})
        if not math.isfinite(number):
            raise Malformed(f'the constant "{made}" is {number}', "write one that is finite")
        return Number(number)
    return made


TOO_LARGE_HINT: Final = "write a shorter one, or a Python callable"


def from_wire(wire: object) -> Expression:
    """The expression of a wire form. Raises Malformed for what is none."""
    return _from_wire(wire, DEEPEST)


def _from_wire(wire: object, room: int) -> Expression:
    if isinstance(wire, str):
        return field(wire)
    if not isinstance(wire, list | tuple):
        return operand(wire)
    name, *rest = wire or (None,)
    if name == "reported" and len(rest) == 1:
        return reported(rest[0])
    if not isinstance(name, str) or name not in OPERATIONS or len(rest) != OPERATIONS[name][0]:
        raise Malformed(f"{wire!r} is no expression's wire form")
    if room <= 1:
        raise Malformed(f"the expression is more than {DEEPEST} deep", TOO_LARGE_HINT)
    return operation(name, *(_from_wire(each, room - 1) for each in rest))
