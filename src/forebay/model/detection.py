"""What a fault of one endpoint costs under a pool's own settings: the seconds until it gets no more requests, and the requests that are
lost.

Requests come to the endpoint at random (Poisson) at `rate` a second and each takes `latency` seconds. An endpoint is found out by whichever
is first: its own answers (failures in a row, or one that takes too long), or its probes. A worst case is what 999 of 1,000 faults stay
within.

Requests on their way when it happens, by Little's law, are rate * latency; until it is found out, rate * seconds more go there. Of these
the repeatable ones are answered by others, as long as the attempts and the budget for repeating last. One that may not run twice is lost
where it had been sent; where connecting is refused it had not, and is repeated too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from forebay.types import Malformed

Times = NDArray[np.float64]
Fault = Literal["crash", "freeze", "slow"]
FAULTS: Final[tuple[Fault, ...]] = ("crash", "freeze", "slow")
"""Its process dies and its port refuses; it accepts and never answers, as a stopped process; it takes SLOWER times as long."""
SLOWER: Final = 10.0
SURE: Final = 0.999
JITTER: Final = 0.1
"""Two probes are an interval apart, give or take this share of it."""
BUCKET: Final = 100.0
REFILL: Final = 3.0
"""Repetitions that a pool may make at once, and those that each second adds."""

_GRID: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """Probes of one endpoint: seconds between two, seconds that one may take, and how many failed ones in a row take it out."""

    interval: float
    timeout: float
    fall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What one endpoint is exposed to, and what its pool does about it. Times in seconds; None is: not at all.

    `rate` and `total` (requests a second, to it and to the pool), `latency` (of an answer), `consecutive` (failures in a row that take it
    out), `attempts` (in all), `budget` (repetitions per request), `racing` (after which a second attempt is begun; after `doubts` of these
    in a row without a word from the endpoint no new request goes there), `patience` (after which a silent one is given up), `compared`
    (answers after which it is compared with its peers), `probing`, and `others` (whether another endpoint can take over).

    Raises Malformed for a rate or a latency that is not above 0.
    """

    rate: float
    total: float
    latency: float
    consecutive: int = 3
    attempts: int = 3
    budget: float = 0.2
    racing: float | None = None
    doubts: int = 3
    patience: float | None = 60.0
    compared: int | None = 10
    probing: Probing | None = None
    others: bool = True

    def __post_init__(self) -> None:
        for name in ("rate", "total", "latency"):
            if not 0 < getattr(self, name) < math.inf:
                raise Malformed(f"a {name} of {getattr(self, name):g} makes no sense", "give a number above 0")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as it is in the mean, and in the worst case."""

    expected: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a fault costs: seconds until it gets no more requests, and by what that is (`answers` or `probes`, in the mean the first).

    `repeatable` and `once` are the requests lost if all may run twice (GET), and if none may (POST). `slowest` is how long a repeatable
    request then takes at most, in seconds; infinite where nothing ends it.
    """

    fault: Fault
    seconds: Figure
    by: str
    repeatable: Figure
    once: Figure
    slowest: float


def cost(fault: Fault, pool: Exposure) -> Cost:
    """What this fault costs. Check: 16 clients and 3 endpoints of 20 ms, one killed: 16/3 = 5.3 requests that may not run twice."""
    by_answers, by_probes = _answers(fault, pool), _probes(fault, pool)
    seconds = Figure(_mean_of_first(by_answers, by_probes), min(by_answers.worst, by_probes.worst))
    by = "answers" if by_answers.mean <= by_probes.mean else "probes"
    sent = Figure(pool.rate * (seconds.expected + pool.latency), _most(pool.rate * (seconds.worst + pool.latency)))
    return Cost(
        fault=fault,
        seconds=seconds,
        by=by if math.isfinite(seconds.expected) else "nothing",
        repeatable=_lost_repeatable(fault, pool, seconds, sent),
        once=_lost_once(fault, pool, seconds, sent),
        slowest=_slowest(fault, pool, seconds),
    )


@dataclass(frozen=True, slots=True)
class _Wait:
    """A random time: the probability that it is longer than each of some times, its mean, and its worst case."""

    longer: Callable[[Times], Times]
    mean: float
    worst: float


_NEVER: Final = _Wait(np.ones_like, math.inf, math.inf)


def kth_request(k: int, rate: float, before: float) -> _Wait:
    """How long after a fault the k-th request comes of those that it meets: those of the last `before` seconds count, and come at once."""
    return _Wait(
        lambda t: _fewer(k, rate * (before + t)),
        math.fsum((k - j) * _exactly(j, rate * before) for j in range(k)) / rate,
        max(0.0, _surely(k) / rate - before),
    )


def _answers(fault: Fault, pool: Exposure) -> _Wait:
    if fault == "crash":
        return kth_request(pool.consecutive, pool.rate, pool.latency)
    if fault == "freeze":
        # Each request that meets it is looked at once it has taken too long: the last of so many decides.
        if pool.racing is not None:
            return _later(kth_request(pool.doubts, pool.rate, 0.0), pool.racing - pool.latency)
        return _NEVER if pool.patience is None else _later(kth_request(pool.consecutive, pool.rate, 0.0), pool.patience - pool.latency)
    # It still answers: only beside its peers it is seen to be slow.
    return _NEVER if pool.compared is None else _later(kth_request(pool.compared, pool.rate, 0.0), SLOWER * pool.latency)


def _probes(fault: Fault, pool: Exposure) -> _Wait:
    probing = pool.probing
    if probing is None or (fault == "slow" and SLOWER * pool.latency <= probing.timeout):
        return _NEVER
    answered = 0.0 if fault == "crash" else probing.timeout
    certain = (probing.fall - 1) * probing.interval + answered
    # The first of them comes at any moment of an interval.
    return _Wait(
        lambda t: np.clip(1 - (t - certain) / probing.interval, 0.0, 1.0),
        certain + probing.interval / 2,
        probing.fall * probing.interval * (1 + JITTER) + answered,
    )


def _later(wait: _Wait, seconds: float) -> _Wait:
    """The same, so many seconds later; a limit shorter than the answers themselves is met at once."""
    more = max(0.0, seconds)
    return _Wait(lambda t: np.where(t >= more, wait.longer(np.maximum(t - more, 0.0)), 1.0), wait.mean + more, wait.worst + more)


def _mean_of_first(one: _Wait, other: _Wait) -> float:
    """The mean of the smaller of two independent times: the integral of the probability that both are longer."""
    if math.isinf(one.mean) or math.isinf(other.mean):
        return min(one.mean, other.mean)
    moments = np.linspace(0.0, min(one.worst, other.worst) * 1.5 + 1e-9, _GRID)
    return float(np.trapezoid(one.longer(moments) * other.longer(moments), moments))


def _lost_repeatable(fault: Fault, pool: Exposure, seconds: Figure, sent: Figure) -> Figure:
    if fault == "slow" and not _is_cut(pool):
        return Figure(0.0, 0.0)
    if not pool.others or pool.attempts == 1:
        return sent
    return Figure(_beyond_budget(pool, seconds.expected, sent.expected), _beyond_budget(pool, seconds.worst, sent.worst))


def _lost_once(fault: Fault, pool: Exposure, seconds: Figure, sent: Figure) -> Figure:
    if fault == "slow":
        return sent if _is_cut(pool) else Figure(0.0, 0.0)
    if fault == "freeze" or not pool.others or pool.attempts == 1:
        return sent
    # Those on their way break; those that come later are refused before they are sent, and repeated.
    broken = Figure(pool.rate * pool.latency, _most(pool.rate * pool.latency))
    return Figure(
        broken.expected + _beyond_budget(pool, seconds.expected, sent.expected - broken.expected),
        broken.worst + _beyond_budget(pool, seconds.worst, max(0.0, sent.worst - broken.worst)),
    )


def _slowest(fault: Fault, pool: Exposure, seconds: Figure) -> float:
    if fault == "crash":
        return 2 * pool.latency
    if pool.attempts > 1 and pool.others and pool.racing is not None:
        return min(pool.racing, SLOWER * pool.latency if fault == "slow" else math.inf) + pool.latency
    if fault == "slow":
        return SLOWER * pool.latency
    # It ends when the endpoint is proven dead by its probes, or when patience does.
    proven = seconds.worst if pool.probing is not None else math.inf
    return min(proven, math.inf if pool.patience is None else pool.patience) + pool.latency


def _is_cut(pool: Exposure) -> bool:
    """Whether a slow answer takes longer than it may."""
    return pool.patience is not None and SLOWER * pool.latency > pool.patience


def _beyond_budget(pool: Exposure, seconds: float, repeated: float) -> float:
    """Those of so many repetitions within so many seconds that the pool's budget does not hold."""
    return max(0.0, repeated - BUCKET - (REFILL + pool.budget * pool.total) * seconds) if math.isfinite(seconds) else repeated


def _exactly(count: int, mean: float) -> float:
    """P(N = count) of a Poisson number."""
    if mean == 0:
        return float(count == 0)
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


def _fewer(count: int, means: Times) -> Times:
    """P(N < count) of Poisson numbers with these means, shape (n,)."""
    each = np.arange(count)
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count)))))
    positive = np.maximum(means, np.finfo(float).tiny)[:, np.newaxis]
    return np.asarray(np.minimum(1.0, np.exp(each * np.log(positive) - positive - factorials).sum(axis=1)), dtype=np.float64)


def _surely(count: int) -> float:
    """The mean of a Poisson number that is `count` or more in SURE of all cases."""
    low, high = 0.0, 10.0 * count + 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _fewer(count, np.array([middle]))[0] <= 1 - SURE else (middle, high)
    return high


def _most(mean: float) -> float:
    """The number that a Poisson one of this mean does not exceed in SURE of all cases."""
    if math.isinf(mean) or mean > 1e4:  # noqa: PLR2004 - by then the deviation is under a twentieth
        return mean + 3.1 * math.sqrt(mean) if math.isfinite(mean) else mean
    count, reached = 0, _exactly(0, mean)
    while reached < SURE:
        count += 1
        reached += _exactly(count, mean)
    return float(count)
