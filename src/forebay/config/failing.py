"""The linter's rules about failing endpoints: settings that contradict one another, that come too late, or that have no effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from forebay.config.pools import Pool
from forebay.config.schema import GatewayConfig
from forebay.config.words import Found, Path
from forebay.types import format_duration

Said = Iterator[tuple[Path, str, str]]
"""Findings of one pool: the path of the key inside it, what, and what to do."""

_TIERS: Final = ("failback", "hold_down", "min_healthy")


def failover_findings(config: GatewayConfig) -> Iterator[Found]:
    """What is legal but probably not meant about what happens when endpoints fail."""
    for name, pool in config.pools.items():
        said = (*_health(pool), *_tiers(pool), *_survivors(config, pool), *_alone(pool), *_repeats(pool))
        yield from ((("pools", name, *path), message, hint) for path, message, hint in said)
    yield from _deadlines(config)


def _health(pool: Pool) -> Said:
    health = pool.health
    if health is None:
        return
    if health.timeout is not None and health.timeout > health.interval:
        said = f"{format_duration(health.timeout)} is longer than interval, {format_duration(health.interval)}"
        yield ("health", "timeout"), said, "one that hangs is asked again only once its probe has timed out; shorten it"
    if health.down_interval is not None and health.probe_timeout > health.down_interval:
        said = f"{format_duration(health.down_interval)} is shorter than a probe may take, {format_duration(health.probe_timeout)}"
        yield ("health", "down_interval"), said, "lengthen it, or shorten timeout"


def _tiers(pool: Pool) -> Said:
    tiers = sorted({endpoint.tier for endpoint in pool.endpoints if endpoint.weight})
    if len(tiers) < 2:  # noqa: PLR2004 - one tier has no other
        for key in _TIERS:
            if key in pool.failover.model_fields_set:
                yield (
                    ("failover", key),
                    "has no effect: all endpoints of any weight are of one tier",
                    "give those that stand by a tier of 1",
                )
        return
    for index, tier in enumerate(tiers):
        if tier != index:
            yield ("endpoints",), f"no endpoint is of tier {index}, but some are of tier {tier}", "number the tiers 0, 1, 2 without a gap"
            break
    if pool.health is None:
        said = "has no probes, so that nobody knows whether those that stand by would serve until they have to"
        yield (), said, 'write health = { path = "/healthz" }'
    for tier in tiers[:-1]:
        members = sum(endpoint.tier == tier and endpoint.weight > 0 for endpoint in pool.endpoints)
        least = pool.failover.min_healthy
        if least.count is not None and least.count > members:
            said = f"{least.count} is more than the {members} of tier {tier}, so that all of them must be able to serve"
            yield ("failover", "min_healthy"), said, f"write {members} or less, or a share"
            break


def _survivors(config: GatewayConfig, pool: Pool) -> Said:
    """Whether those that are left can carry what the whole pool carries."""
    if pool.max_inflight is None:
        return
    sizes = {tier: sum(each.tier == tier and each.weight > 0 for each in pool.endpoints) for tier in {each.tier for each in pool.endpoints}}
    first = min(sizes)
    for tier in sorted(sizes)[1:]:
        if 0 < sizes[tier] < sizes[first]:
            here, there = sizes[tier] * pool.max_inflight, sizes[first] * pool.max_inflight
            said = f"tier {tier} carries {here} requests at once ({sizes[tier]} x max_inflight), and tier {first} {there}"
            yield ("endpoints",), said, "the rest waits in the queue, and past that gets 503; add endpoints, or raise max_inflight"
            break
    most = config.limits.max_connections
    left = (sizes[first] - 1) * pool.max_inflight + pool.queue.size
    if most is not None and sizes[first] > 1 and left < most <= left + pool.max_inflight:
        said = f"with one endpoint down the pool takes {left} requests at once, and limits.max_connections lets {most} in"
        yield ("max_inflight",), said, "raise it or queue.size, or add an endpoint"


def _alone(pool: Pool) -> Said:
    if len(pool.endpoints) > 1:
        return
    for key in sorted(pool.ejection.model_fields_set):
        yield ("ejection", key), "has no effect: the last endpoint is never left out", "add another endpoint"
        break
    if pool.hedge.enabled:
        yield ("hedge",), "has no effect: there is no other endpoint to ask", "add another endpoint"


def _repeats(pool: Pool) -> Said:
    retry = pool.retry
    if retry.attempts == 1:
        for key in sorted({"budget", "statuses", "replay_buffer", "attempt_timeout"} & retry.model_fields_set):
            yield ("retry", key), "has no effect: with attempts = 1 nothing is repeated", "leave it out, or raise attempts"
        if pool.hedge.enabled:
            yield ("hedge",), "has no effect: with retry.attempts = 1 there is no second attempt", "raise attempts"
    ejection = pool.ejection
    if ejection.base > ejection.max:
        said = f"{format_duration(ejection.base)} is longer than max, {format_duration(ejection.max)}, which it is cut to"
        yield ("ejection", "base"), said, "shorten it, or lengthen max"


def _deadlines(config: GatewayConfig) -> Iterator[Found]:
    """Whether all attempts fit into their route's time. Blamed on what was written, never on a default."""
    for index, route in enumerate(config.all_routes):
        if route.pool is None or route.timeout is None:
            continue
        pool, whole = config.pools[route.pool], f"this route's timeout, {format_duration(route.timeout)}"
        retry, limit = pool.retry, pool.retry.attempt_timeout
        path = ("routes", index, "timeout")
        if isinstance(limit, float) and retry.attempts > 1 and limit >= route.timeout:
            said = f"attempt_timeout of the pool {route.pool}, {format_duration(limit)}, is no shorter than {whole}"
            yield path, said, "no second attempt is ever begun beside a slow one; shorten attempt_timeout"
        elif isinstance(limit, float) and limit * (retry.attempts - 1) >= route.timeout:
            said = f"{retry.attempts} attempts of {format_duration(limit)} do not fit into {whole}"
            yield path, said, f"shorten pools.{route.pool}.retry.attempt_timeout, or lower attempts"
        written = "connect_timeout" in pool.model_fields_set or "attempts" in retry.model_fields_set
        connecting = pool.connect_timeout * retry.attempts
        if written and retry.attempts > 1 and pool.connect_timeout < route.timeout < connecting:
            said = f"{retry.attempts} connections that hang for {format_duration(pool.connect_timeout)} each do not fit into {whole}"
            yield path, said, f"shorten pools.{route.pool}.connect_timeout, or lower retry.attempts"
