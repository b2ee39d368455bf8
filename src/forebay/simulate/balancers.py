"""Who picks: what a balancer is to a simulation, and one that knows everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from forebay.simulate.draws import stream
from forebay.simulate.machines import Machine
from forebay.simulate.scenario import Server


class Balancer(Protocol):
    """What a gateway asks and tells; `forebay._engine.Balancer` is one. Times are of the virtual clock, in seconds."""

    def pick(self, now: float, key: bytes | None = None, tried: Sequence[int] = ()) -> tuple[int, int] | None:
        """A ticket and the place of an endpoint that was not tried; None where there is none."""

    def answered(self, ticket: int, now: float, ok: bool) -> None:  # noqa: FBT001 - the engine's own signature
        """The answer began; `ok` is false for a 5xx."""

    def done(self, ticket: int, now: float) -> None:
        """The answer ended."""

    def failed(self, ticket: int, now: float) -> None:
        """No answer came, by the endpoint's fault."""

    def report(self, index: int, now: float, load: float, metrics: Mapping[str, float]) -> None:
        """The server said how loaded it is."""


class Plant:
    """The servers as they really are at this moment, for who may know: `machines` in declared order, and the present `speeds`.

    A server that is down has speed 0.
    """

    def __init__(self, servers: Sequence[Server], machines: Sequence[Machine]) -> None:
        self.weights = [server.weight for server in servers]
        self.workers = [server.workers for server in servers]
        self.speeds = [server.speed for server in servers]
        self.errors = [server.errors is not None for server in servers]
        self.machines = machines


Factory = Callable[[Plant, int], Balancer]
"""Makes the balancer of one gateway from the plant (of which only an oracle looks at more than the number of servers) and a seed."""


class Oracle:
    """Sends each request where its expected delay really is shortest: every queue and speed is known, of all gateways, without delay.

    No policy can know this; it is the line that others are measured against. Servers that answer errors are left alone.
    """

    def __init__(self, plant: Plant, seed: int) -> None:
        self._plant = plant
        self._uniform = stream(seed, "oracle")
        self._order = range(len(plant.speeds))

    def pick(self, now: float, key: bytes | None = None, tried: Sequence[int] = ()) -> tuple[int, int] | None:  # noqa: ARG002
        """The place of the server with the shortest expected delay; among equals the one with fewest requests, then any."""
        plant = self._plant
        best, equal = (float("inf"), 0.0), []
        for index in self._order:
            speed, ahead = plant.speeds[index], (plant.machines[index].present + 1) / plant.workers[index]
            if speed == 0.0 or plant.errors[index] or index in tried:
                continue
            score = (max(1.0, ahead) / speed, ahead / speed)
            if score < best:
                best, equal = score, [index]
            elif score == best:
                equal.append(index)
        if not equal:
            return None
        return 0, equal[int(self._uniform() * len(equal))]

    def answered(self, ticket: int, now: float, ok: bool) -> None:  # noqa: FBT001
        """It knew."""

    def done(self, ticket: int, now: float) -> None:
        """It knew."""

    def failed(self, ticket: int, now: float) -> None:
        """It knew."""

    def report(self, index: int, now: float, load: float, metrics: Mapping[str, float]) -> None:
        """It knew."""
