"""Every limit and timeout in force, with where it came from; what `forebay check --effective` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from forebay.config.failover import Failover
from forebay.config.pools import Pool
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import route_id
from forebay.config.table import Table
from forebay.config.words import path_text
from forebay.types import format_duration

_GATEWAY: Final = ("threads", "access_log", "shutdown_grace", "trusted_proxies", "forwarded")
_ROUTE: Final = ("timeout", "first_byte_timeout", "idempotency_key")
_DISCOVERY: Final = ("min_ttl", "max_ttl", "empty_grace", "nameservers")
_POOL: Final = ("balance", "connect_timeout", "max_connections", "max_inflight")
_HEALTH: Final = ("type", "path", "interval", "down_interval", "timeout", "fall", "rise", "fresh")

_KEPT: Final = "random, kept in state_dir"

FIXED: Final = (
    ("load_report.believed", "10s"),
    ("reflex.passed_over", "1s at first"),
    ("retry_after.heeded", "30s at most"),
    ("probes.take_out", "a third of a pool within 10s"),
    ("peers.compared", "over 30s"),
    ("peers.latency", "suspect at 3 times theirs"),
    ("kept_connections.idle", "60s"),
    ("kept_connections.most", "256 for each endpoint and thread"),
    ("names.without_ttl", "30s"),
    ("names.retry", "500ms, doubled up to 30s"),
    ("refusal.linger", "2s"),
    ("accept.pause", "50ms"),
    ("buffers.body", "16KiB to 127.9KiB"),
)
"""What no key changes: how long a server's word on its load is believed; for how long an endpoint that fails is passed over the first time
(twice as long each time that it is soon needed again); how long a server's `Retry-After` is heeded; how many endpoints failed probes
take out; how endpoints are compared with their peers; how long an idle connection to an endpoint is kept, and how many are; how often a
name that comes without a TTL is looked up, and any name again after a failure; how long the rest of a refused request is taken in; how
long accepting pauses at a limit; a body's buffer for each direction.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One value in force. `source` is `default`, `gateway.toml:7`, `Python`, or `fixed` for what no key changes."""

    key: str
    value: str
    source: str


def effective(config: GatewayConfig) -> list[Row]:
    """All limits and timeouts in force, in the order of the reference."""
    return [*_declared(config), *(Row(key, value, "fixed") for key, value in FIXED)]


def _declared(config: GatewayConfig) -> Iterator[Row]:
    rows = _Rows(config)
    yield from rows.of(config, ("gateway",), _GATEWAY)
    yield from rows.of(config.limits, ("limits",), tuple(type(config.limits).model_fields))
    for name, listener in config.listeners.items():
        yield from rows.of(listener, ("listeners", name), ("upgrades", "half_close"))
    for index, route in enumerate(config.all_routes):
        if route.pool is not None:
            yield from rows.of(route, ("routes", index), _ROUTE, shown=("routes", route_id(index, route)) if route.name else None)
    for name, pool in config.pools.items():
        yield from rows.of(pool, ("pools", name), _POOL)
        yield from rows.of(pool.discovery, ("pools", name, "discovery"), _DISCOVERY)
        yield from rows.of(pool.queue, ("pools", name, "queue"), ("size", "timeout"))
        yield from _failing(rows, name, pool)
        if pool.affinity is not None:
            yield from rows.of(pool.affinity, ("pools", name, "affinity"), ("cookie", "ttl", "secret"))
        yield from rows.of(pool.load_report, ("pools", name, "load_report"), ("keep",))


def _failing(rows: _Rows, name: str, pool: Pool) -> Iterator[Row]:
    """What decides when an endpoint fails; whether it is probed at all is told as the type of its probes."""
    for key, table in (("retry", pool.retry), ("hedge", pool.hedge), ("ejection", pool.ejection), ("slow_start", pool.slow_start)):
        yield from rows.of(table, ("pools", name, key), tuple(type(table).model_fields))
    yield from rows.of(pool.failover, ("pools", name, "failover"), tuple(Failover.model_fields))
    for row in rows.of(pool.when_all_down, ("pools", name, "when_all_down"), ("policy",)):
        respond = pool.when_all_down.respond
        value = row.value if respond is None else f"respond {respond.status}"
        yield Row(row.key, value, row.source if "when_all_down" in pool.model_fields_set else "default")
    if pool.health is None:
        yield Row(path_text(("pools", name, "health")), "none", "default")
        return
    health = pool.health
    derived = {"timeout": health.probe_timeout, "down_interval": health.while_down}
    for row in rows.of(
        health, ("pools", name, "health"), ("type", "path", "interval", "down_interval", "timeout", "fall", "rise", "fresh")
    ):
        key = row.key.rpartition(".")[2]
        if key != "path" or health.type == "http":
            yield Row(row.key, format_duration(derived[key]) if key in derived else row.value, row.source)


class _Rows:
    def __init__(self, config: GatewayConfig) -> None:
        self._origin = config.provenance

    def of(
        self,
        table: Table,
        path: tuple[str | int, ...],
        keys: tuple[str, ...],
        *,
        shown: tuple[str | int, ...] | None = None,
    ) -> Iterator[Row]:
        printed = table.model_dump(mode="json", include=set(keys))
        for key in keys:
            value = _KEPT if key == "secret" and printed[key] is None else _text(printed[key])
            yield Row(path_text((*(shown or path), key)), value, self._source(table, (*path, key)))

    def _source(self, table: Table, path: tuple[str | int, ...]) -> str:
        if str(path[-1]) not in table.model_fields_set:
            return "default"
        if self._origin.file is None:
            return "Python"
        line = self._origin.line(path)
        return self._origin.file if line is None else f"{self._origin.file}:{line}"


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)
