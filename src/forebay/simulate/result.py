"""What came of a run: every request's latency and every pick, and the figures made of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from forebay.simulate.scenario import Scenario

_UNANSWERED: Final = -1.0


class Record:
    """What happened, by the number of the request: plain arrays, since there are millions."""

    def __init__(self) -> None:
        self.times = array("d")  # when it came, seconds
        self.latencies = array("d")  # to the first byte, seconds; below zero: not answered well
        self.endpoints = array("H")  # where it last went
        self.pick_times = array("d")
        self.picks = array("H")

    def came(self, now: float) -> None:
        """A request came."""
        self.times.append(now)
        self.latencies.append(_UNANSWERED)
        self.endpoints.append(0)

    def went(self, request: int, index: int, now: float) -> None:
        """It was sent to an endpoint."""
        self.endpoints[request] = index
        self.picks.append(index)
        self.pick_times.append(now)

    def answered(self, request: int, now: float) -> None:
        """Its good answer began."""
        self.latencies[request] = now - self.times[request]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The figures of one run. Latencies are from a request's arrival to its answer's first byte, in seconds, of good answers.

    Attributes:
        scenario: the name of the case.
        requests: how many are counted.
        errors: how many of them got no good answer.
        p50, p90, p99, p999, mean, maximum: of the latencies; 0 where there is none.
        utilisation: the part of the time in which a worker worked, over all servers.
        shares: of each endpoint, the part of the picks that it got.
        seconds: virtual time from the start to the end of the last request.
        latencies: all of them, ascending.
        record: everything that happened.
    """

    scenario: str
    requests: int
    errors: int
    p50: float
    p90: float
    p99: float
    p999: float
    mean: float
    maximum: float
    utilisation: float
    shares: tuple[float, ...]
    seconds: float
    latencies: Sequence[float]
    record: Record

    @classmethod
    def of(cls, scenario: Scenario, record: Record, busy: Sequence[float], seconds: float, warm_up: float) -> Self:
        """Count what came after `warm_up` seconds; `busy` is the worker-seconds of each server."""
        counted = [latency for latency, time in zip(record.latencies, record.times, strict=True) if time >= warm_up]
        good = sorted(latency for latency in counted if latency >= 0.0)
        workers = sum(server.workers for server in scenario.servers)
        return cls(
            scenario=scenario.name,
            requests=len(counted),
            errors=len(counted) - len(good),
            p50=quantile(good, 0.5),
            p90=quantile(good, 0.9),
            p99=quantile(good, 0.99),
            p999=quantile(good, 0.999),
            mean=sum(good) / len(good) if good else 0.0,
            maximum=good[-1] if good else 0.0,
            utilisation=sum(busy) / (workers * seconds) if seconds else 0.0,
            shares=_shares(record, len(scenario.servers), warm_up),
            seconds=seconds,
            latencies=good,
            record=record,
        )


def _shares(record: Record, count: int, warm_up: float) -> tuple[float, ...]:
    got = [0] * count
    for index, time in zip(record.picks, record.pick_times, strict=True):
        if time >= warm_up:
            got[index] += 1
    total = sum(got)
    return tuple(each / total if total else 0.0 for each in got)


def quantile(ascending: Sequence[float], part: float) -> float:
    """The smallest value that at least that part of all does not exceed (nearest rank); 0 of nothing."""
    if not ascending:
        return 0.0
    rank = -int(-part * len(ascending) // 1)
    return ascending[min(len(ascending), max(1, rank)) - 1]
