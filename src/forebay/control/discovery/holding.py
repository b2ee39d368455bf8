"""What is held of one source: pure rules, with the time as an argument.

| answer | what becomes of what was good |
|---|---|
| as before, or more | in force at once |
| some changed | the new at once; what is gone leaves `LINGER` later |
| fewer than half as many | all stay until it has been said for `grace`; then what is gone leaves |
| none (NXDOMAIN, empty) | all stay until it has been said for `grace`; then they leave |
| no answer (time-out, SERVFAIL, REFUSED, nonsense) | all stay, however long |
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Generic, Literal, TypeVar

from forebay.control.discovery.answers import Answer, Failed, Found, Nothing

T = TypeVar("T")

State = Literal["waiting", "fresh", "stale", "held", "empty"]
"""`waiting` for the first answer, `fresh`, `stale` (in force, but not confirmed by the last answer), `held` (the last answer is not
believed yet), `empty` (nothing is known).
"""

FIRST_RETRY: Final = 0.5
LONGEST_RETRY: Final = 30.0
UNTIMED: Final = 30.0
LINGER: Final = 1.0
WAITING: Final = "the first look-up is still running"


@dataclass(frozen=True, slots=True)
class Limits:
    """The shortest and longest time between two look-ups, and the grace, in seconds. What is `watched` answers when it changes."""

    min_ttl: float
    max_ttl: float
    grace: float
    watched: bool = False


@dataclass(slots=True)
class Holding(Generic[T]):
    """The items of one source. `at` is when they were last confirmed; `doubted` is since when another answer is not believed.

    `in_force` is all that may serve: what is new in an answer that is held, what was found, and what is on its way out; the same object
    until it changes.
    """

    limits: Limits
    items: tuple[T, ...] = ()
    in_force: tuple[T, ...] = ()
    at: float = -inf
    error: str | None = WAITING
    due: float = -inf
    asked: float = -inf
    asking: bool = False
    doubted: float = inf
    answered: bool = False
    smaller: bool = False
    _retry: float = FIRST_RETRY
    _again: bool = False
    _extra: tuple[T, ...] = ()
    _leaving: dict[T, float] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """How good it is."""
        if not self.items:
            return "empty" if self.answered else "waiting"
        if self.smaller or self.doubted < inf:
            return "held"
        return "fresh" if self.error is None else "stale"

    @property
    def next(self) -> float:
        """When there is something to do."""
        return min(min(self._leaving.values(), default=inf), inf if self.asking else self.due)

    def age(self, now: float) -> float:
        """Seconds since the items were last confirmed; infinity where they never were. What is watched is confirmed all the time."""
        return 0.0 if self.limits.watched and self.error is None and self.answered else now - self.at

    def remember(self, items: Iterable[T], at: float) -> None:
        """Take up what an earlier process knew, confirmed last at `at` (this process's clock, so maybe before its zero)."""
        self.items, self.at = tuple(items), at
        self._refresh()

    def ask(self, now: float) -> None:
        """Note that a look-up has been sent out."""
        self.asking, self.asked = True, now

    def doubt(self, now: float) -> None:
        """Look it up again at once: something it named cannot be reached. Never more often than `min_ttl`."""
        self._again = self.asking  # the answer on its way may be older than what has just been seen
        self.due = min(self.due, max(now, self.asked + self.limits.min_ttl))

    def take(self, answer: Answer[T], now: float) -> None:
        """Take in an answer."""
        if self.limits.watched and self.error is None and self.answered:
            self.at = now  # what was said before held until this moment
        self.asking, self.answered = False, True
        if isinstance(answer, Found) and answer.items:
            self._found(answer, now)
        else:
            self.error = answer.why if isinstance(answer, Nothing | Failed) else "it has none"
            self.due, self._retry = now + self._retry, min(2 * self._retry, LONGEST_RETRY, max(self.limits.max_ttl, FIRST_RETRY))
            if not isinstance(answer, Failed):
                self._emptied(now)
        if self.limits.watched:
            self.due = self.doubted + self.limits.grace
        elif self._again:
            self._again, self.due = False, min(self.due, max(now, self.asked + self.limits.min_ttl))

    def leave(self, now: float, *, ready: bool = True) -> None:
        """Let go what has lingered; while what came instead is not `ready`, nothing goes."""
        if not self._leaving:
            return
        if ready:
            self._leaving = {item: until for item, until in self._leaving.items() if now < until}
            self._refresh()
        else:
            self._leaving = {item: max(until, now + LINGER) for item, until in self._leaving.items()}

    def _found(self, answer: Found[T], now: float) -> None:
        items = tuple(dict.fromkeys(answer.items))
        ttl = min(UNTIMED, self.limits.max_ttl) if answer.ttl is None else answer.ttl
        self.due = now + min(max(ttl, self.limits.min_ttl), self.limits.max_ttl)
        self.error, self._retry = None, FIRST_RETRY
        if 2 * len(items) < len(self.items) and self._within_grace(now, smaller=True):
            self.error = f"it names {len(items)} where it named {len(self.items)}; that is believed after {self._left(now):.0f} s"
            # What is new serves already; only what would go is held.
            self._replace(self.items, tuple(item for item in items if item not in self.items), now)
            return
        self._settle(items, now)
        self.at = now

    def _emptied(self, now: float) -> None:
        if self.items and not self._within_grace(now, smaller=False):
            self._settle((), now)

    def _within_grace(self, now: float, *, smaller: bool) -> bool:
        """Whether an answer that takes much away is still too young; it is asked for again when it no longer is."""
        if self.doubted == inf:
            self.doubted = now
        self.smaller = smaller
        if now - self.doubted >= self.limits.grace:
            return False
        self.due = min(self.due, self.doubted + self.limits.grace)
        return True

    def _settle(self, items: tuple[T, ...], now: float) -> None:
        self._replace(items, (), now)
        self.doubted, self.smaller = inf, False

    def _replace(self, items: tuple[T, ...], extra: tuple[T, ...], now: float) -> None:
        if (items, extra) == (self.items, self._extra):
            return
        before, after = (*self.items, *self._extra), {*items, *extra}
        self._leaving = {item: until for item, until in self._leaving.items() if item not in after}
        self._leaving |= {item: now + LINGER for item in before if item not in after}
        self.items, self._extra = items, extra
        self._refresh()

    def _refresh(self) -> None:
        in_force = tuple(dict.fromkeys((*self._extra, *self.items, *self._leaving)))
        if in_force != self.in_force:
            self.in_force = in_force

    def _left(self, now: float) -> float:
        return self.doubted + self.limits.grace - now
