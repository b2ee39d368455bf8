"""Who of a pool may serve: one pure rule, of what is known of its endpoints and of what the pool remembers.

The twin of the engine's (engine/src/failover/serving.rs, where the rule is told in words); both are tested equal. All times are whole
milliseconds of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal

from forebay.failover.rules import ONE, AllDown, MinHealthy
from forebay.failover.status import Status
from forebay.failover.tiers import Memory, Strength, held_down, step

Mode = Literal["serving", "all_down"]


@dataclass(frozen=True, slots=True)
class View:
    """One endpoint, as the rule sees it.

    Attributes:
        tier: 0 serves first.
        weight: 0 takes no picks.
        status: what control and the engine have of it.
        until: when that lapses.
        passed_until: passed over by the reflex until then; stays set after it until an exchange succeeds.
        fact: whether it is passed over by a fact.
        trial: whether an exchange runs that is its trial.
        last: whether it could serve when the pool last had somebody who could.
    """

    tier: int = 0
    weight: int = 1
    status: Status = Status.UNKNOWN
    until: int | None = None
    passed_until: int | None = None
    fact: bool = False
    trial: bool = False
    last: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pool's snapshot says; `hold_down` in milliseconds."""

    min_healthy: MinHealthy = ONE
    automatic: bool = True
    hold_down: int = 10_000
    max_ejected: float = 0.5
    probed: bool = False
    when_all_down: AllDown = "try_all"


@dataclass(frozen=True, slots=True)
class Serving:
    """What comes of it, for each endpoint by its index.

    Attributes:
        mask: who may be picked.
        trials: who of them only for one exchange.
        beyond: who may be sent what all of these were tried for.
        pinned: where pinned clients may go.
        tier: the tier that serves.
        mode: whether anybody does.
        due: when to look again.
    """

    mask: tuple[bool, ...]
    trials: tuple[bool, ...]
    beyond: tuple[bool, ...]
    pinned: tuple[bool, ...]
    tier: int | None
    mode: Mode
    due: int | None = None


class _Class(IntEnum):
    OUT = 0
    JUDGED = 1
    HALF_OPEN = 2
    NEW = 3
    SUSPECT = 4
    ABLE = 5


_STRONG: Final = frozenset({_Class.SUSPECT, _Class.ABLE})
_LAPSING: Final = frozenset({Status.DOWN, Status.EJECTED, Status.SUSPECT})
_OUT: Final = frozenset({Status.DISABLED, Status.DRAINING, Status.DOWN})
NEVER: Final = 2**64 - 1
"""Until when an ejection without an end lasts."""

Test = Callable[[View, _Class], bool]


def serving(endpoints: Sequence[View], rules: Rules, memory: Memory, now: int) -> tuple[Serving, Memory]:
    """Who may serve at this moment, and what the pool remembers from then on."""
    classes, judged = _classes(endpoints, now)
    _bind(endpoints, classes, judged, rules.max_ejected)
    members = [(view, kind) for view, kind in zip(endpoints, classes, strict=True) if view.weight > 0]
    somebody = any(kind in _STRONG for _, kind in members)
    after = replace(memory, failback=False)
    new = min((view.tier for view, kind in members if kind is _Class.NEW), default=None)
    strong = min((view.tier for view, kind in members if kind in _STRONG), default=None)
    # A backup that is probed first is not promoted over primaries that nobody has asked yet.
    undecided = memory.tier is None and new is not None and strong is not None and new < strong
    if somebody and not undecided:
        after = step(_strengths(members), rules, memory, now)
    picked = _Picked(endpoints, classes, rules)
    if somebody and after.tier is not None:
        result = picked.by_tier(after.tier)
    elif new is not None:
        result = picked.by_novelty(new)
    else:
        result = picked.by_need(memory.tier)
    moments = [moment for view in endpoints for moment in (view.until, view.passed_until)]
    if rules.automatic and after.wanted_since is not None:
        moments.append(after.wanted_since + held_down(after, rules))
    return replace(result, due=min((moment for moment in moments if moment is not None and moment > now), default=None)), after


def _classes(endpoints: Sequence[View], now: int) -> tuple[list[_Class], dict[int, int]]:
    """The class of each, and until when the judged ones are."""
    classes, judged = [], {}
    for index, view in enumerate(endpoints):
        kind, until = _class(view, now)
        classes.append(kind)
        if kind is _Class.JUDGED:
            judged[index] = until
    return classes, judged


def _class(view: View, now: int) -> tuple[_Class, int]:
    lapsed = view.until is not None and view.until <= now
    if view.status is Status.UNRESOLVED or (view.status in _OUT and not lapsed):
        return _Class.OUT, 0
    if view.status is Status.EJECTED and not lapsed:
        return _Class.JUDGED, NEVER if view.until is None else view.until
    if view.passed_until is not None:
        if view.passed_until <= now:
            return _Class.HALF_OPEN, 0
        return (_Class.OUT if view.fact else _Class.JUDGED), view.passed_until
    if lapsed and view.status in _LAPSING:
        return _Class.HALF_OPEN, 0
    return {Status.UNKNOWN: _Class.NEW, Status.SUSPECT: _Class.SUSPECT}.get(view.status, _Class.ABLE), 0


def bound(members: int, max_ejected: float) -> int:
    """How many of so many judgements may take out."""
    return 0 if max_ejected <= 0 else max(1, math.floor(max_ejected * members + 1e-9))


def _bind(endpoints: Sequence[View], classes: list[_Class], judged: dict[int, int], max_ejected: float) -> None:
    """Have judged ones serve beyond what judgements may take out."""
    weighted = [(endpoints[index].tier, until, index) for index, until in judged.items() if endpoints[index].weight > 0]
    for tier in {tier for tier, _, _ in weighted}:
        among = sorted((one for one in weighted if one[0] == tier), key=lambda one: (-one[1], one[2]))
        most = bound(sum(view.tier == tier and view.weight > 0 for view in endpoints), max_ejected)
        if len(among) > most:
            for place, (_, _, index) in enumerate(among):
                classes[index] = _Class.HALF_OPEN if place < most else _Class.ABLE
    if weighted and not any(view.weight > 0 and kind in _STRONG for view, kind in zip(endpoints, classes, strict=True)):
        lowest = min(weighted)[0]
        for each, _, index in weighted:
            if each == lowest:
                classes[index] = _Class.ABLE


def _strengths(members: Sequence[tuple[View, _Class]]) -> list[Strength]:
    """The tiers in their order, with how many of theirs could serve."""
    found = []
    for tier in sorted({view.tier for view, _ in members}):
        kinds = [kind for view, kind in members if view.tier == tier]
        found.append(Strength(tier, len(kinds), sum(kind in _STRONG for kind in kinds)))
    return found


class _Picked:
    def __init__(self, endpoints: Sequence[View], classes: Sequence[_Class], rules: Rules) -> None:
        self._members = list(zip(endpoints, classes, strict=True))
        self._rules = rules
        self._nobody = (False,) * len(self._members)

    def _each(self, test: Test) -> tuple[bool, ...]:
        return tuple(test(view, kind) for view, kind in self._members)

    def _weighted(self, test: Test) -> tuple[bool, ...]:
        return self._each(lambda view, kind: view.weight > 0 and test(view, kind))

    def _free(self, view: View, kind: _Class) -> bool:
        """Whether it may have an exchange as its trial."""
        return not view.trial and (kind is _Class.HALF_OPEN or (kind is _Class.NEW and not self._rules.probed))

    def by_tier(self, tier: int) -> Serving:
        able = {view.tier for view, kind in self._members if view.weight > 0 and kind is _Class.ABLE}
        wanted = _Class.ABLE if tier in able else _Class.SUSPECT
        later = min((each for each in able if each > tier), default=None)
        trials = self._weighted(lambda view, kind: view.tier <= tier and self._free(view, kind))
        mask = _either(trials, self._weighted(lambda view, kind: view.tier == tier and kind is wanted))
        further = self._weighted(lambda view, kind: view.tier == (tier if kind is _Class.SUSPECT else later) and kind in _STRONG)
        beyond = tuple(there and not here for there, here in zip(further, mask, strict=True))

        def pinned(view: View, kind: _Class) -> bool:
            draining = view.status is Status.DRAINING and kind is _Class.OUT and view.passed_until is None
            return view.tier == tier and (kind in _STRONG or kind is _Class.NEW or self._free(view, kind) or draining)

        return Serving(mask, trials, beyond, self._each(pinned), tier, "serving")

    def by_novelty(self, tier: int) -> Serving:
        trials = self._weighted(lambda view, kind: kind is _Class.HALF_OPEN and self._free(view, kind))
        mask = _either(trials, self._weighted(lambda view, kind: view.tier == tier and kind is _Class.NEW))
        return Serving(mask, trials, self._weighted(lambda _, kind: kind is _Class.ABLE), mask, tier, "serving")

    def by_need(self, tier: int | None) -> Serving:
        def reachable(view: View, kind: _Class) -> bool:
            disabled = view.status is Status.DISABLED and kind is _Class.OUT and view.passed_until is None
            return not disabled and view.status is not Status.UNRESOLVED

        everybody, free = self._weighted(reachable), self._weighted(self._free)
        chosen, trials = self._nobody, free
        if self._rules.when_all_down == "try_all":
            chosen, trials = everybody, self._nobody
        elif self._rules.when_all_down == "last_healthy":
            last = self._weighted(lambda view, kind: view.last and reachable(view, kind))
            chosen = last if any(last) else everybody
            trials = tuple(each and not here for each, here in zip(free, chosen, strict=True))
        mask = _either(chosen, trials)
        return Serving(mask, trials, self._nobody, mask, tier, "all_down")


def _either(left: Sequence[bool], right: Sequence[bool]) -> tuple[bool, ...]:
    return tuple(one or other for one, other in zip(left, right, strict=True))
