"""What the engine is told: the JSON of `SnapshotSpec` and `DeltaSpec` (engine/src/snapshot.rs).

Durations are seconds, sizes are bytes, `None` is *off*. Nothing here resolves or decides: the addresses of names are an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from forebay.config.discovery import key_of_name
from forebay.config.failover import Retry
from forebay.config.pools import Affinity, Endpoint, LoadReport, Pool
from forebay.config.routes import HeaderEdits, Match, Route
from forebay.config.rules import failover_spec, respond_spec
from forebay.config.schema import GatewayConfig, Limits, Listener
from forebay.types import Address

Json = dict[str, Any]
Resolved = Mapping[str, Sequence[str]]
"""The `ip:port`s that each name has at present, by its key; see `key_of_name`."""

GATEWAY_NAME: Final = "forebay"
"""What the gateway calls itself in `Via` and `Proxy-Status`."""

_ALL_ADDRESSES: Final = "[::]"
_PARTS: Final = ("limits", "trusted_proxies", "forwarded", "listeners")


Known = tuple[GatewayConfig, Json]
"""A configuration and the snapshot that was made of it."""


def snapshot(config: GatewayConfig, number: int, resolved: Resolved, secret: bytes = b"", known: Known | None = None) -> Json:
    """The whole snapshot of a configuration. With `known`, it shares with that one the routes that are the very same objects in both.

    An endpoint with a name becomes one endpoint for each of the name's addresses; without any, it stays one without a target. Where
    two endpoints of a pool come to the same id, the first declared keeps it and the other is left out. `secret` signs the cookies of pools
    whose affinity declares none; see `needs_secret`.
    """
    return {
        "number": number,
        "name": GATEWAY_NAME,
        "limits": _limits(config.limits),
        "trusted_proxies": [str(network) for network in config.trusted_proxies],
        "forwarded": config.forwarded,
        "listeners": listener_specs(config),
        "routes": _routes(config, known),
        "pools": {name: pool_spec(name, pool, resolved, secret) for name, pool in config.pools.items()},
    }


def listener_specs(config: GatewayConfig) -> list[Json]:
    """The `ListenerSpec`s of all listeners."""
    return [_listener(name, listener) for name, listener in config.all_listeners.items()]


def pool_spec(name: str, pool: Pool, resolved: Resolved, secret: bytes = b"") -> Json:
    """The `PoolSpec` of one pool."""
    endpoints = _unique(each for endpoint in pool.endpoints for each in _endpoints(name, pool, endpoint, resolved))
    return {
        "policy": pool.balance.spec,
        "seed": seed(name),
        "endpoints": endpoints or _unresolved(pool),
        "host": pool.host if pool.host in {"client", "endpoint"} else {"fixed": pool.host},
        "connect_timeout": pool.connect_timeout,
        "max_connections": pool.max_connections,
        "max_inflight": pool.max_inflight,
        "queue": pool.queue.model_dump(),
        "retry": _retry(pool.retry),
        # What is not declared is not told.
        **({"affinity": _affinity(pool.affinity, secret)} if pool.affinity is not None else {}),
        **({"load_report": pool.load_report.model_dump()} if pool.load_report != LoadReport() else {}),
        **failover_spec(pool),
    }


def _retry(retry: Retry) -> Json:
    default = Retry()
    differing = {key for key in ("budget", "statuses", "attempt_timeout") if getattr(retry, key) != getattr(default, key)}
    spec = retry.model_dump(include={"attempts", "replay_buffer", *differing})
    return {**spec, "statuses": list(retry.statuses)} if "statuses" in differing else spec


def _affinity(affinity: Affinity, secret: bytes) -> Json:
    chosen = secret if affinity.secret is None else affinity.secret.reveal()
    return {"cookie": affinity.cookie, "ttl": affinity.ttl, "secret": chosen.hex()}


def delta(old: Json, new: Json) -> Json:
    """The `DeltaSpec` that leads from one snapshot to another: only what differs."""
    changes = {part: new[part] for part in _PARTS if old[part] != new[part]}
    return {
        "base": old["number"],
        "number": new["number"],
        **changes,
        **_route_changes(old["routes"], new["routes"]),
        "pools": {name: pool for name, pool in new["pools"].items() if old["pools"].get(name) != pool},
        "removed_pools": [name for name in old["pools"] if name not in new["pools"]],
    }


def _route_changes(old: list[Json], new: list[Json]) -> Json:
    if old is new:
        return {"routes": []}
    before = {route["id"]: route for route in old}
    order = [route["id"] for route in new]
    pairs = ((route, before.get(route["id"])) for route in new)
    # What is shared is not compared: there may be thousands of routes, and dozens of changes a second.
    changed = [route for route, known in pairs if known is not route and known != route]
    return {"routes": changed, **({"route_order": order} if order != list(before) else {})}


def needs_secret(config: GatewayConfig) -> bool:
    """Whether some pool's affinity declares no secret of its own."""
    return any(pool.affinity is not None and pool.affinity.secret is None for pool in config.pools.values())


def route_id(index: int, route: Route) -> str:
    """A route's name, or `routes[3]` where it has none."""
    return route.name or f"routes[{index}]"


def seed(pool: str) -> int:
    """The seed of a pool's random picks: the first eight bytes, big-endian, of the SHA-256 of its name in UTF-8. The same on every
    gateway and in every version.
    """
    return int.from_bytes(hashlib.sha256(pool.encode()).digest()[:8])


def _limits(limits: Limits) -> Json:
    return limits.model_dump()


def _listener(name: str, listener: Listener) -> Json:
    bind = [_socket(address) for address in listener.bind]
    return {"name": name, "bind": bind, "upgrades": list(listener.upgrades), "half_close": listener.half_close}


def _socket(address: Address) -> str:
    """The socket address to bind. No host means all addresses, of IPv4 and IPv6 alike: a socket on `[::]` takes both."""
    if not address.host:
        return f"{_ALL_ADDRESSES}:{address.port}"
    return f"127.0.0.1:{address.port}" if address.host == "localhost" else str(address)


def _routes(config: GatewayConfig, known: Known | None) -> list[Json]:
    if known is None:
        return [_route(route_id(index, route), route) for index, route in enumerate(config.all_routes)]
    if config.routes and config.routes is known[0].routes:
        routes: list[Json] = known[1]["routes"]
        return routes
    # Of declared routes alone: one that stands for none lives only as long as it is looked at, and another may come to have its id.
    before = {id(route): spec for route, spec in zip(known[0].routes, known[1]["routes"], strict=False)}
    specs = ((route_id(index, route), route, before.get(id(route))) for index, route in enumerate(config.all_routes))
    return [spec if spec is not None and spec["id"] == name else _route(name, route) for name, route, spec in specs]


def _route(name: str, route: Route) -> Json:
    return {
        "id": name,
        "match": _match(route.match),
        "action": _action(route),
        "timeout": route.timeout,
        "first_byte_timeout": route.first_byte_timeout,
        "strip_prefix": route.strip_prefix,
        "rewrite": route.rewrite,
        "request_headers": _edits(route.request_headers),
        "response_headers": _edits(route.response_headers),
        **({"idempotency_key": True} if route.idempotency_key else {}),
    }


def _match(match: Match) -> Json:
    return {
        "host": list(match.host),
        "path": list(match.path),
        "method": list(match.method),
        "header": dict(match.header),
        "query": dict(match.query),
    }


def _action(route: Route) -> Json:
    if route.redirect is not None:
        return {"redirect": {"to": route.redirect.to, "status": route.redirect.status}}
    if route.respond is not None:
        return {"respond": respond_spec(route.respond)}
    return {"pool": route.pool}


def _edits(edits: HeaderEdits) -> Json:
    return {"set": [list(each) for each in edits.set.items()], "remove": list(edits.remove)}


def _endpoints(pool: str, declared: Pool, endpoint: Endpoint, resolved: Resolved) -> Iterator[Json]:
    address = str(endpoint.address)
    targets: Sequence[str | None] = (address,)
    if endpoint.address.is_name:
        targets = resolved.get(key_of_name(pool, endpoint.address, declared.discovery), ())
    tier = {"tier": endpoint.tier} if endpoint.tier else {}
    for target in targets or (None,):
        # A declared id is one endpoint's; several addresses of one name share it with their address behind.
        shared = f"{endpoint.id}@{target}" if endpoint.id and len(targets) > 1 else endpoint.id
        yield {"id": shared or target or address, "address": address, "target": target, "weight": endpoint.weight, **tier}


def _unresolved(pool: Pool) -> list[Json]:
    """In the place of endpoints that are not found yet, so that status and answers say what is missing."""
    source = pool.discovery.srv or pool.discovery.file
    return [] if source is None else [{"id": source, "address": source, "target": None, "weight": 1}]


def _unique(endpoints: Iterable[Json]) -> list[Json]:
    first: dict[str, Json] = {}
    for endpoint in endpoints:
        first.setdefault(endpoint["id"], endpoint)
    return list(first.values())
