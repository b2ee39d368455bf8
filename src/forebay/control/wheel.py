"""Who is due when, in slices of time: putting and taking cost the same however many there are."""

import heapq
from math import inf
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLICE: Final = 0.01
"""Seconds. What falls in one slice is taken together."""


class Wheel(Generic[T]):
    """Things by the slice that each is due in."""

    def __init__(self) -> None:
        self._slices: dict[int, list[T]] = {}
        self._order: list[int] = []

    def put(self, thing: T, due: float) -> None:
        """Have it taken once that time has come; up to a slice later."""
        number = int(due / SLICE) + 1
        if number not in self._slices:
            self._slices[number] = []
            heapq.heappush(self._order, number)
        self._slices[number].append(thing)

    def take(self, now: float) -> list[T]:
        """All that are due, the earliest first."""
        last, taken = int(now / SLICE), []
        while self._order and self._order[0] <= last:
            taken += self._slices.pop(heapq.heappop(self._order))
        return taken

    @property
    def due(self) -> float:
        """When the next will be; infinity where there is none."""
        return self._order[0] * SLICE if self._order else inf
