"""Randomness of a simulation: streams of uniform draws, and the distributions made of them by inverse transform.

Python promises that `random.Random(seed).random()` gives the same numbers in every version; logarithms are those of
`forebay.balance.numbers`, the same bit for bit on any machine. So a seed is a result.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from forebay.balance.numbers import exp, log
from forebay.types import Malformed

Draw = Callable[[], float]
"""Gives the next number of a stream."""


def stream(seed: int, name: str) -> Draw:
    """Uniform draws in [0, 1), of their own for each seed and name."""
    return random.Random(f"{seed}:{name}").random  # noqa: S311 - a simulation, no secret


class Distribution(Protocol):
    """A law of durations (or sizes) that are never negative."""

    @property
    def mean(self) -> float:
        """The expected value, in seconds."""

    def draw(self, uniform: Draw) -> float:
        """One value; takes as many uniform draws every time, so that streams stay together."""


@dataclass(frozen=True, slots=True)
class Deterministic:
    """Always the same."""

    mean: float

    def __post_init__(self) -> None:
        _positive("a duration", self.mean)

    def draw(self, uniform: Draw) -> float:  # noqa: ARG002 - every distribution is asked alike
        """The mean; no draw is taken."""
        return self.mean


@dataclass(frozen=True, slots=True)
class Exponential:
    """Without memory: density `exp(-x / mean) / mean`; coefficient of variation 1."""

    mean: float

    def __post_init__(self) -> None:
        _positive("a mean", self.mean)

    def draw(self, uniform: Draw) -> float:
        """One value; one draw."""
        return -self.mean * log(1.0 - uniform())


@dataclass(frozen=True, slots=True)
class LogNormal:
    """The exponential of a normal variable with standard deviation `sigma`; coefficient of variation `sqrt(exp(sigma ** 2) - 1)`."""

    mean: float
    sigma: float = 1.0

    def __post_init__(self) -> None:
        _positive("a mean", self.mean)
        _positive("sigma", self.sigma)

    def draw(self, uniform: Draw) -> float:
        """One value; one draw."""
        return self.mean * exp(self.sigma * normal(1.0 - uniform()) - 0.5 * self.sigma * self.sigma)


@dataclass(frozen=True, slots=True)
class Pareto:
    """A power law: P(X > x) = (least / x) ** alpha. The variance is infinite for an alpha up to 2."""

    mean: float
    alpha: float = 2.5

    def __post_init__(self) -> None:
        _positive("a mean", self.mean)
        if not 1.0 < self.alpha < math.inf:
            raise Malformed(f"alpha is {self.alpha}: a Pareto law has a mean only above 1", "write 1.5 or 2.5")

    def draw(self, uniform: Draw) -> float:
        """One value; one draw."""
        least = self.mean * (self.alpha - 1.0) / self.alpha
        return least * exp(-log(1.0 - uniform()) / self.alpha)


@dataclass(frozen=True, slots=True)
class Mixture:
    """One of several laws, each with its probability. `parts` are pairs of a probability and a law; the probabilities add up to 1."""

    parts: tuple[tuple[float, Distribution], ...]

    def __post_init__(self) -> None:
        if any(not 0.0 <= share <= 1.0 for share, _ in self.parts) or abs(sum(share for share, _ in self.parts) - 1.0) > _ROUNDING:
            raise Malformed("the probabilities of a mixture lie between 0 and 1 and add up to 1", "write ((0.9, A), (0.1, B))")

    @property
    def mean(self) -> float:
        """The mean of the parts' means."""
        return sum(share * part.mean for share, part in self.parts)

    def draw(self, uniform: Draw) -> float:
        """One value; one draw to choose, then that of the part."""
        mark = uniform()
        for reached, (_, part) in zip(accumulate(share for share, _ in self.parts), self.parts, strict=True):
            if mark < reached:
                return part.draw(uniform)
        return self.parts[-1][1].draw(uniform)


_ROUNDING: Final = 1e-9
_CENTRAL: Final = 0.425
_FAR: Final = 5.0
# Wichura's PPND7: relative error below 1e-7, which is far below what a simulation can tell.
_CENTRE: Final = (
    (3.3871327179, 50.434271938, 159.29113202, 59.109374720),
    (1.0, 17.895169469, 78.757757664, 67.187563600),
)
_TAIL: Final = ((1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103), (1.0, 0.73700164250, 0.12021132975))
_FAR_TAIL: Final = ((6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997), (1.0, 0.24197894225, 0.012258202635))


def normal(probability: float) -> float:
    """The standard normal quantile of a probability in (0, 1).

    Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (Applied Statistics 37, 1988), PPND7.
    """
    centred = probability - 0.5
    if abs(centred) <= _CENTRAL:
        r = 0.180625 - centred * centred
        return centred * _polynomial(_CENTRE[0], r) / _polynomial(_CENTRE[1], r)
    r = math.sqrt(-log(min(probability, 1.0 - probability) or 2.0**-53))
    if r <= _FAR:
        value = _polynomial(_TAIL[0], r - 1.6) / _polynomial(_TAIL[1], r - 1.6)
    else:
        value = _polynomial(_FAR_TAIL[0], r - _FAR) / _polynomial(_FAR_TAIL[1], r - _FAR)
    return -value if centred < 0 else value


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def _positive(what: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise Malformed(f"{what} is {value}: it must be above 0 and finite")
