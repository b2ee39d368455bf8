"""What `forebay model failover` prints, computed: plain data from a configuration and what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from forebay.config.pools import Endpoint, Pool
from forebay.config.schema import GatewayConfig
from forebay.model import FAULTS, Exposure, Probing, cost, share_each_takes

LEARNED: Final = 5.0
"""What nearly all answers need, as a multiple of the mean: the 0.99 quantile of exponential times is 4.6 of it."""
SHORTEST: Final = 0.02
"""The engine learns no shorter limit."""


def costs(gateway: GatewayConfig, rate: float, latency: float) -> list[dict[str, Any]]:
    """For each pool and fault, what it costs if the pool gets `rate` requests a second that take `latency` seconds each."""
    return [_pool(gateway, name, pool, rate, latency) for name, pool in gateway.pools.items()]


def _pool(gateway: GatewayConfig, name: str, pool: Pool, rate: float, latency: float) -> dict[str, Any]:
    serving = _serving(pool.endpoints)
    exposed = exposure(gateway, name, rate, latency)
    alone = len(serving) == 1
    return {
        "pool": name,
        "endpoints": len(serving),
        "takes_over": _takes_over(pool, serving),
        "load_of_others": None if alone else share_each_takes(len(serving), 1),
        "racing": exposed.racing,
        "faults": [_plain(asdict(cost(fault, exposed))) for fault in FAULTS],
    }


def exposure(gateway: GatewayConfig, name: str, rate: float, latency: float) -> Exposure:
    """What the most exposed endpoint of this pool's first tier is exposed to. Raises Malformed for numbers that make no sense."""
    pool = gateway.pools[name]
    serving = _serving(pool.endpoints)
    others = _takes_over(pool, serving) != "nobody"
    weights = [endpoint.weight for endpoint in serving]
    timeout = pool.retry.attempt_timeout
    races = timeout != "off" and pool.retry.attempts > 1 and others
    health = pool.health
    return Exposure(
        rate=rate * max(weights) / sum(weights),
        total=rate,
        latency=latency,
        consecutive=pool.ejection.consecutive,
        attempts=pool.retry.attempts,
        budget=pool.retry.budget,
        racing=(max(SHORTEST, LEARNED * latency) if timeout == "learned" else float(timeout)) if races else None,
        patience=_patience(gateway, name),
        compared=pool.ejection.min_requests if len(serving) > 1 else None,
        probing=None if health is None else Probing(interval=health.interval, timeout=health.probe_timeout, fall=health.fall),
        others=others,
    )


def _serving(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints of the first tier that take requests."""
    able = [endpoint for endpoint in endpoints if endpoint.weight]
    first = min(endpoint.tier for endpoint in able)
    return [endpoint for endpoint in able if endpoint.tier == first]


def _takes_over(pool: Pool, serving: Sequence[Endpoint]) -> str:
    """Who answers when one of the first tier does not."""
    if len(serving) > 1:
        return "the others of its tier"
    if len(pool.endpoints) > 1:
        return "the next tier"
    return f"pool {pool.when_all_down.pool}" if pool.when_all_down.pool else "nobody"


def _patience(gateway: GatewayConfig, name: str) -> float | None:
    """The longest that a request to this pool waits for a silent server."""
    routes = [route for route in gateway.all_routes if route.pool == name]
    limits = [min(_limit(route.first_byte_timeout), _limit(route.timeout)) for route in routes]
    longest = min(max(limits, default=math.inf), _limit(gateway.limits.total_timeout))
    return longest if math.isfinite(longest) else None


def _limit(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same for JSON, which has no infinity: null is what never ends."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
