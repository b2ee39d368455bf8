"""How pools and their endpoints stand: what control shows of its judgements, and what it tells the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """One endpoint. `since` is how many seconds ago its status began, `next` what comes next, in words; `weight` is None where the declared
    one counts. `probes` are the last five results, the newest last; `overlay` is what an operator ordered.
    """

    status: str
    reason: str
    since: float
    next: str | None = None
    code: str | None = None
    tier: int = 0
    role: str = "serves"
    weight: int | None = None
    probes: Sequence[str] = ()
    overlay: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """One pool: the tier that serves, whether all are down, and the hold in force."""

    tier: int = 0
    all_down: bool = False
    held: Mapping[str, Any] | None = None
    endpoints: Mapping[str, EndpointStanding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine is told of one endpoint; `until` is on control's clock."""

    status: str
    until: float | None = None
    weight: int | None = None

    def json(self, now: float, before: Told | None = None) -> dict[str, Any]:
        """The wire form. A status that the engine was told `before` is left out: said again it would end what holds it back there."""
        if before is not None and (before.status, before.until) == (self.status, self.until):
            return {"status": None, "for": None, "weight": self.weight}
        return {"status": self.status, "for": None if self.until is None else max(0.0, self.until - now), "weight": self.weight}
