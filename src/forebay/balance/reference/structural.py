"""The structural policies: by place and weight alone.

A pick is an index into the pool's endpoints in their declared order, or None where none is eligible. `eligible` says for each endpoint
whether it may be picked now: not passed over, not tried for this request, below its cap. An endpoint of weight 0 never may. Policies of
turns give the number of the next pick too.

Source: smooth weighted round robin is that of nginx (commit 52327e0627f4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from forebay.balance.reference.draws import GOLDEN, MASK, Occasion, scale

LONGEST_CYCLE: Final = 65_536
"""The most turns of a weighted cycle."""
SCAN: Final = 64
"""Places of a weighted cycle that a pick may pass by before it draws instead."""
TRIES: Final = 16
"""Draws that may fall on who is not eligible before a random pick looks who is."""
_LARGEST: Final = 2**32 - 1


def units(weight: float) -> int:
    """A weight in whole thousandths, at least one unless the weight is zero (or no number), so that sums and proportions are exact."""
    return max(1, math.floor(min(weight * 1000.0 + 0.5, _LARGEST))) if weight > 0 else 0


def round_robin(weights: Sequence[float], eligible: Sequence[bool], number: int) -> tuple[int, int] | None:
    """By turns in declared order, whatever the weights: the pick of that number (from 0) and the number of the next.

    Turns that are passed by are used up: otherwise the endpoint behind an ineligible one would take all of its share.
    """
    turns = [index for index, weight in enumerate(weights) if weight > 0]
    for step in range(len(turns)):
        index = turns[(number + step) % len(turns)]
        if eligible[index]:
            return index, number + step + 1
    return None


class WeightedRoundRobin:
    """By turns in proportion to the weights.

    The turns are one cycle, made once: each step of nginx's smooth weighted round robin adds every weight to its endpoint's credit,
    picks the highest credit (the first among equals) and takes the sum of all weights from it. Pick number `k` starts at turn `k` and goes
    forward to the first eligible endpoint. After 64 turns without one those are used up, and one of the eligible is drawn in proportion to
    its weight.

    Where the cycle would have more than 65,536 turns, turn `k` is whoever has the number `k * GOLDEN mod 2^64` in its share, the shares
    laid end to end: steps of the golden ratio are spread evenly too (Knuth, "The Art of Computer Programming", 6.4, theorem S).
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.units = [units(weight) for weight in weights]
        self.cycle = _cycle(tuple(self.units))

    def pick(self, eligible: Sequence[bool], occasion: Occasion) -> tuple[int, int] | None:
        """The pick of the occasion and the number of the next; None where no endpoint is eligible."""
        for step in range(SCAN):
            index = self._at(occasion.turn + step)
            if index is not None and eligible[index]:
                return index, occasion.turn + step + 1
        drawn = _proportional(self.units, eligible, occasion.draw())
        return None if drawn is None else (drawn, occasion.turn + SCAN + 1)

    def _at(self, turn: int) -> int | None:
        """Whose turn that is; None where nobody has a weight."""
        if self.cycle is None:
            return _proportional(self.units, [True] * len(self.units), turn * GOLDEN & MASK)
        return self.cycle[turn % len(self.cycle)] if self.cycle else None


@lru_cache(maxsize=16)
def _cycle(of_units: tuple[int, ...]) -> list[int] | None:
    small = reduced(of_units)
    return cycle(small) if sum(small) <= LONGEST_CYCLE else None


def reduced(weights: Sequence[int]) -> list[int]:
    """The weights in their smallest whole proportion."""
    divisor = math.gcd(*weights)
    return [weight // divisor for weight in weights] if divisor else list(weights)


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


def random(weights: Sequence[float], eligible: Sequence[bool], occasion: Occasion) -> int | None:
    """Independent draws, all endpoints alike: `weighted_random` of equal weights."""
    return weighted_random([float(weight > 0) for weight in weights], eligible, occasion)


def weighted_random(weights: Sequence[float], eligible: Sequence[bool], occasion: Occasion) -> int | None:
    """Independent draws in proportion to the weights.

    Sub-draws 0 to 15 fall on any endpoint, until one falls on an eligible one; after that sub-draw 16 falls on the eligible alone.
    """
    counted = [units(weight) for weight in weights]
    everyone = [True] * len(counted)
    for number in range(TRIES):
        index = _proportional(counted, everyone, occasion.sub_draw(number))
        if index is None or eligible[index]:
            return index
    return _proportional(counted, eligible, occasion.sub_draw(TRIES))


def first_available(weights: Sequence[float], eligible: Sequence[bool], inflight: Sequence[float], limit: int | None) -> int | None:
    """The first eligible in declared order with fewer than `limit` in flight; where none has, the first of those with the fewest."""
    able = [index for index, weight in enumerate(weights) if weight > 0 and eligible[index]]
    for index in able:
        if limit is None or inflight[index] < limit:
            return index
    return min(able, key=lambda index: inflight[index], default=None)


def _proportional(shares: Sequence[int], eligible: Sequence[bool], drawn: int) -> int | None:
    """The endpoint in whose part of the sum the draw falls, the parts of the eligible laid end to end in declared order."""
    mark = scale(drawn, sum(share for share, able in zip(shares, eligible, strict=True) if able))
    reached = 0
    for index, (share, able) in enumerate(zip(shares, eligible, strict=True)):
        reached += share if able else 0
        if reached > mark:
            return index
    return None
