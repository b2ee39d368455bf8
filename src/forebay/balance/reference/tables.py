"""Consistent hashing: the tables in which a key finds its home, and who has it where the home may not be picked.

A key and the endpoints' ids enter by XXH64 with the pool's seed, so that a table depends on ids and weights alone, not on their order.
Weights are counted in thousandths (`structural.units`); an endpoint of weight 0 is in no table.

Sources: Karger et al., "Consistent hashing and random trees" (1997); Eisenbud et al., "Maglev" (NSDI 2016); Thaler and Ravishankar, "Using
name-based mappings to increase hit rates" (1998), with weights by Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005);
Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads" (2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Final, Protocol

from forebay.balance.numbers import log
from forebay.balance.reference.draws import Occasion, draw, mix64, scale
from forebay.balance.reference.hashing import xxh64
from forebay.balance.reference.structural import units

RING_POINTS: Final = 320
"""The most points per endpoint of average weight; there are at least half as many."""
MOST_RING_POINTS: Final = 2**21
RING_WALK: Final = 1024
"""Points that a key passes by before it goes elsewhere."""
MAGLEV_SLOTS: Final = 2**16
MAGLEV_SLOTS_PER_ENDPOINT: Final = 100
MAGLEV_TRIES: Final = 16
"""Other slots that a key tries when its own may not be picked."""
_UNIFORM_BITS: Final = 52


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint that has a weight: its place in the declared order, its weight in thousandths, the hash of its id."""

    index: int
    units: int
    hash: int


def members(endpoints: Sequence[tuple[str, float]], seed: int) -> tuple[Member, ...]:
    """Those of the endpoints (id and weight) that have a weight."""
    return tuple(
        Member(index, units(weight), xxh64(name.encode(), seed)) for index, (name, weight) in enumerate(endpoints) if units(weight)
    )


class Table(Protocol):
    """Finds the endpoint of a key that may be picked; None where its way through the table ends before."""

    def find(self, key: int, accepts: Callable[[int], bool]) -> int | None:
        """The index of the first accepted endpoint on the key's way."""


class Rendezvous:
    """Every endpoint bids `-weight / ln(u)` for a key; the highest bid has it, the first of equals.

    `u = (bits // 2^12 + 1/2) / 2^52`, where `bits = mix64(key ^ hash of the id)`. Where all weights are equal the bids are in the order of
    these bits, which are compared instead.
    """

    def __init__(self, of: Sequence[Member]) -> None:
        self.members = of
        self.alike = len({member.units for member in of}) <= 1

    def find(self, key: int, accepts: Callable[[int], bool]) -> int | None:
        """The highest bidder that is accepted."""
        able = [member for member in self.members if accepts(member.index)]
        best = max(able, key=lambda member: self._bid(key, member), default=None)
        return None if best is None else best.index

    def _bid(self, key: int, member: Member) -> float:
        bits = mix64(key ^ member.hash)
        if self.alike:
            return bits
        u = ((bits >> (64 - _UNIFORM_BITS)) + 0.5) / 2.0**_UNIFORM_BITS
        return -float(member.units) / log(u)


class Ring:
    """Points on a circle of 2^64; a key belongs to the next point clockwise.

    An endpoint has points in proportion to its weight: `round(units * 2^e)`, halves up, at least 1, with the greatest whole `e` up to 8
    for which all together are at most 320 on average and 2,097,152 in all. Point `j` is draw `j` of the endpoint's hash. A power of
    two, so that the number of an endpoint's points seldom depends on the others: with any other rule every arrival would add or take
    points everywhere.
    """

    def __init__(self, of: Sequence[Member]) -> None:
        total = sum(member.units for member in of)
        most = min(len(of) * RING_POINTS, MOST_RING_POINTS)
        factor = 2.0**8
        while total * factor > most:
            factor /= 2
        self.points = sorted(
            (draw(member.hash, number), member.index) for member in of for number in range(max(1, math.floor(member.units * factor + 0.5)))
        )

    def find(self, key: int, accepts: Callable[[int], bool]) -> int | None:
        """Clockwise to the first point whose owner is accepted; None after 1,024 points."""
        ahead = [index for point, index in self.points if point >= key]
        passed = [index for point, index in self.points if point < key]
        return next((index for index in (ahead + passed)[:RING_WALK] if accepts(index)), None)


class Maglev:
    """A table of slots, each with an endpoint; a key belongs to a slot.

    There are as many slots as the first prime from the least power of two that is at least 65,536 and 100 per endpoint: 65,537 up to 655
    endpoints. So the number changes where that of the endpoints passes a doubling, and not before. An endpoint prefers them in the order
    `(offset + j * skip) mod slots`, with `offset` and `skip` from draws 0 and 1 of its hash, and the endpoints take turns, each time the
    best slot that is still free. The turns come in rounds: the heaviest has one in each, another has its turn number `k` in round
    `k * heaviest // its weight`; in a round they follow their hashes.
    """

    def __init__(self, of: Sequence[Member]) -> None:
        least = max(MAGLEV_SLOTS, MAGLEV_SLOTS_PER_ENDPOINT * len(of))
        self.size = _prime_from(1 << (least - 1).bit_length())
        self.slots = self._filled(of) if of else []

    def _filled(self, of: Sequence[Member]) -> list[int]:
        heaviest = max(member.units for member in of)
        ordered = sorted(of, key=lambda member: (member.hash, member.index))
        at = {member: draw(member.hash, 0) % self.size for member in ordered}
        turns = dict.fromkeys(ordered, 0)
        slots: list[int] = [-1] * self.size
        free = self.size
        for number in count():
            for member in ordered:
                if turns[member] * heaviest // member.units > number:
                    continue
                while slots[at[member]] >= 0:
                    at[member] = (at[member] + draw(member.hash, 1) % (self.size - 1) + 1) % self.size
                slots[at[member]] = member.index
                turns[member] += 1
                free -= 1
                if not free:
                    return slots
        return slots

    def find(self, key: int, accepts: Callable[[int], bool]) -> int | None:
        """The owner of the key's slot, or the first of 16 other slots, by draws of the key, whose owner is accepted."""
        if not self.slots:
            return None
        marks = [key, *(draw(key, number) for number in range(MAGLEV_TRIES))]
        owners = (self.slots[scale(mark, self.size)] for mark in marks)
        return next((index for index in owners if accepts(index)), None)


TABLES: Final[dict[str, Callable[[Sequence[Member]], Table]]] = {"maglev": Maglev, "ring": Ring, "rendezvous": Rendezvous}


class ConsistentHash:
    """Where keys go: by `table` ("maglev", "ring" or "rendezvous"), and by rendezvous where the way through that table ends.

    With a `bounded_load` of c, an endpoint takes a key only while its load with it is at most `ceil(c * total * weight / sum of weights)`,
    where `total` is the load of all with this key. All are those eligible.
    """

    def __init__(self, table: str, bounded_load: float | None, endpoints: Sequence[tuple[str, float]], seed: int) -> None:
        self.members = members(endpoints, seed)
        self.table = _table(table, self.members)
        self.rendezvous = Rendezvous(self.members)
        self.bounded_load = bounded_load

    def pick(self, eligible: Sequence[bool], inflight: Sequence[float], occasion: Occasion) -> int | None:
        """The home of the occasion's key, or whoever has it in its place; None without a key and where nobody is eligible."""
        if occasion.key is None:
            return None
        if self.bounded_load is not None:
            able = [member for member in self.members if eligible[member.index]]
            total = sum(inflight[member.index] for member in able) + 1.0
            weight = float(sum(member.units for member in able))
            within = {
                member.index
                for member in able
                if inflight[member.index] + 1.0 <= math.ceil(self.bounded_load * total * float(member.units) / weight)
            }
            found = self._find(occasion.key, within.__contains__)
            if found is not None:
                return found
        return self._find(occasion.key, eligible.__getitem__)

    def _find(self, key: int, accepts: Callable[[int], bool]) -> int | None:
        found = self.table.find(key, accepts)
        return self.rendezvous.find(key, accepts) if found is None else found


@lru_cache(maxsize=64)
def _table(name: str, of: tuple[Member, ...]) -> Table:
    return TABLES[name](of)


def _prime_from(number: int) -> int:
    return next(prime for prime in count(number) if all(prime % divisor for divisor in range(2, math.isqrt(prime) + 1)))
