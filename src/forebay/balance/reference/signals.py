"""What a pool learns about its endpoints, in plain Python: the measure of the engine's, which equals it number for number.

The default policy sends a request where `(inflight + 1) * service_time / weight` is least. If `service_time` were exact, that would be
the shortest expected delay. It is an estimate, and estimates do harm in three ways: noise makes equal servers look unequal, what
is in flight is taken for a server's speed, and picks are steered faster than the requests in flight can follow. So:

1. **Compared at the same number in flight.** `latency / inflight` suits a server of one worker; with many workers, or with long bodies
   in flight, latency hardly depends on what is in flight, and dividing makes the busy endpoint look fast. The pool keeps its mean
   latency by in-flight at arrival (bins of half an octave), and a sample is `latency / that mean`: 1 is as fast as the pool, 4 four
   times slower. A sample counts at most CLIP, so that a law of infinite variance has one.
2. **Equal until shown otherwise.** An endpoint's mean sample is compared with the pool's median. A difference below three standard
   errors is taken for none; beyond, it is shrunk by `1 - (3 / z)^2` (the positive part of James and Stein, "Estimation with quadratic
   loss", 1961, begun at three). On equal servers the policy is therefore exactly `least_connections`.
3. **No faster than the requests in flight.** A factor moves towards its estimate by half a step in the time that a request stays
   (Little: in flight / rate), since until then the picks that it causes are not seen.
4. **Errors are slow.** Each is as if it had taken ten times the pool's mean latency alone in flight. An error rate above the pool's
   median is shrunk like the factor. What is learned of latency comes from good answers only.
5. **Nothing stays unseen.** An endpoint that gets no request forgets (its samples count less and less, and its error rate stands for
   itself only while it had an answer lately), so that it comes back to the pool's median and gets one.

What servers say of themselves is believed for STALE seconds. By the metric `inflight` a server says how many requests it has from all its
gateways: those above what is in flight from here are the others', and policies read `inflight` as the sum of both. What is learned of
times is about requests from here, and leaves the others out.

Times are seconds on any clock; numbers are IEEE 754 binary64, and every step is one operation of it. An endpoint is a slot from 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

NEUTRAL: Final = 0.001
"""Seconds: what an endpoint is said to take in a pool that knows nothing yet. Not 0, so that nothing divides by it."""
WINDOW: Final = 128.0
"""Samples: an endpoint's mean is a plain mean up to here, then an exponential one."""
POOL_WINDOW: Final = 256.0
"""The same for the pool's mean latency of a bin."""
POOL_BEGINS: Final = 8.0
"""Samples: a bin begins with the pool's overall mean counted that many times."""
CLIP: Final = 32.0
"""How many times the pool's (or, of a slower endpoint, its own) latency a sample counts at most."""
SHORTEST: Final = 1e-6
"""Seconds: a shorter latency counts as this, so that no service time is 0, however coarse the clock."""
CERTAIN: Final = 3.0
"""Standard errors that a difference must exceed."""
SAME: Final = 0.02
"""A standard error that no number of samples goes below: servers are never measured better than this."""
NEAR: Final = 0.001
"""A factor this near 1 is 1, so that scores of equal endpoints are equal and ties are ties."""
PRIOR: Final = 8.0
"""Samples of variance 1 that the pool's variance begins with."""
FORGET: Final = 10.0
"""Seconds in which an endpoint without requests forgets; FORGET_ANSWERS mean latencies are added to them."""
FORGET_ANSWERS: Final = 64.0
FORGET_HELD: Final = 32.0
"""How many times longer an endpoint remembers that gets no request but has some in flight: a stream may stay for days."""
ERRORS_OVER: Final = 10.0
"""Seconds over which the error rate is a mean."""
ERROR: Final = 10.0
"""How many of the pool's latencies an error is worth."""
LEAST_SPREAD: Final = 0.01
"""Variance of one answer's being an error that is assumed at least: that of an error in a hundred."""
STALE: Final = 10.0
"""Seconds for which a report of a server's is believed."""
BINS: Final = 64
"""Two in each octave of a number in flight below 2 ** 32."""
MOST: Final = 2.0**31
"""Requests of other gateways that an endpoint is said to have at most."""
REFRESH: Final = 0.1
"""Seconds between two refreshes of the columns."""


@dataclass(slots=True)
class Endpoint:
    """What is known of one endpoint. Means are over the good answers."""

    samples: float = 0.0
    slow: float = 0.0  # mean of latency / the pool's at the same in-flight
    slow2: float = 0.0  # mean of its square
    share: float = 0.0  # mean of latency / in-flight at arrival, seconds
    latency: float = 0.0  # mean, seconds
    picks: float = 0.0  # since the last refresh
    answers: float = 0.0  # since the last refresh
    errors: float = 0.0  # since the last refresh
    answered: float = 0.0  # of the last ERRORS_OVER seconds
    failed: float = 0.0  # of the last ERRORS_OVER seconds
    estimate: float = 1.0  # how many times slower than the pool, shrunk
    factor: float = 1.0  # the same, moved no faster than requests in flight
    since: float = 0.0
    reported: float = -1.0  # when, or below zero for never
    load: float = 0.0
    others: float = 0.0  # in flight from other gateways, a whole number
    metrics: dict[str, float] = field(default_factory=dict)
    shown_latency: float = NEUTRAL
    shown_service: float = NEUTRAL
    shown_errors: float = 0.0


class Signals:
    """The columns of one pool. Call `refresh` every REFRESH seconds; between two, the columns stand still."""

    def __init__(self, count: int, now: float = 0.0) -> None:
        self.endpoints = [Endpoint(since=now) for _ in range(count)]
        self.bins = [0.0] * BINS  # mean latency by in-flight, of an endpoint as fast as the pool
        self.counts = [0.0] * BINS
        self.samples = 0.0
        self.latency = 0.0  # mean over all bins
        self.inflight = 1.0  # mean at arrival
        self.rate = 0.0  # picks a second
        self.errors = 0.0  # median of the error rates
        self.refreshed = now

    def joined(self, slot: int, now: float) -> None:
        """The endpoint is new, or has recovered: nothing is known of it."""
        latency, service = self._typical_latency(), self._typical_service()
        self.endpoints[slot] = Endpoint(since=now, shown_latency=latency, shown_service=service, shown_errors=self.errors)

    def picked(self, slot: int) -> None:
        """A request goes there."""
        self.endpoints[slot].picks += 1.0

    def answered(self, slot: int, latency: float, inflight: int, *, ok: bool) -> None:
        """An answer began, `latency` seconds after its pick; `inflight` is what was in flight there then, itself included.

        An answer that is not ok (a 5xx) counts as an error, and its latency says nothing.
        """
        if not ok:
            self.failed(slot)
            return
        endpoint = self.endpoints[slot]
        endpoint.answers += 1.0
        self._learn(endpoint, latency, inflight)

    def failed(self, slot: int) -> None:
        """An attempt ended without an answer, by the endpoint's fault. One that its client left is no news of the endpoint."""
        endpoint = self.endpoints[slot]
        endpoint.answers += 1.0
        endpoint.errors += 1.0

    def report(self, slot: int, now: float, load: float, metrics: Mapping[str, float], inflight: int = 0) -> None:
        """The server said how busy it is (0 to 1) and whatever else; believed for STALE seconds. `inflight` is what it has from here."""
        endpoint = self.endpoints[slot]
        endpoint.reported = now
        endpoint.load = load
        endpoint.metrics = dict(metrics)
        told = metrics.get("inflight", 0.0)
        endpoint.others = max(0.0, math.floor(min(told, MOST)) - float(inflight)) if told > inflight else 0.0

    def _learn(self, endpoint: Endpoint, latency: float, inflight: int) -> None:
        latency = max(SHORTEST, latency)
        plain = latency / endpoint.estimate
        self.samples = min(self.samples + 1.0, POOL_WINDOW)
        self.latency += (plain - self.latency) / self.samples
        self.inflight += (float(inflight) - self.inflight) / self.samples
        place = bin_of(inflight)
        if self.counts[place] == 0.0:
            self.bins[place] = self.latency
            self.counts[place] = POOL_BEGINS
        usual = self.bins[place]
        highest = CLIP * max(1.0, endpoint.factor)
        slow = min(latency / usual, highest)
        self.counts[place] = min(self.counts[place] + 1.0, POOL_WINDOW)
        self.bins[place] += (min(plain, CLIP * usual) - self.bins[place]) / self.counts[place]
        endpoint.samples = min(endpoint.samples + 1.0, WINDOW)
        endpoint.slow += (slow - endpoint.slow) / endpoint.samples
        endpoint.slow2 += (slow * slow - endpoint.slow2) / endpoint.samples
        endpoint.share += (latency / float(inflight) - endpoint.share) / endpoint.samples
        endpoint.latency += (latency - endpoint.latency) / endpoint.samples

    def refresh(self, now: float, inflight: Sequence[int]) -> None:
        """Set the columns anew; `inflight` by slot."""
        elapsed = now - self.refreshed
        if elapsed <= 0.0:
            return
        self.refreshed = now
        step = self._step(elapsed, float(sum(inflight)))
        self._forget(elapsed, inflight)
        median_slow = median([e.slow for e in self.endpoints if e.samples >= 1.0], 1.0)
        self.errors = median([error_rate(e) for e in self.endpoints if e.answered >= 1.0], 0.0)
        variance = self._variance()
        for endpoint in self.endpoints:
            _estimate(endpoint, median_slow, variance, step)
        service = self._typical_service()
        latency = self._typical_latency()
        penalty = ERROR * max(1.0, self.inflight)
        for endpoint in self.endpoints:
            excess = _excess(endpoint, self.errors)
            endpoint.shown_service = service * (endpoint.factor + excess * penalty)
            own = (endpoint.samples * endpoint.latency + latency) / (endpoint.samples + 1.0)
            endpoint.shown_latency = own + excess * ERROR * latency
            endpoint.shown_errors = _shown_errors(endpoint, self.errors)

    def _step(self, elapsed: float, total: float) -> float:
        """How far a factor may move: half of the way in the time that a request stays."""
        picks = 0.0
        for endpoint in self.endpoints:
            picks += endpoint.picks
        self.rate += (picks / elapsed - self.rate) * (elapsed / (elapsed + 1.0))
        if total <= 0.0:
            return 1.0
        # Little's law: a request stays total / rate seconds.
        return min(1.0, 0.5 * elapsed * self.rate / total)

    def _forget(self, elapsed: float, inflight: Sequence[int]) -> None:
        idle = FORGET + FORGET_ANSWERS * self.latency
        kept = idle / (idle + elapsed)
        kept_held = FORGET_HELD * idle / (FORGET_HELD * idle + elapsed)
        kept_errors = ERRORS_OVER / (ERRORS_OVER + elapsed)
        for slot, endpoint in enumerate(self.endpoints):
            if endpoint.picks == 0.0:
                endpoint.samples *= kept if inflight[slot] == 0 else kept_held
            endpoint.answered = endpoint.answered * kept_errors + endpoint.answers
            endpoint.failed = endpoint.failed * kept_errors + endpoint.errors
            endpoint.picks = 0.0
            endpoint.answers = 0.0
            endpoint.errors = 0.0

    def _variance(self) -> float:
        """Of a sample of an endpoint as fast as the pool: within each endpoint, and over all, so that no few samples claim certainty."""
        squares = PRIOR
        freedom = PRIOR
        for endpoint in self.endpoints:
            if endpoint.samples >= 1.0:
                spread = endpoint.slow2 - endpoint.slow * endpoint.slow
                if spread > 0.0:
                    squares += endpoint.samples * spread / (endpoint.factor * endpoint.factor)
                freedom += endpoint.samples - 1.0
        return squares / freedom

    def _typical_service(self) -> float:
        return median([e.share / e.factor for e in self.endpoints if e.samples > 0.0], NEUTRAL)

    def _typical_latency(self) -> float:
        return median([e.latency for e in self.endpoints if e.samples > 0.0], NEUTRAL)

    def columns(self, now: float) -> dict[str, list[float]]:
        """The columns by the name of their field; a reported metric by `reported:NAME`.

        A report older than STALE seconds counts as the median of the fresh ones, or 0 where there is none; its `others` are 0.
        A policy's `inflight` is the requests in flight from here and the `others`.
        """
        fresh = [now - e.reported <= STALE if e.reported >= 0.0 else False for e in self.endpoints]
        usual = median([e.load for e, good in zip(self.endpoints, fresh, strict=True) if good], 0.0)
        columns = {
            "latency": [e.shown_latency for e in self.endpoints],
            "service_time": [e.shown_service for e in self.endpoints],
            "error_rate": [e.shown_errors for e in self.endpoints],
            "age": [now - e.since for e in self.endpoints],
            "reported_load": [e.load if good else usual for e, good in zip(self.endpoints, fresh, strict=True)],
            "others": [e.others if good else 0.0 for e, good in zip(self.endpoints, fresh, strict=True)],
        }
        for name in sorted({name for e in self.endpoints for name in e.metrics}):
            usual = median([e.metrics[name] for e, good in zip(self.endpoints, fresh, strict=True) if good and name in e.metrics], 0.0)
            columns[f"reported:{name}"] = [
                e.metrics[name] if good and name in e.metrics else usual for e, good in zip(self.endpoints, fresh, strict=True)
            ]
        return columns


def bin_of(inflight: int) -> int:
    """The bin of a number in flight: 1, 2, 3, 4-5, 6-7, 8-11, 12-15 and so on, two in each octave."""
    octave = min(inflight, 2**31).bit_length() - 1
    if octave < 1:
        return 1
    return 2 * octave + ((inflight >> (octave - 1)) & 1)


def error_rate(endpoint: Endpoint) -> float:
    """Errors of all answers, 0 to 1, over the last ERRORS_OVER seconds; 0 without answers."""
    return endpoint.failed / endpoint.answered if endpoint.answered > 0.0 else 0.0


def median(values: Sequence[float], without: float) -> float:
    """The middle value, or the mean of the two in the middle; `without` where there are none."""
    if not values:
        return without
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


def _estimate(endpoint: Endpoint, median_slow: float, variance: float, step: float) -> None:
    """Compare an endpoint with the pool's median, and move its factor."""
    endpoint.estimate = 1.0
    if endpoint.samples > 0.0:
        difference = endpoint.slow / median_slow - 1.0
        error2 = variance / endpoint.samples + SAME * SAME
        uncertain = CERTAIN * CERTAIN * error2
        if difference * difference > uncertain:
            endpoint.estimate = 1.0 + difference * (1.0 - uncertain / (difference * difference))
    endpoint.factor += step * (endpoint.estimate - endpoint.factor)
    if abs(endpoint.factor - 1.0) < NEAR:
        endpoint.factor = 1.0


def _shown_errors(endpoint: Endpoint, median_errors: float) -> float:
    """An endpoint's error rate while it has an answer of late; where less than one is left, the pool's median stands for the rest."""
    if endpoint.answered >= 1.0:
        return error_rate(endpoint)
    return endpoint.failed + (1.0 - endpoint.answered) * median_errors


def _excess(endpoint: Endpoint, median_errors: float) -> float:
    """By how much an endpoint's error rate is certainly above the pool's median. Two good answers are granted to everybody."""
    excess = endpoint.failed / (endpoint.answered + 2.0) - median_errors
    if excess <= 0.0:
        return 0.0
    spread = median_errors * (1.0 - median_errors)
    uncertain = CERTAIN * CERTAIN * max(LEAST_SPREAD, spread) / endpoint.answered
    return excess * (1.0 - uncertain / (excess * excess)) if excess * excess > uncertain else 0.0
