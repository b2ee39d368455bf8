"""What probes may do: when failed ones take an endpoint out, and when live answers or their number forbid it.

A failed probe is evidence, which an endpoint's live answers outrank: while it answers requests, its probes may fail. A refused
connection is a fact. All others may take out only a third of a pool within `WINDOW`, unless live requests fail too: probes that fail
everywhere tell more of the probes. A probe answered 503 is the server's own word; a third of a pool is believed at once, and never the
last endpoint.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

WINDOW: Final = 10.0
"""Seconds in which probes may take out a third of a pool."""
SETTLED: Final = 0.5
"""Seconds after the first failed probe at which live answers tell whether the endpoint still answers."""
LAG: Final = 0.3
"""Seconds by which an answer may be older than the moment at which it is counted."""
RECENT: Final = 10.0
"""Seconds for which a live answer speaks for an endpoint."""
REFUSED: Final = "connect_refused"
UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe's outcome: why it did not pass, in words or as a cause (None: it passed), and the status of an answer over HTTP."""

    fault: str | None
    status: int | None = None

    @property
    def draining(self) -> bool:
        """The server itself says that it is not available."""
        return self.fault is not None and self.status == UNAVAILABLE


@dataclass(slots=True)
class Evidence:
    """What speaks for and against one endpoint: its probes in a row, and when it last answered requests, well and badly."""

    passed: int = 0
    failed: int = 0
    first_failed: float = math.inf
    fault: str | None = None
    refused: bool = False
    draining: bool = False
    answered: float = -math.inf
    erred: float = -math.inf

    def add(self, probed: Probed, at: float) -> None:
        """Count a probe."""
        if probed.fault is None:
            self.passed, self.failed, self.first_failed = self.passed + 1, 0, math.inf
            self.refused = self.draining = False
            return
        self.passed, self.failed = 0, self.failed + 1
        self.first_failed = min(self.first_failed, at)
        self.fault, self.refused, self.draining = probed.fault, probed.fault == REFUSED, probed.draining

    def live(self, good: int, bad: int, at: float) -> None:
        """Count answers to requests."""
        if good:
            self.answered = at
        if bad:
            self.erred = at

    def settles(self) -> float:
        """When live answers have told whether failed probes are right: at once where there were none lately."""
        return self.first_failed + SETTLED if self.answered > self.first_failed - 2.0 else self.first_failed

    def outranked(self, now: float) -> bool:
        """Whether live answers since the first failed probe speak for the endpoint."""
        return self.answered > self.first_failed + LAG and self.answered > now - RECENT

    @property
    def confirmed(self) -> bool:
        """Whether live requests have failed too, and none succeeded since."""
        return self.erred > self.first_failed - 1.0 and self.erred > self.answered


class Velocity:
    """How many endpoints probes have taken out lately."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def allows(self, members: int, now: float) -> bool:
        """Whether one more may be taken out of a pool of so many."""
        while self._taken and self._taken[0] <= now - WINDOW:
            self._taken.popleft()
        return len(self._taken) < share_of(members)

    def take(self, now: float) -> None:
        """One more is taken out."""
        self._taken.append(now)

    @property
    def due(self) -> float:
        """When the next one may be, where none may now."""
        return self._taken[0] + WINDOW if self._taken else -math.inf


def share_of(members: int) -> int:
    """A third of a pool, but one endpoint at least."""
    return max(1, members // 3)
