"""The numbers that picks are drawn from, each a pure function of a seed and a count.

SplitMix64 is Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014). A draw is brought to a range by the
high half of a product, after Lemire, "Fast random integer generation in an interval" (2019), without the rejection step: the bias is
below n / 2^64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MASK: Final = 2**64 - 1
GOLDEN: Final = 0x9E3779B97F4A7C15


def mix64(z: int) -> int:
    """SplitMix64's finaliser: a bijection of the 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def draw(seed: int, number: int) -> int:
    """The draw of that number (from 0) of a seed: 64 uniform bits."""
    return mix64((seed + (number + 1) * GOLDEN) & MASK)


def scale(drawn: int, bound: int) -> int:
    """A draw brought to `0 <= number < bound`."""
    return (drawn * bound) >> 64


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a pick draws from; the same occasion on the same state of a pool is the same pick.

    Attributes:
        seed: the pool's, 64 bits.
        turn: the number of the pick, 64 bits.
        key: the hash of the request's key, 64 bits, where it has one.
    """

    seed: int
    turn: int
    key: int | None = None

    def draw(self) -> int:
        """The pick's one draw."""
        return draw(self.seed, self.turn)

    def sub_draw(self, number: int) -> int:
        """The draw of that number (from 0) of a pick that needs several: `draw(draw(seed, turn), number)`."""
        return draw(self.draw(), number)
