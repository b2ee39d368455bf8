"""When requests come: one function from one arrival to the next, whatever the process."""

from __future__ import annotations

from collections.abc import Callable

from forebay.balance.numbers import log
from forebay.simulate.draws import Draw
from forebay.simulate.scenario import Arrivals, Bursts, Poisson, Recorded
from forebay.types import Malformed

Next = Callable[[], float | None]
"""The time of the next arrival in seconds, or None when no more come."""


def open_arrivals(arrivals: Arrivals, uniform: Draw) -> Next:
    """The times of requests that come whatever the answers; for `Closed` there is none, its clients come by themselves."""
    if isinstance(arrivals, Poisson):
        return _poisson(arrivals.rate, uniform)
    if isinstance(arrivals, Bursts):
        return _bursts(arrivals, uniform)
    if isinstance(arrivals, Recorded):
        return _recorded(arrivals.times)
    return lambda: None


def _poisson(rate: float, uniform: Draw) -> Next:
    if not 0.0 < rate < float("inf"):
        raise Malformed(f"{rate} requests a second: it must be above 0 and finite")
    at = 0.0

    def following() -> float:
        nonlocal at
        at -= log(1.0 - uniform()) / rate
        return at

    return following


def _bursts(bursts: Bursts, uniform: Draw) -> Next:
    if bursts.quiet < 0.0 or bursts.busy <= 0.0 or bursts.quiet_lasts <= 0.0 or bursts.busy_lasts <= 0.0:
        raise Malformed("bursts need a rate above 0 and turns that last", "write Bursts(quiet=100, busy=1000)")
    at, busy, turn_ends = 0.0, False, -bursts.quiet_lasts * log(1.0 - uniform())

    def following() -> float:
        nonlocal at, busy, turn_ends
        while True:
            rate = bursts.busy if busy else bursts.quiet
            # Arrivals have no memory: what would come after the turn's end is drawn anew in the next turn, at its rate.
            if rate > 0.0:
                at_next = at - log(1.0 - uniform()) / rate
                if at_next <= turn_ends:
                    at = at_next
                    return at
            at, busy = turn_ends, not busy
            turn_ends -= (bursts.busy_lasts if busy else bursts.quiet_lasts) * log(1.0 - uniform())

    return following


def _recorded(times: tuple[float, ...]) -> Next:
    left = iter(times)
    return lambda: next(left, None)
