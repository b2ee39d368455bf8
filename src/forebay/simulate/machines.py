"""Servers at work under the virtual clock.

A machine is given requests and says when each is answered: it schedules its own events and calls `answered(request)`. A request is
opaque to it, but for its work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol

from forebay.simulate.clock import Clock

Request = int
Answered = Callable[[Request], None]


class Machine(Protocol):
    """What works on requests. `present` counts those that wait or are worked on; `busy` is worker-seconds worked so far."""

    present: int

    def arrive(self, request: Request, work: float) -> None:
        """A request comes."""

    def release(self, request: Request) -> None:
        """A body that held its worker has ended."""

    def set_speed(self, speed: float) -> None:
        """From now on work is done at this speed."""

    def clear(self) -> list[Request]:
        """Everything is lost; returns the requests that were not answered yet, in the order in which they came."""

    def busy(self) -> float:
        """Worker-seconds worked until now."""


class Queue:
    """First come, first served by `workers`. A service goes on at the speed at which it began."""

    def __init__(self, clock: Clock, answered: Answered, *, speed: float, workers: int, holds: bool) -> None:
        self.present = 0
        self._clock = clock
        self._answered = answered
        self._speed = speed
        self._workers = workers
        self._holds = holds
        self._free = workers
        self._waiting: deque[tuple[Request, float]] = deque()
        self._serving: dict[Request, float] = {}
        self._held: set[Request] = set()
        self._life = 0
        self._worked = 0.0
        self._since = 0.0

    def arrive(self, request: Request, work: float) -> None:
        """A request comes: it is begun, or waits."""
        self.present += 1
        if self._free:
            self._begin(request, work)
        else:
            self._waiting.append((request, work))

    def _begin(self, request: Request, work: float) -> None:
        self._count()
        self._free -= 1
        self._serving[request] = work
        self._clock.after(work / self._speed, self._finish, (request, self._life))

    def _finish(self, served: tuple[Request, int]) -> None:
        request, life = served
        if life != self._life:
            return
        del self._serving[request]
        if self._holds:
            self._held.add(request)
        else:
            self._release()
        self._answered(request)

    def release(self, request: Request) -> None:
        """A body that held its worker has ended; one that a crash has cut holds none any more."""
        if request in self._held:
            self._held.remove(request)
            self._release()

    def _release(self) -> None:
        self._count()
        self._free += 1
        self.present -= 1
        if self._waiting:
            self._begin(*self._waiting.popleft())

    def set_speed(self, speed: float) -> None:
        """Services that begin from now on take this speed."""
        self._speed = speed

    def clear(self) -> list[Request]:
        """Lose everything."""
        self._count()
        lost = [*self._serving, *(request for request, _ in self._waiting)]
        self._life += 1
        self._serving.clear()
        self._held.clear()
        self._waiting.clear()
        self._free = self._workers
        self.present = 0
        return lost

    def _count(self) -> None:
        now = self._clock.now
        self._worked += (self._workers - self._free) * (now - self._since)
        self._since = now

    def busy(self) -> float:
        """Worker-seconds worked until now."""
        self._count()
        return self._worked


class Sharing:
    """Processor sharing: all that are present are served at once, at the speed of one worker or an even part of all of them.

    Work done is counted for one who is always present (virtual time), so that an arrival costs a heap's push, however many there are.
    """

    def __init__(self, clock: Clock, answered: Answered, *, speed: float, workers: int) -> None:
        self.present = 0
        self._clock = clock
        self._answered = answered
        self._speed = speed
        self._workers = workers
        self._ends: list[tuple[float, Request]] = []
        self._done = 0.0
        self._since = 0.0
        self._plan = 0
        self._worked = 0.0

    def _go_on(self) -> None:
        now = self._clock.now
        if self.present:
            shared = min(self.present, self._workers)
            self._done += (now - self._since) * self._speed * shared / self.present
            self._worked += (now - self._since) * shared
        self._since = now

    def _schedule(self) -> None:
        self._plan += 1
        if self._ends:
            rate = self._speed * min(self.present, self._workers) / self.present
            self._clock.after(max(0.0, self._ends[0][0] - self._done) / rate, self._finish, self._plan)

    def arrive(self, request: Request, work: float) -> None:
        """A request comes, and all others slow down."""
        self._go_on()
        self.present += 1
        heappush(self._ends, (self._done + work, request))
        self._schedule()

    def _finish(self, plan: int) -> None:
        if plan != self._plan:
            return
        self._go_on()
        end, request = heappop(self._ends)
        self._done = max(self._done, end)
        self.present -= 1
        self._schedule()
        self._answered(request)

    def release(self, request: Request) -> None:
        """Bodies hold no worker here."""

    def set_speed(self, speed: float) -> None:
        """Everybody goes on at this speed."""
        self._go_on()
        self._speed = speed
        self._schedule()

    def clear(self) -> list[Request]:
        """Lose everything."""
        self._go_on()
        lost = sorted(request for _, request in self._ends)
        self._ends = []
        self.present = 0
        self._schedule()
        return lost

    def busy(self) -> float:
        """Worker-seconds worked until now."""
        self._go_on()
        return self._worked
