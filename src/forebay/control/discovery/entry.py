"""One source with what is held of it, in words for the log, the status and the disk."""

import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from forebay.config.endpoints_file import as_json
from forebay.config.pools import Pool
from forebay.config.sources import Source, names_of
from forebay.control.discovery.answers import Answer
from forebay.control.discovery.holding import Holding, Limits
from forebay.errors import ConfigError
from forebay.types import Address, Malformed

_log = logging.getLogger("forebay.discovery")


@dataclass(slots=True)
class Entry:
    """A source and its items: `ip:port`s of a name, endpoints of a service or a file. `last` is what it answered last."""

    source: Source
    holding: Holding[Any]
    last: Answer[Any] | None = None
    _children: tuple[tuple[Any, ...], list[Source]] = ((), [])

    @classmethod
    def of(cls, source: Source) -> Self:
        """One of which nothing is known."""
        holding: Holding[Any] = Holding(_limits(source))
        if holding.limits.watched:
            holding.due = inf  # it says by itself what it holds
        return cls(source, holding)

    def declare(self, source: Source) -> None:
        """Go on by what is declared of it now."""
        self.source, self.holding.limits = source, _limits(source)

    def children(self, items: tuple[Any, ...]) -> list[Source]:
        """The names among endpoints that it gave."""
        if self.source.kind == "name":
            return []
        if self._children[0] is not items:  # asked on every turn, and changes seldom
            self._children = (items, [each for pool in self.source.pools for each in names_of(pool, items, self.source.manner)])
        return self._children[1]

    def leads_to(self, pool: str, named: AbstractSet[str]) -> bool:
        """Whether an endpoint of the pool that goes by one of these ids and addresses comes from it."""
        if pool not in self.source.pools:
            return False
        return not named.isdisjoint(self.holding.in_force) or any((pool, name) in self.source.users for name in named)

    def take(self, answer: Answer[Any], now: float) -> None:
        """Take in an answer; when that changes how good the source is, the log says so in one line."""
        holding = self.holding
        state, error, age = holding.state, holding.error, holding.age(now)
        self.last = answer
        holding.take(answer, now)
        new_fault = self.source.kind == "file" and holding.error is not None and holding.error != error
        if holding.state != state or new_fault:
            self._say(state, age)

    def remember(self, items: list[Any], at: float) -> None:
        """Take up what an earlier process kept; nothing of it where some of it is no address or endpoint."""
        try:
            valid = tuple(map(_target, items)) if self.source.kind == "name" else Pool(items).endpoints
        except (ConfigError, Malformed):
            _log.warning("%s: what was kept of it is not what Forebay writes; it is left aside", self.source.key)
            return
        self.holding.remember(valid, at)

    def plain(self) -> list[Any]:
        """The items as `remember` takes them."""
        return list(self.holding.items) if self.source.kind == "name" else as_json(self.holding.items)

    def report(self, now: float) -> dict[str, Any]:
        """For the status: how many items, how good they are, and the seconds since they were confirmed (None: never)."""
        age = self.holding.age(now)
        return {
            "source": self.source.text,
            "kind": self.source.kind,
            "pools": self.source.pools,
            "state": self.holding.state,
            "age": age if age < inf else None,
            "found": len(self.holding.in_force),
            "error": self.holding.error,
        }

    def _say(self, before: str, age: float) -> None:
        holding, key = self.holding, self.source.key
        noun, many = ("address", "es") if self.source.kind == "name" else ("endpoint", "s")
        number = f"{len(holding.items)} {noun}{many if len(holding.items) != 1 else ''}"
        known = f", confirmed {age:.0f} s ago" if 1 <= age < inf else ""
        match holding.state:
            case "fresh" if before in {"stale", "held", "empty"}:
                _log.info("%s: answers again: %s", key, number)
            case "stale":
                _log.warning("%s: %s; kept: %s%s", key, holding.error, number, known)
            case "held":
                _log.warning("%s: %s; kept for now: %s", key, holding.error, number)
            case "empty" if before == "held":
                _log.warning("%s: %s; that has been said for long enough, and its endpoints leave", key, holding.error)
            case "empty":
                _log.warning("%s: %s; it is asked again until it has some", key, holding.error)


def _limits(source: Source) -> Limits:
    manner = source.manner
    return Limits(manner.min_ttl, manner.max_ttl, manner.empty_grace, watched=source.kind == "file")


def _target(item: object) -> str:
    address = Address.parse(item)
    if address.ip is None:
        raise Malformed(f'"{address}" is a name')
    return str(address)
