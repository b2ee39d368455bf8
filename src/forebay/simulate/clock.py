"""The virtual clock: events in the order of their time, and among equal times in the order in which they were made."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Clock:
    """Time that jumps from event to event. `now` is in seconds from 0."""

    __slots__ = ("_count", "_heap", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._heap: list[tuple[float, int, Callable[[Any], object], Any]] = []

    def at(self, time: float, do: Callable[[Any], object], argument: Any) -> None:  # noqa: ANN401 - what `do` takes
        """Call `do(argument)` at that time, which is not past."""
        self._count += 1
        heappush(self._heap, (time, self._count, do, argument))

    def after(self, seconds: float, do: Callable[[Any], object], argument: Any) -> None:  # noqa: ANN401 - what `do` takes
        """Call `do(argument)` that many seconds from now."""
        self._count += 1
        heappush(self._heap, (self.now + seconds, self._count, do, argument))

    def run(self, until: Callable[[], bool]) -> None:
        """Go from event to event, until there is none or the condition, asked after each, holds."""
        heap = self._heap
        while heap and not until():
            self.now, _, do, argument = heappop(heap)
            do(argument)
