"""What differs between two configurations: the plan of a reload, before anything happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from forebay.config.pools import Endpoint, Pool
from forebay.config.routes import Route
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import route_id
from forebay.config.table import Table
from forebay.errors import Fault

ONLY_BY_A_START: Final = ("threads", "admin", "access_log", "state_dir")
"""Keys that a running gateway cannot change, because sockets, threads or files hang on them."""

_GATEWAY_KEYS: Final = ("admin_token", "shutdown_grace", "trusted_proxies", "forwarded")
_REMEDY: Final = "`forebay upgrade` changes it without losing a request, and so does a stop and a start with a pause"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is `added`, `removed` or `changed`; `keys` has what differs of a changed one: its old and new value as printed."""

    kind: Literal["gateway", "limits", "listener", "route", "pool", "endpoint"]
    name: str
    what: Literal["added", "removed", "changed"]
    keys: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        """As `changed pool app: balance round_robin -> least_inflight`."""
        keys = ", ".join(text for key, (old, new) in self.keys.items() for text in _differences(key, old, new))
        thing = self.kind if self.name == self.kind else f"{self.kind} {self.name}"
        return f"{self.what} {thing}{f': {keys}' if keys else ''}"


def changes(old: GatewayConfig, new: GatewayConfig) -> list[Change]:
    """Everything that a change from one to the other adds, removes or changes, in the order of a file."""
    found = [*_table("gateway", "gateway", old, new, _GATEWAY_KEYS), *_table("limits", "limits", old.limits, new.limits)]
    found += _named("listener", old.all_listeners, new.all_listeners)
    found += _routes(old, new)
    found += _pools(old.pools, new.pools)
    return found


def only_by_a_start(old: GatewayConfig, new: GatewayConfig) -> list[Fault]:
    """A fault for each key that differs and that only a start can change."""
    origin = new.provenance
    return [
        Fault("cannot change while the gateway runs", f"gateway.{key}", origin.file, origin.line(("gateway", key)), hint=_REMEDY)
        for key in ONLY_BY_A_START
        if getattr(old, key) != getattr(new, key)
    ]


def _named(kind: Any, old: Mapping[str, Table], new: Mapping[str, Table]) -> Iterator[Change]:  # noqa: ANN401 - a literal of `Change.kind`
    for name in old:
        if name not in new:
            yield Change(kind, name, "removed", {})
    for name, value in new.items():
        if name in old:
            yield from _table(kind, name, old[name], value)
        else:
            yield Change(kind, name, "added", {})


def _routes(old: GatewayConfig, new: GatewayConfig) -> Iterator[Change]:
    before, after = _route_names(old), _route_names(new)
    yield from _named("route", before, after)
    kept = [name for name in before if name in after], [name for name in after if name in before]
    if kept[0] != kept[1]:
        yield Change("gateway", "gateway", "changed", {"order of the routes": (", ".join(kept[0]), ", ".join(kept[1]))})


def _route_names(config: GatewayConfig) -> dict[str, Route]:
    return {route_id(index, route): route for index, route in enumerate(config.all_routes)}


def _pools(old: Mapping[str, Pool], new: Mapping[str, Pool]) -> Iterator[Change]:
    for name in old:
        if name not in new:
            yield Change("pool", name, "removed", {})
    for name, pool in new.items():
        if name not in old:
            yield Change("pool", name, "added", {})
            continue
        if old[name] is pool:
            continue
        yield from _table("pool", name, old[name], pool, tuple(key for key in type(pool).model_fields if key != "endpoints"))
        before, after = _endpoints(name, old[name]), _endpoints(name, pool)
        yield from _named("endpoint", before, after)
        kept = [key for key in before if key in after], [key for key in after if key in before]
        if kept[0] != kept[1]:
            yield Change("pool", name, "changed", {"order of the endpoints": (None, None)})


def _endpoints(pool: str, value: Pool) -> dict[str, Endpoint]:
    return {f"{pool}/{endpoint.id or endpoint.address}": endpoint for endpoint in value.endpoints}


def _table(kind: Any, name: str, old: Table, new: Table, keys: tuple[str, ...] | None = None) -> Iterator[Change]:  # noqa: ANN401 - as above
    if old is new or (keys is None and old == new):
        return
    differing = {key for key in keys or tuple(type(new).model_fields) if getattr(old, key) != getattr(new, key)}
    if differing:
        before, after = old.model_dump(mode="json", include=differing), new.model_dump(mode="json", include=differing)
        yield Change(kind, name, "changed", {key: (before.get(key), after.get(key)) for key in type(new).model_fields if key in differing})


def _differences(key: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """What differs, as `failover.hold_down 2s -> 5s`: of two tables with the same keys, those alone that differ."""
    if isinstance(old, dict) and isinstance(new, dict) and _declared(old) == _declared(new):
        differing = [part for part in old if old[part] != new.get(part)]
        for part in differing:
            yield from _differences(f"{key}.{part}", old[part], new[part])
        if not differing:
            yield key  # a secret, which is not shown
    else:
        yield key if old is None and new is None else f"{key} {_printed(old)} -> {_printed(new)}"


def _declared(table: Mapping[str, Any]) -> set[str]:
    return {key for key, value in table.items() if value is not None}


def _printed(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return "[" + ", ".join(map(_printed, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_printed(each)}" for key, each in value.items() if each is not None) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)
