"""The linter: what is legal but probably not what was meant.

Each rule yields what it found with the path of its key; none changes anything, and none is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from forebay.config.balance import policy_findings
from forebay.config.cover import Covering
from forebay.config.endpoints_file import first_line, parse
from forebay.config.failing import failover_findings
from forebay.config.patterns import literal_prefix
from forebay.config.routes import Route
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import route_id
from forebay.config.words import Found, path_text
from forebay.errors import ConfigError, Fault
from forebay.types import format_duration

_FORWARDING_KEYS: Final = ("timeout", "first_byte_timeout", "idempotency_key", "strip_prefix", "rewrite", "request_headers")


def warnings(config: GatewayConfig) -> list[Fault]:
    """Every finding of the linter, as faults of severity `warning`, in the order of their lines."""
    routes = (_shadowed, _without_effect, _route_times, _prefixes, _edits)
    rules = (*routes, _pools, _endpoints_files, _affinities, policy_findings, failover_findings, _trust)
    found = [each for rule in rules for each in rule(config)]
    origin = config.provenance
    faults = [Fault(message, path_text(path), origin.file, origin.line(path), hint, severity="warning") for path, message, hint in found]
    return sorted(faults, key=lambda fault: fault.line or 0)


def _shadowed(config: GatewayConfig) -> Iterator[Found]:
    covering = Covering()
    for index, route in enumerate(config.routes):
        first = covering.cover(index, route.match)
        if first is not None:
            name = route_id(first, config.routes[first])
            yield ("routes", index), f'is never reached: "{name}" before it takes all that it matches', "move it up, or leave it out"


def _without_effect(config: GatewayConfig) -> Iterator[Found]:
    for index, route in enumerate(config.routes):
        if route.pool is None:
            for key in _FORWARDING_KEYS:
                if key in route.model_fields_set:
                    action = "redirect" if route.redirect else "respond"
                    yield ("routes", index, key), f'has no effect beside "{action}", which sends nothing to a server', "leave it out"


def _route_times(config: GatewayConfig) -> Iterator[Found]:
    for index, route in enumerate(config.all_routes):
        if route.pool is None:
            continue
        place: tuple[str | int, ...] = ("routes", index)
        if route.timeout is not None:
            yield from ((place + path, message, hint) for path, message, hint in _longer_than_timeout(config, route, route.timeout))
        total = config.limits.total_timeout
        if total is not None and route.timeout is not None and route.timeout > total:
            said = f"{format_duration(route.timeout)} is longer than limits.total_timeout, {format_duration(total)}, which comes first"
            yield (*place, "timeout"), said, "shorten it, or lengthen the other"


def _longer_than_timeout(config: GatewayConfig, route: Route, timeout: float) -> Iterator[Found]:
    whole = f"this route's timeout, {format_duration(timeout)}, which comes first"
    first_byte = route.first_byte_timeout
    if "first_byte_timeout" in route.model_fields_set and first_byte is not None and first_byte > timeout:
        yield ("first_byte_timeout",), f"{format_duration(first_byte)} is longer than {whole}", "shorten it, or leave it out"
    pool = config.pools[str(route.pool)]
    if pool.max_inflight is not None and pool.queue.timeout > timeout:
        said = f"the queue of the pool {route.pool} waits {format_duration(pool.queue.timeout)}, longer than {whole}"
        yield ("timeout",), said, f"shorten pools.{route.pool}.queue.timeout"
    if pool.connect_timeout >= timeout:
        said = f"connect_timeout of the pool {route.pool}, {format_duration(pool.connect_timeout)}, is no shorter than {whole}"
        yield ("timeout",), said, "one connection that hangs leaves no time for another endpoint"


def _prefixes(config: GatewayConfig) -> Iterator[Found]:
    for index, route in enumerate(config.routes):
        prefix, paths = route.strip_prefix, route.match.path
        if prefix is None or any(path.startswith("~") for path in paths):
            continue
        if paths and not any(f"{literal_prefix(path)}/".startswith(f"{prefix}/") for path in paths):
            yield ("routes", index, "strip_prefix"), f'no path of the match begins with "{prefix}"', "nothing will be stripped"


def _edits(config: GatewayConfig) -> Iterator[Found]:
    for index, route in enumerate(config.routes):
        for key, edits in (("request_headers", route.request_headers), ("response_headers", route.response_headers)):
            both = {name.lower() for name in edits.set} & {name.lower() for name in edits.remove}
            for name in sorted(both):
                yield ("routes", index, key, "remove"), f'"{name}" is set too, which comes after', "leave one of them out"


def _pools(config: GatewayConfig) -> Iterator[Found]:
    used = {route.pool for route in config.all_routes} | {pool.when_all_down.pool for pool in config.pools.values()}
    for name, pool in config.pools.items():
        if name not in used:
            yield ("pools", name), "no route leads to it", f'write [[routes]] and then pool = "{name}", or leave it out'
        if pool.max_inflight is not None and pool.max_connections is not None and pool.max_inflight > pool.max_connections:
            said = f"{pool.max_inflight} is more than max_connections, {pool.max_connections}, and each request has a connection"
            yield ("pools", name, "max_inflight"), said, f"at most {pool.max_connections} will run"


def _endpoints_files(config: GatewayConfig) -> Iterator[Found]:
    """Not a fault: a gateway starts without its file, and takes it up when it is there."""
    for name, pool in config.pools.items():
        if pool.discovery.file is None:
            continue
        try:
            endpoints = parse(Path(pool.discovery.file).expanduser().read_bytes(), pool.discovery.file)
        except OSError as error:
            yield ("pools", name, "discovery", "file"), f'"{pool.discovery.file}" cannot be read: {error.strerror}', "the pool waits for it"
        except ConfigError as error:
            yield ("pools", name, "discovery", "file"), first_line(error), "until it is right, the pool has what it said before"
        else:
            if not endpoints and not pool.endpoints:
                yield ("pools", name, "discovery", "file"), f'"{pool.discovery.file}" holds no endpoints', "the pool waits for some"


def _affinities(config: GatewayConfig) -> Iterator[Found]:
    first: dict[str, str] = {}
    for name, pool in config.pools.items():
        if pool.affinity is None:
            continue
        if pool.balance.kind == "consistent_hash":
            said = "goes before consistent_hash: it is asked for a client's first request alone, and when its endpoint is lost"
            yield ("pools", name, "affinity"), said, "keep one of the two, unless that is meant"
        other = first.setdefault(pool.affinity.cookie, name)
        if other != name:
            said = f'the pool {other} sets the cookie "{pool.affinity.cookie}" too; on one host each would undo what the other has set'
            yield ("pools", name, "affinity", "cookie"), said, f'give each its own, such as "fb_{name}"'


def _trust(config: GatewayConfig) -> Iterator[Found]:
    everyone = [network for network in config.trusted_proxies if network.prefixlen == 0]
    public = [
        address for listener in config.all_listeners.values() for address in listener.bind if not (address.ip and address.ip.is_loopback)
    ]
    if everyone and any(address.host != "localhost" for address in public):
        said = f"{everyone[0]} believes whatever any client says about its address, on {public[0]}"
        yield ("gateway", "trusted_proxies"), said, "name the networks of the proxies in front"
