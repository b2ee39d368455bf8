"""Whether an earlier route takes all that a later one matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from forebay.config.patterns import literal_prefix
from forebay.config.routes import Match

_COMPARED: Final = 64


class Covering:
    """The matches of the routes so far, by host and path, so that each later one is compared with few of them.

    Sound but not complete: what it names is covered, but regexes are only compared as texts, a match that several earlier routes
    cover together is not found, and at most 64 candidates of one host and path are compared.
    """

    def __init__(self) -> None:
        self._earlier: dict[tuple[str, str], list[tuple[int, Match]]] = {}

    def cover(self, index: int, match: Match) -> int | None:
        """The first earlier route that covers this match, or None; the match then counts as earlier itself."""
        hosts, paths = match.host or ("",), match.path or ("",)
        candidates = [
            each
            for host in _wider_hosts(hosts[0])
            for path in _wider_paths(paths[0])
            for each in self._earlier.get((host, path), ())[:_COMPARED]
        ]
        for host in hosts:
            for path in paths:
                self._earlier.setdefault((host, path), []).append((index, match))
        return min((earlier for earlier, wide in candidates if covers(wide, match)), default=None)


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request that `narrow` matches is matched by `wide` too, as far as can be told from the patterns' texts."""
    return (
        _all_within(narrow.host, wide.host, _wider_hosts)
        and _all_within(narrow.path, wide.path, _wider_paths)
        and (not wide.method or (bool(narrow.method) and set(narrow.method) <= set(wide.method)))
        and _values_within(narrow.header, wide.header)
        and _values_within(narrow.query, wide.query)
    )


def _all_within(narrow: tuple[str, ...], wide: tuple[str, ...], wider: Callable[[str], Iterator[str]]) -> bool:
    return not wide or (bool(narrow) and all(any(each in wide for each in wider(pattern)) for pattern in narrow))


def _values_within(narrow: dict[str, str], wide: dict[str, str]) -> bool:
    return all(name in narrow and pattern in {"*", narrow[name]} for name, pattern in wide.items())


def _wider_hosts(host: str) -> Iterator[str]:
    """The pattern itself, every wildcard that holds it, and the empty one."""
    yield host
    if host:
        labels = host.removeprefix("*.").split(".")
        for start in range(1, len(labels)):
            yield "*." + ".".join(labels[start:])
        yield ""


def _wider_paths(path: str) -> Iterator[str]:
    yield path
    if path and not path.startswith("~"):
        segments = literal_prefix(path).split("/")
        for end in range(len(segments), 0, -1):
            yield "/".join(segments[:end]) + "/*"
    if path:
        yield ""
