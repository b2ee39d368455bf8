"""What is to be looked up for a configuration: its names, services and files of endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from forebay.config.discovery import Discovery, key_of_name
from forebay.config.pools import Endpoint, Pool
from forebay.config.schema import GatewayConfig

Kind = Literal["name", "service", "file"]


@dataclass(frozen=True, slots=True)
class Source:
    """Something that changes by itself and gives endpoints, or the addresses of one.

    `key` tells it from all others. `text` is the `HOST:PORT`, the service or the file; `users` are the endpoints that it stands behind,
    as pool with id or address.
    """

    key: str
    kind: Kind
    text: str
    manner: Discovery
    users: frozenset[tuple[str, str]] = field(default=frozenset())

    @property
    def pools(self) -> list[str]:
        """The pools that it feeds."""
        return sorted({pool for pool, _ in self.users})


def sources(config: GatewayConfig) -> dict[str, Source]:
    """All that the configuration itself says is to be looked up, by key."""
    return collected(each for name, pool in config.pools.items() for each in _of_pool(name, pool))


def names_of(pool: str, endpoints: Iterable[Endpoint], manner: Discovery) -> Iterator[Source]:
    """The names among endpoints of a pool."""
    for endpoint in endpoints:
        address = endpoint.address
        if address.is_name:
            users = frozenset({(pool, endpoint.id or str(address))})
            yield Source(key_of_name(pool, address, manner), "name", str(address), manner.manner, users)


def collected(each: Iterable[Source]) -> dict[str, Source]:
    """Sources by key, with the users of all that have the same."""
    found: dict[str, Source] = {}
    for source in each:
        known = found.get(source.key)
        found[source.key] = source if known is None else replace(known, users=known.users | source.users)
    return found


def key_of_list(pool: str, discovery: Discovery) -> str | None:
    """What the service or file of a pool is called everywhere; None where it has none."""
    if discovery.srv is not None:
        return f"srv:{discovery.srv} (pools.{pool})"
    return None if discovery.file is None else f"file:{discovery.file} (pools.{pool})"


def expanded(config: GatewayConfig, lists: Mapping[str, Sequence[Endpoint]]) -> GatewayConfig:
    """The configuration with what was found so far among the endpoints of its pools; `lists` has it by key."""
    changed = {name: endpoints for name, pool in config.pools.items() if (endpoints := _found(name, pool, lists))}
    if not changed:
        return config
    pools = {
        name: pool.model_copy(update={"endpoints": (*pool.endpoints, *changed[name])}) if name in changed else pool
        for name, pool in config.pools.items()
    }
    return config.model_copy(update={"pools": pools})


def _found(name: str, pool: Pool, lists: Mapping[str, Sequence[Endpoint]]) -> tuple[Endpoint, ...]:
    if pool.discovery.dns is not None:
        return (Endpoint(pool.discovery.dns),)
    key = key_of_list(name, pool.discovery)
    return () if key is None else tuple(lists.get(key, ()))


def _of_pool(name: str, pool: Pool) -> Iterator[Source]:
    discovery = pool.discovery
    yield from names_of(name, (*pool.endpoints, *_found(name, pool, {})), discovery)
    key = key_of_list(name, discovery)
    if key is not None:
        kind: Kind = "service" if discovery.srv is not None else "file"
        yield Source(key, kind, str(discovery.srv or discovery.file), discovery.manner, frozenset({(name, "")}))
