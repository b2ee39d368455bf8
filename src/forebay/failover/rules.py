"""What a pool's rules of failover are, as plain values; made from a configuration by `forebay.config.rules`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

AllDown = Literal["try_all", "fail_fast", "last_healthy", "pool", "respond"]


@dataclass(frozen=True, slots=True)
class MinHealthy:
    """How many endpoints of a tier must be able to serve for the tier to do so: a `count`, or a `share` (0 to 1) of its endpoints."""

    count: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.count is None) == (self.share is None):
            raise ValueError("a minimum is either a count or a share")

    def of(self, total: int) -> int:
        """The number for a tier of `total` endpoints: a share is rounded up, and at least 1 is asked for."""
        wanted = self.count if self.count is not None else math.ceil((self.share or 0.0) * total - 1e-9)
        return max(1, wanted)

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{(Decimal(repr(self.share or 0.0)) * 100).normalize():f}%"


ONE: Final = MinHealthy(count=1)


@dataclass(frozen=True, slots=True)
class TierRules:
    """When the next tier takes over, when a higher one takes back (`hold_down` in seconds), and what is done when nobody may serve."""

    min_healthy: MinHealthy = ONE
    automatic: bool = True
    hold_down: float = 10.0
    when_all_down: AllDown = "try_all"


@dataclass(frozen=True, slots=True)
class EjectionRules:
    """How live answers take an endpoint out: failures in a row, or a rate over at least `min_requests` answers; for `base` seconds,
    doubled each time up to `max`; and at most the share `max_ejected` of a tier at once.
    """

    consecutive: int = 3
    min_requests: int = 10
    base: float = 10.0
    max: float = 300.0
    max_ejected: float = 0.5


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """What a probe must find, and how many of them decide. Times in seconds.

    Attributes:
        kind: `http`, `tcp` or `command`.
        interval: between two probes of one endpoint.
        down_interval: the same while it is down.
        timeout: for one probe.
        fall: failed probes in a row that take an endpoint out.
        rise: passed probes in a row that bring it back.
        expect: statuses that pass (`200`, `2xx`), for `http`; all of them where it is empty.
        text: what the answer must hold: a part of it, or `~REGEX` found in it. None takes any.
    """

    kind: Literal["http", "tcp", "command"] = "http"
    interval: float = 2.0
    down_interval: float = 2.0
    timeout: float = 1.0
    fall: int = 2
    rise: int = 2
    expect: tuple[str, ...] = ("2xx", "3xx")
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PoolRules:
    """Everything that decides on a pool's endpoints. `probes` is None where they are not probed; `slow_start` in seconds, 0 is off."""

    tiers: TierRules = field(default_factory=TierRules)
    ejection: EjectionRules = field(default_factory=EjectionRules)
    probes: ProbeRules | None = None
    slow_start: float = 0.0
