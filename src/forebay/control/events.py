"""What has happened, in order: a bounded list that the admin API, the log and the counters are all fed from, so that they agree."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, Literal

KEPT: Final = 4096
"""Events that are kept; the oldest go first."""

Kind = Literal["status", "promoted", "failed_back", "all_down", "recovered", "retry_budget", "hold", "operator", "alarm", "reload"]

_GRAVE: Final = frozenset({"all_down", "recovered", "retry_budget", "promoted", "failed_back", "alarm"})

_log = logging.getLogger("forebay.health")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `seq` grows by one with each, from 1; `at` is the wall clock in seconds; `endpoint` is None where it is
    about a whole pool, and `pool` too where it is about the gateway. `before` and `after` are statuses, tiers or numbers, by kind.
    """

    seq: int
    at: float
    kind: Kind
    pool: str | None
    endpoint: str | None
    before: str | None
    after: str | None
    reason: str | None
    text: str

    def json(self) -> dict[str, Any]:
        """As the admin API tells it: `before` and `after` are called `from` and `to`."""
        value = asdict(self)
        value["from"], value["to"] = value.pop("before"), value.pop("after")
        return value

    @property
    def line(self) -> str:
        """For the log: `app/10.0.0.1:80: healthy -> down: 2 probes failed in a row, the last: connect_refused`."""
        subject = "/".join(part for part in (self.pool, self.endpoint) if part)
        change = f"{self.before} -> {self.after}" if self.before and self.after else ""
        return ": ".join(part for part in (subject, change, self.text) if part)


class Events:
    """The list. Every method may be called from any thread."""

    def __init__(self, wall: Callable[[], float], kept: int = KEPT) -> None:
        self._wall = wall
        self._events: deque[Event] = deque(maxlen=kept)
        self._changed = threading.Condition()
        self._watchers: list[Callable[[], None]] = []
        self._counts: Counter[str] = Counter()
        self._last = 0
        self.closed = False

    def note(  # noqa: PLR0913 - the parts of an event
        self,
        kind: Kind,
        text: str,
        *,
        pool: str | None = None,
        endpoint: str | None = None,
        change: tuple[str | None, str | None] = (None, None),
        reason: str | None = None,
        age: float = 0.0,
    ) -> Event:
        """Keep an event that happened `age` seconds ago, log it as one line and tell who watches."""
        with self._changed:
            self._last += 1
            event = Event(self._last, self._wall() - age, kind, pool, endpoint, *change, reason, text)
            self._events.append(event)
            self._counts[kind] += 1
            watchers = list(self._watchers)
        _log.log(logging.WARNING if _grave(event) else logging.INFO, "%s", event.line)
        for tell in watchers:
            tell()
        return event

    def since(self, seq: int = 0, limit: int = KEPT) -> list[Event]:
        """Those after that number, the oldest first, at most `limit`."""
        with self._changed:
            # They lie in order without gaps: the first wanted one is found by its distance from the end.
            wanted = min(max(self._last - seq, 0), len(self._events))
            start = len(self._events) - wanted
            return list(islice(self._events, start, start + max(limit, 0)))

    def latest(self, limit: int) -> list[Event]:
        """The last ones, the oldest of them first."""
        return self.since(self.last - limit, limit)

    @property
    def last(self) -> int:
        """The number of the last event; 0 before the first."""
        return self._last

    @property
    def counts(self) -> Mapping[str, int]:
        """How many there were of each kind since the start, those no longer kept included."""
        with self._changed:
            return dict(self._counts)

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have `tell` called after each event, on the thread that it happens on; returns what ends that."""
        with self._changed:
            self._watchers.append(tell)

        def end() -> None:
            with self._changed:
                self._watchers.remove(tell)

        return end

    def close(self) -> None:
        """There will be no more: who watches is told a last time."""
        self.closed = True
        for tell in list(self._watchers):
            tell()


def _grave(event: Event) -> bool:
    """What an operator should read of without asking: that something went wrong, and that it is over."""
    return event.kind in _GRAVE or bool({event.before, event.after} & {"down", "ejected"})
