"""Counters, histograms and endpoint states as plain values.

    Statistics
    ├── connections, exchanges, records
    ├── responses                by class: "2xx", "4xx" (a client that left counts as 499), ...
    ├── causes                   how often each happened; those that never did are left out
    └── pools: PoolStatistics
        ├── queue, latency, responses
        ├── callable: CallableStatistics, where the policy is a Python function
        └── endpoints: EndpointStatistics

Times are seconds, sizes bytes. Everything counts from the start of the process, except what is said to be *now*.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

_FIRST_BUCKET = 32

Status = Literal["unknown", "healthy", "suspect", "down", "ejected", "draining", "disabled", "unresolved"]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times to the response head. `buckets` are (upper bound in seconds, count), ascending, empty ones left out."""

    count: int
    sum: float
    buckets: tuple[tuple[float, int], ...]

    @property
    def mean(self) -> float | None:
        """The average in seconds; None while nothing was counted."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The seconds within which `share` (0..1) of all answers came, spread evenly over the bucket; None while nothing was counted.

        The twin of `HistogramSnapshot::quantile` in the engine; errs by a bucket's width at most, which is 25 %.
        """
        wanted = min(max(share, 0.0), 1.0) * sum(count for _, count in self.buckets)
        below = 0
        for upper, count in self.buckets:
            below += count
            if below >= wanted:
                return upper - (upper - _lower(upper)) * (below - wanted) / count
        return self.buckets[-1][0] if self.buckets else None


def _lower(upper: float) -> float:
    # Four buckets to each power of two of microseconds, from 32 us on: engine/src/record/histogram.rs.
    micros = round(upper * 1e6)
    return 0.0 if micros <= _FIRST_BUCKET else (micros - (1 << ((micros - 1).bit_length() - 3))) / 1e6


@dataclass(frozen=True, slots=True)
class ClientConnections:
    """Connections from clients: open and idle now; accepted so far; how often accepting paused for a limit."""

    open: int
    idle: int
    accepted: int
    paused: int


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Requests with their responses: running now (tunnels apart), and all so far."""

    running: int
    tunnels: int
    total: int


@dataclass(frozen=True, slots=True)
class Records:
    """Lines of the access log; dropped where writing would have held up requests."""

    written: int
    dropped: int


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Requests that wait for an endpoint now; those refused because the queue was full; those that waited too long."""

    waiting: int
    full: int
    timed_out: int


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections to an endpoint, now."""

    open: int
    idle: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes sent to an endpoint, and received from it."""

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """One server. `since` is how long ago its status began, `passed_over` how much longer it gets nothing (None: it does), `next` what
    comes then, `trial` whether one request tries it now. Its `role` is `active` where its `tier` is the one that serves.
    """

    address: str
    target: str | None
    weight: int
    status: Status
    reason: str
    since: float
    passed_over: float | None
    requests: int
    failures: int
    consecutive_failures: int
    inflight: int
    connections: Connections
    responses: Mapping[str, int]
    bytes: Bytes
    latency: Histogram
    fields: Mapping[str, float]
    """What a policy reads besides weight and in-flight: `latency`, `service_time`, `age` (s), `error_rate`, `reported_load` (0..1)."""
    tier: int = 0
    role: Literal["active", "standby"] = "active"
    next: str | None = None
    trial: bool = False

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """From the engine's JSON."""
        parts = {
            "connections": Connections(**value["connections"]),
            "bytes": Bytes(**value["bytes"]),
            "latency": histogram(value["latency"]),
        }
        return cls(**{**value, **parts})


@dataclass(frozen=True, slots=True)
class CallableStatistics:
    """The Python function of a pool's policy.

    `calls` were made `inline`, on an engine's thread, or on a Python `thread` of the function's own; `runs` says where the next one
    will be. Some were `late` (over the `budget`), `raised`, answered `nonsense`, or `declined` to choose; `native` counts the picks that
    the fallback made instead, those included that it made while the function was paused. `opened`: how often five failures in a row led
    to such a pause; `paused`: seconds until the function is asked again, None while it is. `cost` is what calls take, the wait for the
    interpreter included.
    """

    name: str
    budget: float
    runs: Literal["inline", "thread"]
    calls: int
    inline: int
    thread: int
    late: int
    raised: int
    nonsense: int
    declined: int
    native: int
    opened: int
    paused: float | None
    cost: Histogram

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """From the engine's JSON."""
        return cls(**{**value, "cost": histogram(value["cost"])})


@dataclass(frozen=True, slots=True)
class EffortStatistics:
    """What a pool does beyond each request's first attempt.

    `raced`: second attempts beside one that took long; `hedged`: those of them that were hedges; `cancelled`: attempts given up for a
    quicker one; `refused`: times that the budget for repeating was empty.
    """

    raced: int = 0
    hedged: int = 0
    cancelled: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """One pool. `attempts` exceed `requests` where some were repeated; `retries` are those repetitions.

    `all_down`: nobody is known to serve.
    """

    requests: int
    attempts: int
    retries: int
    responses: Mapping[str, int]
    queue: QueueStatistics
    latency: Histogram
    callable: CallableStatistics | None
    endpoints: Mapping[str, EndpointStatistics]
    tier: int = 0
    all_down: bool = False
    effort: EffortStatistics = EffortStatistics()

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """From the engine's JSON."""
        endpoints = {name: EndpointStatistics.parse(endpoint) for name, endpoint in value["endpoints"].items()}
        asked = value["callable"] and CallableStatistics.parse(value["callable"])
        queue = QueueStatistics(**value["queue"])
        effort = EffortStatistics(**value.get("effort", {}))
        parts = {"queue": queue, "latency": histogram(value["latency"]), "callable": asked, "endpoints": endpoints, "effort": effort}
        return cls(**{**value, **parts})


@dataclass(frozen=True, slots=True)
class Statistics:
    """A whole gateway, at one moment."""

    snapshot: int
    uptime: float
    threads: int
    connections: ClientConnections
    exchanges: Exchanges
    records: Records
    responses: Mapping[str, int]
    causes: Mapping[str, int]
    listeners: Mapping[str, tuple[str, ...]]
    pools: Mapping[str, PoolStatistics]

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """From what `Engine.statistics()` returns."""
        value = json.loads(text)
        parts = {
            "connections": ClientConnections(**value["connections"]),
            "exchanges": Exchanges(**value["exchanges"]),
            "records": Records(**value["records"]),
            "listeners": {name: tuple(addresses) for name, addresses in value["listeners"].items()},
            "pools": {name: PoolStatistics.parse(pool) for name, pool in value["pools"].items()},
        }
        return cls(**{**value, **parts})


def histogram(value: Mapping[str, Any]) -> Histogram:
    """From the engine's JSON."""
    return Histogram(value["count"], value["sum"], tuple((bound, count) for bound, count in value["buckets"]))
