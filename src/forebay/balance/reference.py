"""The structural policies in plain Python: slow, readable, and the measure of the engine's picks, which equal these one for one.

A pick is an index into the pool's endpoints in their declared order, or None where none is eligible. `eligible` says for each endpoint
whether it may be picked now: not passed over, not tried for this request, below its cap. An endpoint of weight 0 never may.

Sources: SplitMix64 is Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014); smooth weighted round
robin is that of nginx (commit 52327e0627f4). A draw is brought to a range by the high half of a product, after Lemire, "Fast random
integer generation in an interval" (2019), without the rejection step: the bias is below n / 2^64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_MASK: Final = 2**64 - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
LONGEST_CYCLE: Final = 65_536


def mix64(z: int) -> int:
    """SplitMix64's finaliser: a bijection of the 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def draw(seed: int, number: int) -> int:
    """The draw of that number (from 0) of a pool: 64 uniform bits."""
    return mix64((seed + (number + 1) * _GOLDEN) & _MASK)


def random(weights: Sequence[int], eligible: Sequence[bool], seed: int, number: int) -> int | None:
    """One of the eligible endpoints, all alike."""
    able = _able(weights, eligible)
    return able[(draw(seed, number) * len(able)) >> 64] if able else None


def weighted_random(weights: Sequence[int], eligible: Sequence[bool], seed: int, number: int) -> int | None:
    """One of the eligible endpoints, in proportion to the weights."""
    able = _able(weights, eligible)
    mark = (draw(seed, number) * sum(weights[index] for index in able)) >> 64
    reached = 0
    for index in able:
        reached += weights[index]
        if reached > mark:
            return index
    return None


class WeightedRoundRobin:
    """Picks by turns in proportion to the weights.

    The turns are one cycle, made once: each step of nginx's smooth weighted round robin adds every weight to its endpoint's credit,
    picks the highest credit (the first among equals) and takes the sum of all weights from it. Pick number `k` starts at place `k` of
    the cycle and goes forward to the first eligible endpoint.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self.cycle = cycle(reduced(weights))

    def pick(self, eligible: Sequence[bool], number: int) -> tuple[int, int] | None:
        """The pick of that number (from 0) and the number of the next pick; None where no endpoint is eligible.

        Turns that are passed by are used up: otherwise the endpoint behind an ineligible one would take all of its share.
        """
        length = len(self.cycle)
        for step in range(length):
            index = self.cycle[(number + step) % length]
            if eligible[index]:
                return index, number + step + 1
        return None


def reduced(weights: Sequence[int]) -> list[int]:
    """The weights in their smallest whole proportion; where even their sum passes 65,536, brought down to about that, each at least 1.

    A scaled weight is `weight * 65,536 // sum`, so that the sum stays below 65,536 plus the number of endpoints.
    """
    divisor = math.gcd(*weights)
    small = [weight // divisor for weight in weights] if divisor else list(weights)
    total = sum(small)
    if total <= LONGEST_CYCLE:
        return small
    return [max(1, weight * LONGEST_CYCLE // total) if weight else 0 for weight in small]


def cycle(weights: Sequence[int]) -> list[int]:
    """The turns of smooth weighted round robin: as many as the sum of the weights, in which each endpoint has its weight's number."""
    total = sum(weights)
    credit = [0] * len(weights)
    turns = []
    for _ in range(total):
        credit = [have + weight for have, weight in zip(credit, weights, strict=True)]
        best = max(range(len(weights)), key=lambda index: credit[index])
        credit[best] -= total
        turns.append(best)
    return turns


def _able(weights: Sequence[int], eligible: Sequence[bool]) -> list[int]:
    return [index for index, weight in enumerate(weights) if weight and eligible[index]]
