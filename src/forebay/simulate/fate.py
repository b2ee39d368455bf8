"""What befalls a server: slow times, crashes, cold starts."""

from __future__ import annotations

from collections.abc import Callable

from forebay.simulate.balancers import Plant
from forebay.simulate.clock import Clock
from forebay.simulate.draws import Draw
from forebay.simulate.scenario import Crashes, Server, Slowdowns


class Fate:
    """Sets one machine's speed as time goes by; the plant's `speeds` say it to who may know (0 while the server is down).

    `refuse(request)` is called for everything that a crash has lost.
    """

    def __init__(self, clock: Clock, plant: Plant, index: int, refuse: Callable[[int], None], uniform: Draw) -> None:
        self._clock = clock
        self._plant = plant
        self._index = index
        self._refuse = refuse
        self._uniform = uniform
        self._speed = plant.speeds[index]
        self._slowed = 1.0
        self._cooled = 1.0
        self._down = False
        self._lives = 0

    def begin(self, server: Server) -> None:
        """Make the first events."""
        if server.slowdowns:
            self._clock.after(server.slowdowns.apart.draw(self._uniform), self._slow, server.slowdowns)
        if server.crashes:
            self._clock.after(server.crashes.apart.draw(self._uniform), self._crash, server)
        self._start(server)

    def _start(self, server: Server) -> None:
        self._lives += 1
        if server.cold:
            self._cooled = server.cold.factor
            self._clock.after(server.cold.lasting, self._warm, self._lives)
        self._set()

    def _warm(self, life: int) -> None:
        if life == self._lives:
            self._cooled = 1.0
            self._set()

    def _slow(self, slowdowns: Slowdowns) -> None:
        self._slowed = slowdowns.factor
        self._set()
        self._clock.after(slowdowns.lasting.draw(self._uniform), self._recover, slowdowns)

    def _recover(self, slowdowns: Slowdowns) -> None:
        self._slowed = 1.0
        self._set()
        self._clock.after(slowdowns.apart.draw(self._uniform), self._slow, slowdowns)

    def _crash(self, server: Server) -> None:
        crashes = _of(server)
        self._down = True
        self._set()
        self._clock.after(crashes.lasting.draw(self._uniform), self._repair, server)
        for request in self._plant.machines[self._index].clear():
            self._refuse(request)

    def _repair(self, server: Server) -> None:
        self._down = False
        self._start(server)
        self._clock.after(_of(server).apart.draw(self._uniform), self._crash, server)

    def _set(self) -> None:
        speed = self._speed / (self._slowed * self._cooled)
        self._plant.speeds[self._index] = 0.0 if self._down else speed
        self._plant.machines[self._index].set_speed(speed)


def _of(server: Server) -> Crashes:
    if server.crashes is None:
        raise ValueError("this server has no crashes")
    return server.crashes
