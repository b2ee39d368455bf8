"""The budget of repetitions: a bucket for each pool, over all threads, so that a pool which fails is not buried under them.

The twin of engine/src/failover/budget.rs, tested equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PER_SECOND: Final = 3.0
LEAST_CAPACITY: Final = 100.0
HEDGES: Final = 10.0
"""What the bucket of hedges holds."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How a bucket fills: tokens for each request and each second, and what it holds."""

    per_request: float
    per_second: float
    capacity: float


def retries(budget: float, inflight: int) -> Flow:
    """Of repetitions and races, in a pool with so many requests in flight."""
    return Flow(budget, PER_SECOND, max(LEAST_CAPACITY, inflight))


def hedges(budget: float) -> Flow:
    """Of hedges: their share of the requests, and a few at a time."""
    return Flow(budget, 0.0, HEDGES)


@dataclass(slots=True)
class Bucket:
    """Full at first. `requests` counts those of the pool so far, `now` is milliseconds of one clock."""

    tokens: float | None = None
    requests: int = 0
    at: int = 0

    def take(self, flow: Flow, requests: int, now: int) -> bool:
        """Take a token, if there is a whole one."""
        if self.tokens is None:
            self.tokens, self.requests, self.at = flow.capacity, requests, now
        begun, passed = max(0, requests - self.requests), max(0, now - self.at) / 1000
        self.tokens = min(flow.capacity, self.tokens + begun * flow.per_request + passed * flow.per_second)
        self.requests, self.at = max(requests, self.requests), max(now, self.at)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def most_attempts(requests: int, seconds: float, budget: float, inflight: int = 0) -> float:
    """How many attempts a pool's requests can come to at most, over so many seconds, however many of them fail."""
    flow = retries(budget, inflight)
    return requests * (1 + flow.per_request) + seconds * flow.per_second + flow.capacity
