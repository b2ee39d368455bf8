"""What an expression may call besides operators; each takes expressions and numbers, and gives an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from types import MappingProxyType
from typing import Final

from forebay.balance.expression import FIELDS, Expression, Field, Operand, operand, operation, reported
from forebay.types import Malformed, suggest

__all__ = ["FUNCTIONS", "clamp", "endpoint", "exp", "log", "max", "min", "where"]


def min(first: Operand, /, *others: Operand) -> Expression:  # noqa: A001 - the name that Python gives it
    """The smallest of two or more; of two, `a if a < b else b`, and of more, from the left."""
    return _folded("min", first, others)


def max(first: Operand, /, *others: Operand) -> Expression:  # noqa: A001 - the name that Python gives it
    """The largest of two or more; of two, `a if a > b else b`, and of more, from the left."""
    return _folded("max", first, others)


def where(condition: Operand, a: Operand, b: Operand, /) -> Expression:
    """`a` where the condition is a number other than 0, else `b`; NaN counts as 0."""
    return operation("where", condition, a, b)


def log(x: Operand, /) -> Expression:
    """The natural logarithm; minus infinity for 0 and NaN below it."""
    return operation("log", x)


def exp(x: Operand, /) -> Expression:
    """The exponential: e to the power of x."""
    return operation("exp", x)


def clamp(x: Operand, low: Operand, high: Operand, /) -> Expression:
    """`x`, brought between `low` and `high`: `min(max(x, low), high)`."""
    return operation("clamp", x, low, high)


def _folded(operator: str, first: Operand, others: tuple[Operand, ...]) -> Expression:
    if not others:
        raise Malformed(f"{operator} takes two or more", f"write {operator}(a, b)")
    return reduce(partial(operation, operator), others, operand(first))


class _Endpoint:
    """The endpoint that a policy weighs, to write expressions with: `endpoint.inflight + 1`.

    Its attributes are the fields; `endpoint.reported("kv_cache")` is a metric that the servers report.
    """

    __slots__ = ()

    inflight: Expression
    weight: Expression
    latency: Expression
    service_time: Expression
    error_rate: Expression
    age: Expression
    reported_load: Expression

    def reported(self, name: str) -> Expression:
        """A metric that the servers report under this name; 0 for an endpoint that reports none."""
        return reported(name)

    def __getattr__(self, name: str) -> Expression:
        if name in FIELDS:
            return Field(name)
        hint = suggest(name, FIELDS) or f"the fields are {', '.join(FIELDS)}"
        raise AttributeError(f'an endpoint has no field "{name}"; {hint}')

    def __dir__(self) -> list[str]:
        return [*FIELDS, "reported"]

    def __repr__(self) -> str:
        return "forebay.endpoint"

    def __reduce__(self) -> str:
        return "endpoint"


endpoint: Final = _Endpoint()

FUNCTIONS: Final[Mapping[str, Callable[..., Expression]]] = MappingProxyType(
    {"min": min, "max": max, "where": where, "log": log, "exp": exp, "clamp": clamp, "reported": reported}
)
"""All that may be called inside an expression, by name."""
