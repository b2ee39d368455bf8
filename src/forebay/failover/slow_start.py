"""Slow start: who is new or back is eligible for a growing part of the picks, whatever the policy.

The twin of engine/src/failover/slow_start.rs, tested equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from forebay.balance.reference import Occasion

LEAST: Final = 0.1
"""The part of the picks that an endpoint begins with."""


DRAWS: Final = 2**32
"""Where these draws lie among those of a pick: the policies' own come first."""


def drawn(occasion: Occasion, index: int) -> float:
    """The draw of one endpoint on one occasion, from 0 to 1: the upper 53 bits of draw number `2^32 + index` of the pick's draw."""
    return (occasion.sub_draw(DRAWS + index) >> 11) / 2**53


def share(age: float, window: float) -> float:
    """The part of the picks for which an endpoint is eligible, `age` seconds after it began to serve; 1 where there is no window."""
    return 1.0 if window <= 0 or age >= window else max(LEAST, age / window)


def eligible(mask: Sequence[bool], ages: Sequence[float], window: float, draws: Sequence[float]) -> tuple[bool, ...]:
    """Who of a mask may be picked on one occasion, by one draw (0 to 1) for each endpoint. All of it where nobody would be left."""
    left = tuple(may and draw < share(age, window) for may, age, draw in zip(mask, ages, draws, strict=True))
    return left if any(left) else tuple(mask)
