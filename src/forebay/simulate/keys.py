"""The keys of requests, and servers that do better with keys which they have seen."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate

from forebay.balance.numbers import exp, log
from forebay.simulate.draws import Draw
from forebay.simulate.scenario import Cache, Keys


class Popularity:
    """Draws keys by Zipf's law, by inverse transform."""

    def __init__(self, keys: Keys) -> None:
        reached = list(accumulate(exp(-keys.exponent * log(float(rank))) for rank in range(1, keys.count + 1)))
        self._reached = [each / reached[-1] for each in reached]

    def draw(self, uniform: Draw) -> int:
        """The number of a key, from 0 for the most popular; one draw."""
        return min(bisect_right(self._reached, uniform()), len(self._reached) - 1)


class Kept:
    """The keys that one server has: the least recently used goes first."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._keys: OrderedDict[int, None] = OrderedDict()

    def work(self, key: int, work: float) -> float:
        """The work of a request with this key, which the server has from now on."""
        hit = key in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._cache.size:
            self._keys.popitem(last=False)
        return work / self._cache.factor if hit else work


def name(key: int) -> bytes:
    """A key as a policy sees it."""
    return f"key-{key}".encode()
