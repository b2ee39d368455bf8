"""The document at `/status`, which `forebay status` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from forebay.control.standing import EndpointStanding, PoolStanding
from forebay.observe.statistics import EndpointStatistics, Histogram, PoolStatistics, Statistics

_SERVING: Final = frozenset({"healthy", "unknown", "suspect"})


@dataclass(frozen=True, slots=True)
class About:
    """What the engine does not know of the gateway that it serves in."""

    version: str
    pid: int
    revision: int
    accepting: bool
    control: str
    unresolved: Mapping[str, str]
    standing: Mapping[str, PoolStanding] = field(default_factory=dict)
    """What control makes of each pool."""
    events: Mapping[str, int] = field(default_factory=dict)
    """How many there were of each kind."""
    discovery: Sequence[Mapping[str, Any]] = ()
    """What is looked up, and how good it is."""


def document(about: About, statistics: Statistics) -> dict[str, Any]:
    """One JSON object; times are seconds, and ages rather than moments, so that they hold on any machine."""
    return {
        "version": about.version,
        "pid": about.pid,
        "uptime": statistics.uptime,
        "state": "serving" if about.accepting else "stopping",
        "snapshot": statistics.snapshot,
        "revision": about.revision,
        "threads": statistics.threads,
        "control": about.control,
        "listeners": {name: list(addresses) for name, addresses in statistics.listeners.items()},
        "connections": asdict(statistics.connections),
        "exchanges": asdict(statistics.exchanges),
        "records": asdict(statistics.records),
        "responses": dict(statistics.responses),
        "causes": dict(statistics.causes),
        "events": dict(about.events),
        "discovery": [dict(each) for each in about.discovery],
        "pools": {name: _pool(pool, about, about.standing.get(name, PoolStanding())) for name, pool in statistics.pools.items()},
    }


def _pool(pool: PoolStatistics, about: About, standing: PoolStanding) -> dict[str, Any]:
    return {
        "tier": standing.tier,
        "all_down": standing.all_down,
        "held": standing.held,
        "requests": pool.requests,
        "attempts": pool.attempts,
        "retries": pool.retries,
        "responses": dict(pool.responses),
        "queue": asdict(pool.queue),
        "latency": _latency(pool.latency),
        "callable": pool.callable and {**asdict(pool.callable), "cost": _latency(pool.callable.cost)},
        "endpoints": {name: _endpoint(endpoint, about, standing.endpoints.get(name)) for name, endpoint in pool.endpoints.items()},
    }


def _endpoint(endpoint: EndpointStatistics, about: About, standing: EndpointStanding | None) -> dict[str, Any]:
    value = asdict(endpoint)
    value["latency"] = _latency(endpoint.latency)
    value["declared_weight"] = endpoint.weight
    value.update(asdict(standing or EndpointStanding(endpoint.status, endpoint.reason, endpoint.since)))
    if endpoint.passed_over is not None and value["status"] in _SERVING:
        # The engine's own reflex, which control may not have judged yet.
        value |= {"status": endpoint.status, "reason": endpoint.reason, "since": endpoint.since}
    value["weight"] = endpoint.weight if value["weight"] is None else value["weight"]
    value |= {"probes": list(value["probes"]), "overlay": list(value["overlay"])}
    # The engine knows that a name has no address, only control knows why.
    if endpoint.status == "unresolved" and (why := about.unresolved.get(endpoint.address.removeprefix("http://"))):
        # A file that has no endpoints tells of itself by name; it has no address to wait for.
        value["reason"] = why if why.startswith(f"{endpoint.address}:") else f"{endpoint.address} has no address yet: {why}"
    return value


def _latency(latency: Histogram) -> dict[str, Any]:
    return {"count": latency.count, "mean": latency.mean, "p50": latency.quantile(0.5), "p99": latency.quantile(0.99)}
