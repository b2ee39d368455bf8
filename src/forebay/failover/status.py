"""The status of one endpoint: what several sources claim of it, and which claim holds.

Each source says one thing at a time, and may say for how long. What holds is the claim that weighs most; once it lapses or is
withdrawn, the next one holds, down to what is known of an endpoint by itself (`unknown`, `healthy`). Times are seconds of one clock,
given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Whether an endpoint may serve. `DOWN` is a fact, `EJECTED` a judgement by its answers."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    SUSPECT = "suspect"
    DOWN = "down"
    EJECTED = "ejected"
    DRAINING = "draining"
    DISABLED = "disabled"
    UNRESOLVED = "unresolved"


class Reason(StrEnum):
    """Why it changed."""

    NEW = "new"
    PROBE_PASSED = "probe_passed"
    PROBE_FAILED = "probe_failed"
    PROBE_DRAINING = "probe_draining"
    CONNECT_REFUSED = "connect_refused"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    ERROR_RATE = "error_rate"
    SLOW = "slow"
    TRIAL_PASSED = "trial_passed"
    TRIAL_FAILED = "trial_failed"
    OPERATOR = "operator"
    CONNECTION_CLOSE = "connection_close"
    RETRY_AFTER = "retry_after"
    ADDRESS_GONE = "address_gone"
    EXPIRED = "expired"
    HELD = "held"


class Source(StrEnum):
    """Who claims something."""

    ADDRESS = "address"
    OPERATOR = "operator"
    PROBES = "probes"
    SERVER = "server"
    """Its own word, by a probe answered 503."""
    JUDGEMENT = "judgement"
    ENGINE = "engine"
    """The engine's reflex, which it carries out by itself: an endpoint that fails, or asks to be left alone. Told here to be seen."""
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says: a status, why (a code and a sentence), since when, and until when (None: until it is withdrawn)."""

    status: Status
    reason: Reason
    text: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds of an endpoint. `told` and `told_until` are what the engine is to be told: all but what it knows by itself. A judgement
    that has lapsed stays told, since it is the engine's to try the endpoint then, until a request has succeeded.
    """

    claim: Claim
    source: Source
    told: Status
    told_until: float | None

    @property
    def status(self) -> Status:
        """The status that holds."""
        return self.claim.status

    def alike(self, other: Verdict | None) -> bool:
        """Whether nothing has changed that is to be told to anybody."""
        return other is not None and (self.claim, self.told, self.told_until) == (other.claim, other.told, other.told_until)


_BY_STATUS: Final = {
    Status.UNRESOLVED: 0,
    Status.DISABLED: 1,
    Status.DOWN: 3,
    Status.DRAINING: 4,
    Status.EJECTED: 5,
    Status.SUSPECT: 6,
    Status.UNKNOWN: 7,
    Status.HEALTHY: 7,
}
_ORDERED: Final = 2
"""What an operator ordered comes before everything but a missing address."""


class Standing:
    """The claims of one endpoint, and what holds of them."""

    __slots__ = ("_claims", "_tried", "_verdict")

    def __init__(self, now: float, *, probed: bool) -> None:
        text = "its first probe has not passed yet" if probed else "nothing has been sent to it yet"
        self._claims: dict[Source, Claim] = {Source.BASE: Claim(Status.UNKNOWN, Reason.NEW, text, now)}
        self._tried: Claim | None = None
        self._verdict = self._judge()

    @property
    def verdict(self) -> Verdict:
        """What holds, as of the last `put`, `lift` or `lapse`."""
        return self._verdict

    @property
    def due(self) -> float | None:
        """When the first claim lapses by itself."""
        return min((claim.until for claim in self._claims.values() if claim.until is not None), default=None)

    def claim(self, source: Source) -> Claim | None:
        """What one source says."""
        return self._claims.get(source)

    def put(self, source: Source, claim: Claim) -> Verdict:
        """Have a source say something else; one that says the same status again keeps its since. Returns what holds then."""
        old, at = self._claims.get(source), claim.since
        if old is not None and old.status == claim.status:
            claim = replace(claim, since=old.since)
        if source is Source.JUDGEMENT:
            self._tried = None
        self._claims[source] = claim
        return self._hold(at)

    def proven(self, base: Claim) -> Verdict:
        """A request that tried it has succeeded, or its probes have passed again: it is left out no more. Returns what holds then."""
        self._tried = None
        self._claims.pop(Source.ENGINE, None)
        return self.put(Source.BASE, base)

    def lift(self, source: Source, at: float, base: Claim | None = None) -> Verdict:
        """Withdraw what a source says; `base`, where given, is known of the endpoint from then on. Returns what holds then."""
        if base is not None:
            self.put(Source.BASE, base)
        if source is not Source.BASE and self._claims.pop(source, None) is not None:
            self._hold(at)
        return self._verdict

    def lapse(self, now: float) -> Verdict:
        """Drop the claims whose time is over. Returns what holds then."""
        over = [source for source, claim in self._claims.items() if claim.until is not None and claim.until <= now]
        for source in over:
            claim = self._claims.pop(source)
            if source is Source.JUDGEMENT:
                self._tried = claim
                text = "its time is over, and one request at a time tries it"
            else:
                text = f"{claim.text}: its time is over"
            self._claims[Source.BASE] = Claim(self._base(), Reason.EXPIRED, text, claim.until or now)
        if over:
            self._verdict = self._judge()
        return self._verdict

    def _base(self) -> Status:
        claim = self._claims.get(Source.BASE)
        return Status.HEALTHY if claim is None else claim.status

    def _hold(self, at: float) -> Verdict:
        """Judge anew. A claim that comes to hold by what happens at that moment holds since then, however long it stood behind others."""
        before, self._verdict = self._verdict.status, self._judge()
        claim = self._verdict.claim
        if self._verdict.status is not before and claim.since < at:
            self._claims[self._verdict.source] = replace(claim, since=at)
            self._verdict = self._judge()
        return self._verdict

    def _judge(self) -> Verdict:
        source, claim = min(self._claims.items(), key=_rank)
        beside = [each for each in self._claims.items() if each[0] is not Source.ENGINE]
        told_by, told = min(beside, key=_rank)
        if told_by is Source.BASE and self._tried is not None:
            told = self._tried
        return Verdict(claim, source, told.status, told.until)


def _rank(each: tuple[Source, Claim]) -> int:
    source, claim = each
    rank = _BY_STATUS[claim.status]
    return min(rank, _ORDERED) if source is Source.OPERATOR else rank
