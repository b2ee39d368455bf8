"""Balancers in a few lines of Python, so that the simulation itself is tested apart from the engine."""

from collections.abc import Callable, Mapping, Sequence

from forebay.simulate import Factory, Plant
from forebay.simulate.draws import stream


class Picker:
    """Keeps what it was told; picks by a function of the requests in flight, the turn and a uniform draw."""

    def __init__(self, plant: Plant, seed: int, choose: Callable[[list[int], int, float], int]) -> None:
        self.inflight = [0] * len(plant.speeds)
        self.told: list[tuple[str, int, float]] = []
        self.reports: list[tuple[int, float, float, dict[str, float]]] = []
        self._choose = choose
        self._uniform = stream(seed, "picker")
        self._went: list[int] = []

    def pick(self, now: float, key: bytes | None = None, tried: Sequence[int] = ()) -> tuple[int, int] | None:  # noqa: ARG002
        able = [index for index in range(len(self.inflight)) if index not in tried]
        if not able:
            return None
        index = able[self._choose([self.inflight[each] for each in able], len(self._went), self._uniform())]
        self.inflight[index] += 1
        self._went.append(index)
        return len(self._went) - 1, index

    def answered(self, ticket: int, now: float, ok: bool) -> None:  # noqa: FBT001 - the engine's own signature
        self.told.append(("answered" if ok else "error", self._went[ticket], now))

    def done(self, ticket: int, now: float) -> None:
        self.inflight[self._went[ticket]] -= 1
        self.told.append(("done", self._went[ticket], now))

    def failed(self, ticket: int, now: float) -> None:
        self.inflight[self._went[ticket]] -= 1
        self.told.append(("failed", self._went[ticket], now))

    def report(self, index: int, now: float, load: float, metrics: Mapping[str, float]) -> None:
        self.reports.append((index, now, load, dict(metrics)))


def by_turns(inflight: list[int], turn: int, uniform: float) -> int:
    return turn % len(inflight)


def at_random(inflight: list[int], turn: int, uniform: float) -> int:
    return int(uniform * len(inflight))


def shortest(inflight: list[int], turn: int, uniform: float) -> int:
    least = [index for index, count in enumerate(inflight) if count == min(inflight)]
    return least[int(uniform * len(least))]


def picking(choose: Callable[[list[int], int, float], int], made: list[Picker] | None = None) -> Factory:
    """A factory of such balancers; those that it makes are put in `made`."""

    def factory(plant: Plant, seed: int) -> Picker:
        picker = Picker(plant, seed, choose)
        if made is not None:
            made.append(picker)
        return picker

    return factory
