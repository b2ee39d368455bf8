"""Which tier of a pool serves, and when an earlier one takes back. The twin of engine/src/failover/tiers.rs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from forebay.failover.rules import MinHealthy

FLAPS: Final = 5
"""Doublings of the hold-down, at most."""
SOON: Final = 60_000
"""A promotion this soon (in milliseconds) after an earlier tier took back is a flap."""


class TierRules(Protocol):
    """What decides; `hold_down` in milliseconds."""

    @property
    def min_healthy(self) -> MinHealthy:
        """How many of a tier must be able to serve."""

    @property
    def automatic(self) -> bool:
        """Whether an earlier tier takes back by itself."""

    @property
    def hold_down(self) -> int:
        """How long before it does."""


@dataclass(frozen=True, slots=True)
class Strength:
    """One tier at a moment: its endpoints that have a weight, and those of them that could serve."""

    tier: int
    members: int
    able: int

    def enough(self, rules: TierRules) -> bool:
        """Whether it may serve by itself."""
        least = rules.min_healthy
        return self.able >= (max(1, min(least.count, self.members)) if least.count is not None else least.of(self.members))


@dataclass(frozen=True, slots=True)
class Memory:
    """What a pool remembers from one moment to the next, times in milliseconds.

    Attributes:
        tier: the tier that serves.
        wanted_since: since when an earlier tier is wanted.
        flaps: promotions in a row that came soon after an earlier tier had taken back.
        back_at: when an earlier tier last took back.
        failback: whether it was ordered to.
    """

    tier: int | None = None
    wanted_since: int | None = None
    flaps: int = 0
    back_at: int | None = None
    failback: bool = False


def held_down(memory: Memory, rules: TierRules) -> int:
    """Milliseconds for which an earlier tier must be wanted before it takes back."""
    return rules.hold_down << min(memory.flaps, FLAPS)


def step(tiers: Sequence[Strength], rules: TierRules, memory: Memory, now: int) -> Memory:
    """What a pool remembers after this moment, in which somebody could serve."""
    after = replace(memory, failback=False)
    present = next((each for each in tiers if each.tier == memory.tier and each.able > 0), None)
    wanted = next((each for each in tiers if each.enough(rules)), None)
    if wanted is None:
        most = max((each.able for each in tiers), default=0)
        wanted = present if present is not None and present.able == most else next((each for each in tiers if each.able == most), None)
    if wanted is None:
        return after
    if present is None or wanted.tier > present.tier:
        return _moved(after, wanted.tier, rules, now)
    if wanted.tier == present.tier:
        return replace(after, wanted_since=None)
    since = now if memory.wanted_since is None else memory.wanted_since
    must = wanted.enough(rules) and not present.enough(rules)
    if must or memory.failback or (rules.automatic and now >= since + held_down(after, rules)):
        return _moved(after, wanted.tier, rules, now)
    return replace(after, wanted_since=since)


def _moved(memory: Memory, to: int, rules: TierRules, now: int) -> Memory:
    after = replace(memory, tier=to, wanted_since=None)
    if memory.tier is not None and to > memory.tier:
        soon = max(SOON, 6 * rules.hold_down)
        flapped = memory.back_at is not None and max(0, now - memory.back_at) <= soon
        return replace(after, flaps=min(memory.flaps + 1, FLAPS) if flapped else 0)
    return replace(after, back_at=now) if memory.tier is not None and to < memory.tier else after
