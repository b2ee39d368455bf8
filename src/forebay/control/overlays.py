"""What operators have ordered, laid over what is declared and observed: part of what is desired, and kept over a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from types import MappingProxyType
from typing import Any, Final, Literal

from forebay.config.pools import MAX_WEIGHT
from forebay.control.keep import Kept

FILE: Final = "overlays.json"
_VERSION: Final = 1

Kind = Literal["drain", "disable", "weight", "hold"]
Key = tuple[str, str | None, str]
"""Pool, endpoint (None: the pool itself), and what it is about: drain and disable take each other's place."""

STATUSES: Final = {"drain": "draining", "disable": "disabled"}


@dataclass(frozen=True, slots=True)
class Overlay:
    """One order: of an endpoint `drain`, `disable` or `weight`, of a pool `hold`. `at` and `until` are the wall clock in seconds, so that
    they hold in another process; `until` is None where it has no end. `revision` is that of what was desired once it was part of it.
    """

    pool: str
    endpoint: str | None
    kind: Kind
    at: float
    reason: str = ""
    until: float | None = None
    weight: int | None = None
    revision: int = 0
    owner: str = "operator"

    @property
    def key(self) -> Key:
        """What it takes the place of."""
        return self.pool, self.endpoint, "serving" if self.kind in STATUSES else self.kind

    @property
    def status(self) -> str | None:
        """The status that it gives its endpoint."""
        return STATUSES.get(self.kind)

    def left(self, now: float) -> float | None:
        """Seconds that it goes on from `now` (wall clock); None for one without end."""
        return None if self.until is None else max(0.0, self.until - now)

    def json(self) -> dict[str, Any]:
        """Its one canonical form."""
        return asdict(self)

    @classmethod
    def of(cls, value: object) -> Overlay:
        """From that form. Raises ValueError for anything else."""
        if not isinstance(value, dict) or set(value) != {field.name for field in fields(cls)}:
            raise ValueError("an overlay has other keys")
        texts = [value["pool"], value["reason"], value["owner"], value["endpoint"] or ""]
        moments = [value["at"], value["revision"], value["until"] or 0, value["weight"] or 0]
        right = all(isinstance(each, str) for each in texts) and all(_number(each) for each in moments)
        if not right or value["kind"] not in {"drain", "disable", "weight", "hold"} or not 0 <= (value["weight"] or 0) <= MAX_WEIGHT:
            raise ValueError("an overlay has values of other kinds")
        return cls(**value)


Overlays = Mapping[Key, Overlay]
"""All orders in force."""

NONE: Final[Overlays] = MappingProxyType({})


def laid(overlays: Overlays, overlay: Overlay) -> Overlays:
    """These with one more, in the place of the one that it is instead of."""
    return {**overlays, overlay.key: overlay}


def lifted(overlays: Overlays, key: Key) -> Overlays:
    """These without one."""
    return {each: overlay for each, overlay in overlays.items() if each != key}


def without(overlays: Overlays, overlay: Overlay) -> Overlays:
    """These without this very one; one that has taken its place meanwhile stays."""
    return lifted(overlays, overlay.key) if overlays.get(overlay.key) is overlay else overlays


def lapsed(overlays: Overlays, now: float) -> list[Overlay]:
    """Those whose time is over at `now` (wall clock)."""
    return [overlay for overlay in overlays.values() if overlay.until is not None and overlay.until <= now]


def save(overlays: Overlays, kept: Kept) -> None:
    """Keep them on disk.

    Raises:
        ForebayError: when the file cannot be written.
    """
    kept.write(FILE, json.dumps({"version": _VERSION, "overlays": [each.json() for each in overlays.values()]}, indent=1).encode())


def load(kept: Kept, now: float) -> Overlays:
    """Those kept on disk that go on at `now` (wall clock); none, and a line in the log, where the file is of another version or broken."""
    return kept.read(FILE, lambda text: _parse(text, now), {})


def _parse(text: bytes, now: float) -> Overlays:
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("version") != _VERSION or not isinstance(value.get("overlays"), list):
        raise ValueError("it is of another version")
    overlays = [Overlay.of(each) for each in value["overlays"]]
    return {each.key: each for each in overlays if each.until is None or each.until > now}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
