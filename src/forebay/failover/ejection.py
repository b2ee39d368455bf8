"""Judging endpoints by their answers: a rate of errors that their peers do not have, or a latency out of their peers' range.

**Errors** are weighed answer by answer (Wald's sequential test, as a CUSUM that never falls below 0): against the peers' rate, an error
speaks for a failing endpoint and a good answer against it. Past `SUSPECT` it gets no new request while its peers answer; past `EJECT` it
is left out; both only if, over the same answers, its rate is surely above its peers' (Wilson bounds that do not overlap). At 1 % of
errors, an endpoint with 30 % is found after some 25 answers, and one without fault about never: the chance for each error that begins a
series is below exp(-EJECT + ln(1/0.01)), 10^-7.

**Latency** is compared by the mean of its logarithm, which single slow answers hardly move, with the peers' median and the median
deviation from it, from two endpoints up.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

SUSPECT: Final = 11.0
EJECT: Final = 20.0
LEAST_RATE: Final = 0.01
"""Errors that are never held against anybody, as a share of answers."""
HORIZON: Final = 30.0
"""Seconds over which peers are looked at."""
SURE: Final = 2.0
"""Standard deviations of the bounds that must not overlap."""
WORSE: Final = 0.3
"""How much worse than its peers a failing endpoint is taken to be, of what is left to 1."""
LATENCY_WINDOW: Final = 1.0
"""Seconds of answers whose latency is looked at."""
SLOWER: Final = math.log(3)
"""Three times the peers' latency is within their range, whatever that is."""
DEVIATIONS: Final = 4.0
_NORMAL: Final = 1.4826
"""What a median deviation is multiplied with to be a standard deviation, for a normal distribution."""
_LEAST_LATENCIES: Final = 16
_SLICE: Final = 0.1
"""Seconds that are kept as one in the history."""


def wilson(failed: float, total: float, deviations: float = SURE) -> tuple[float, float]:
    """The bounds of a rate of which `failed` of `total` were seen (Wilson 1927). (0, 1) where nothing was."""
    if total <= 0:
        return 0.0, 1.0
    rate, square = failed / total, deviations * deviations
    middle = rate + square / (2 * total)
    spread = deviations * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total))
    low, high = (middle - spread) / (1 + square / total), (middle + spread) / (1 + square / total)
    return max(0.0, min(rate, low)), min(1.0, max(rate, high))


class History:
    """Cumulative sums over time, back to `HORIZON`."""

    __slots__ = ("_sums", "_times", "total")

    def __init__(self, width: int) -> None:
        self.total = [0.0] * width
        self._times: list[float] = []
        self._sums: list[tuple[float, ...]] = []

    def add(self, more: Sequence[float], now: float) -> None:
        """Count something more that has just happened."""
        if not self._times or now - self._times[-1] >= _SLICE:
            self._times.append(now)
            self._sums.append(tuple(self.total))
            if len(self._times) > 4 * HORIZON / _SLICE or self._times[0] < now - 2 * HORIZON:
                cut = bisect_right(self._times, now - HORIZON)
                del self._times[: max(cut - 1, 0)], self._sums[: max(cut - 1, 0)]
        for place, each in enumerate(more):
            self.total[place] += each

    def since(self, then: float) -> tuple[float, ...]:
        """What was counted from `then` on, or as far back as is known: from the end of a slice that had begun before."""
        place = bisect_right(self._times, then)
        if place >= len(self._times):
            return self._beyond(then)
        return tuple(now - before for now, before in zip(self.total, self._sums[place], strict=True))

    def _beyond(self, then: float) -> tuple[float, ...]:
        """Later than the last slice's beginning: all of that slice where it began just then."""
        if self._times and then - self._times[-1] < _SLICE:
            return tuple(now - before for now, before in zip(self.total, self._sums[-1], strict=True))
        return (0.0,) * len(self.total)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an endpoint. `grave` is whether it is to be left out, and not only to be spared; `text` says why, with figures."""

    grave: bool
    slow: bool
    text: str


class Series:
    """What is known of one endpoint's answers: answers, failed ones, good ones, and the sum of these' ln(seconds)."""

    __slots__ = ("began", "history", "score")

    def __init__(self) -> None:
        self.history = History(4)
        self.score = 0.0
        self.began = 0.0

    def forget(self, now: float) -> None:
        """Begin anew: it was left out, or comes back."""
        self.score, self.began, self.history = 0.0, now, History(4)


class Peers:
    """The answers of a tier's endpoints, compared with one another."""

    def __init__(self, min_requests: int) -> None:
        self.min_requests = min_requests
        self._series: dict[str, Series] = {}
        self._all = History(2)
        self._fresh: dict[str, tuple[float, float]] = {}
        self._tense: set[str] = set()

    def join(self, endpoint: str) -> None:
        """Have one more to compare."""
        self._series.setdefault(endpoint, Series())

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._series

    def leave(self, endpoint: str) -> None:
        """Have it compared no more; what it has answered stays in its peers' past."""
        self._series.pop(endpoint, None)
        self._fresh.pop(endpoint, None)
        self._tense.discard(endpoint)

    def forget(self, endpoint: str, now: float) -> None:
        """What it has answered so far is no longer held against it."""
        self._series[endpoint].forget(now)
        self._tense.discard(endpoint)

    def add(self, endpoint: str, answered: int, failed: int, logarithms: float, now: float) -> None:
        """So many answers more, of which so many failed; `logarithms` is the sum of ln(seconds) over the good ones."""
        series = self._series[endpoint]
        series.history.add((answered, failed, answered - failed, logarithms), now)
        self._all.add((answered, failed), now)
        before = self._fresh.get(endpoint, (0.0, 0.0))
        self._fresh[endpoint] = (before[0] + answered, before[1] + failed)

    def judge(self, now: float) -> dict[str, Finding]:
        """What is wrong with those that have answered since the last time."""
        found = {}
        fresh, self._fresh = self._fresh, {}
        for endpoint, (answered, failed) in fresh.items():
            finding = self._errors(endpoint, answered, failed, now) or self._latency(endpoint, now)
            if finding is not None:
                found[endpoint] = finding
        return found

    def score(self, endpoint: str) -> float:
        """How much speaks for its failing, from 0; see `SUSPECT` and `EJECT`."""
        return self._series[endpoint].score

    @property
    def tense(self) -> bool:
        """Whether enough speaks against somebody to look again soon."""
        return bool(self._tense)

    def _others(self, endpoint: str, then: float) -> tuple[float, float]:
        whole, own = self._all.since(then), self._series[endpoint].history.since(then)
        # The two are cut at slices of their own, so that some answers may be on one side only.
        answered = max(0.0, whole[0] - own[0])
        return answered, min(answered, max(0.0, whole[1] - own[1]))

    def _errors(self, endpoint: str, answered: float, failed: float, now: float) -> Finding | None:
        series = self._series[endpoint]
        answered_elsewhere, failed_elsewhere = self._others(endpoint, now - HORIZON)
        if answered_elsewhere < self.min_requests:
            series.score = 0.0
            self._tense.discard(endpoint)
            return None
        usual = min(0.5, max(LEAST_RATE, (failed_elsewhere + 1) / (answered_elsewhere + 100)))
        failing = usual + WORSE * (1 - usual)
        weight = failed * math.log(failing / usual) + (answered - failed) * math.log((1 - failing) / (1 - usual))
        if series.score == 0.0:
            series.began = now
        series.score = min(max(0.0, series.score + weight), 2 * EJECT)
        (self._tense.add if series.score > SUSPECT / 3 else self._tense.discard)(endpoint)
        if series.score < SUSPECT:
            return None
        own = series.history.since(series.began)
        peers = self._others(endpoint, series.began)
        if own[0] < self.min_requests or peers[0] == 0 or wilson(own[1], own[0])[0] <= wilson(peers[1], peers[0])[1]:
            return None
        text = f"{own[1]:g} of {own[0]:g} answers failed, and {peers[1]:g} of {peers[0]:g} of its peers'"
        return Finding(series.score >= EJECT, slow=False, text=text)

    def _latency(self, endpoint: str, now: float) -> Finding | None:
        least = max(self.min_requests, _LEAST_LATENCIES)
        own = self._mean(endpoint, now - LATENCY_WINDOW, least)
        if own is None:
            return None
        others = [self._mean(each, now - HORIZON / 3, least) for each in self._series if each != endpoint]
        known = [each for each in others if each is not None]
        if not known:
            return None
        middle = median(known)
        spread = _NORMAL * median(abs(each - middle) for each in known)
        if own - middle <= max(SLOWER, DEVIATIONS * spread):
            return None
        return Finding(grave=False, slow=True, text=f"it takes {_time(own)}, and its peers {_time(middle)}")

    def _mean(self, endpoint: str, then: float, least: int) -> float | None:
        _, _, good, logarithms = self._series[endpoint].history.since(then)
        return logarithms / good if good >= least else None


def _time(logarithm: float) -> str:
    seconds = math.exp(logarithm)
    return f"{seconds:.3g}s" if seconds >= 1 else f"{seconds * 1000:.3g}ms"


@dataclass(slots=True)
class Sentence:
    """How long an endpoint is left out: `base` seconds, doubled for each time in a row, up to `max`; it begins anew for one that has
    served for four times as long as it was left out, and for a minute at least.
    """

    base: float
    longest: float
    times: int = 0
    until: float = -math.inf
    lasted: float = 0.0

    def next(self, now: float) -> float:
        """Until when it is left out this time."""
        if now > self.until + max(60.0, 4 * self.lasted):
            self.times = 0
        self.lasted = min(self.longest, self.base * 2.0 ** min(self.times, 60))
        self.times += 1
        self.until = now + self.lasted
        return self.until


def most_out(members: int, share: float) -> int:
    """How many of a tier's endpoints judgements may leave out: the share rounded down, but one at least and never all; none where the
    share is 0.
    """
    return 0 if share <= 0 else max(0, min(max(1, math.floor(share * members + 1e-9)), members - 1))
