"""What is said about a pool's endpoints: how they are declared, what was counted of them, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forebay.failover.status import Status, Verdict


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint as it is declared; `resolved` is whether it has an address."""

    tier: int = 0
    weight: int = 1
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Counts:
    """What the engine has counted of an endpoint since it began: heads of answers, those of them that were errors (5xx), attempts that
    failed without one, and the sum of ln(seconds) over the answers that were no errors.
    """

    answers: int = 0
    errors: int = 0
    failures: int = 0
    log_latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A status that has changed: an event."""

    endpoint: str
    before: Status | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Alarm:
    """What speaks against an endpoint without taking it out, because something forbids that: in words."""

    endpoint: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows. `verdicts` are those that differ from what was decided last, `changes` the changes of status or reason among them;
    `alarms` are those that are new; `due` is when to decide again even if nothing new is observed (infinity: never).
    """

    verdicts: Mapping[str, Verdict]
    changes: tuple[Change, ...]
    alarms: tuple[Alarm, ...]
    due: float
