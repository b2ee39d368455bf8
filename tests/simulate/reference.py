"""A balancer out of the reference's parts: its picks and what it learns, without the engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from forebay.balance import parse
from forebay.balance.reference.draws import Occasion
from forebay.balance.reference.hashing import xxh64
from forebay.balance.reference.picks import State, pick
from forebay.balance.reference.signals import REFRESH, Signals
from forebay.simulate import Factory, Plant


class Reference:
    """Refreshes its columns at the first pick after REFRESH seconds, as the engine's does."""

    def __init__(self, spec: Mapping[str, Any], plant: Plant, seed: int, learning: type[Signals] = Signals) -> None:
        count = len(plant.weights)
        self._spec = spec
        self._endpoints = [(f"10.0.0.{index}:80", float(weight)) for index, weight in enumerate(plant.weights)]
        self._inflight = [0.0] * count
        self._signals = learning(count)
        self._seed = seed
        self._turn = 0
        self._refreshed = 0.0
        self._tickets: dict[int, tuple[int, float, int]] = {}
        self._columns = self._shown(0.0)

    def _shown(self, now: float) -> dict[str, list[float]]:
        return {
            "reported:inflight": [0.0] * len(self._endpoints),  # what a metric counts as that nobody has reported
            **self._signals.columns(now),
            "inflight": self._inflight,
            "weight": [weight for _, weight in self._endpoints],
        }

    def pick(self, now: float, key: bytes | None = None, tried: Sequence[int] = ()) -> tuple[int, int] | None:
        if now >= self._refreshed + REFRESH:
            self._refreshed = now
            self._signals.refresh(now, [int(count) for count in self._inflight])
            self._columns = self._shown(now)
        eligible = [index not in tried for index in range(len(self._endpoints))]
        occasion = Occasion(self._seed, self._turn, None if key is None else xxh64(key, self._seed))
        found = pick(self._spec, State(self._endpoints, self._columns, eligible), occasion)
        if found is None:
            return None
        index, self._turn = found
        self._inflight[index] += 1.0
        self._signals.picked(index)
        ticket = len(self._tickets) + self._turn
        self._tickets[ticket] = index, now, int(self._inflight[index])
        return ticket, index

    def answered(self, ticket: int, now: float, ok: bool) -> None:  # noqa: FBT001 - the engine's own signature
        index, picked, present = self._tickets[ticket]
        self._signals.answered(index, now - picked, present, ok=ok)

    def done(self, ticket: int, now: float) -> None:  # noqa: ARG002
        self._inflight[self._tickets[ticket][0]] -= 1.0

    def failed(self, ticket: int, now: float) -> None:
        self._signals.failed(self._tickets[ticket][0])
        self.done(ticket, now)

    def report(self, index: int, now: float, load: float, metrics: Mapping[str, float]) -> None:
        self._signals.report(index, now, load, metrics)


def reference(policy: str, learning: type[Signals] = Signals) -> Factory:
    spec = parse(policy).spec
    return lambda plant, seed: Reference(spec, plant, seed, learning)
