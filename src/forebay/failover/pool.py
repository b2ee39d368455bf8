"""The endpoints of one pool, from what is observed of them to what holds: probes, live answers, the engine's events, operators' orders.

    pool = PoolHealth(rules)
    pool.update({"10.0.0.1:80": Member(), "10.0.0.2:80": Member(tier=1)}, now)
    pool.probe("10.0.0.1:80", Probed(fault=None, status=200), now)
    pool.observe("10.0.0.1:80", Counts(answers=120, errors=1), now)
    pool.event("10.0.0.1:80", "reflex", "connect_refused", now)
    decision = pool.decide(now)   # verdicts that changed, and when to look again

Times are seconds of one clock, given by the caller; nothing is called back, and nothing waits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from forebay.failover.ejection import Finding, Peers, Sentence, most_out
from forebay.failover.probing import Evidence, Probed, Velocity, share_of
from forebay.failover.rules import PoolRules, ProbeRules
from forebay.failover.status import Claim, Reason, Source, Standing, Status, Verdict

LEFT_ALONE: Final = 30.0
"""Seconds for which a server is believed that asked to be spared, where it did not say how long."""
SPARED: Final = 2.0
"""Seconds for which an endpoint is first suspected."""
SPARED_LONGEST: Final = 30.0
WATCHED: Final = 0.1
"""Seconds until a pool is to be looked at again in which something speaks against an endpoint."""
UNREACHABLE: Final = frozenset({"connect_refused", "connect_failed", "connect_timeout"})


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


@dataclass(slots=True)
class _Endpoint:
    member: Member
    standing: Standing
    evidence: Evidence
    sentence: Sentence
    spared: Sentence
    counts: Counts = field(default_factory=Counts)
    decided: Verdict | None = None
    note: str | None = None


class PoolHealth:
    """See the module. Not to be used by two threads at once."""

    def __init__(self, rules: PoolRules) -> None:
        self.rules = rules
        self.held = False
        self._endpoints: dict[str, _Endpoint] = {}
        self._peers: dict[int, Peers] = {}
        self._velocity = Velocity()
        self._dirty: set[str] = set()
        self._due: list[tuple[float, str]] = []
        self._alarms: list[Alarm] = []

    def update(self, members: Mapping[str, Member], now: float, rules: PoolRules | None = None) -> None:
        """Have these endpoints from now on, by other rules where some are given; one that stays keeps all that is known of it."""
        if rules is not None:
            self.rules = rules
            for peers in self._peers.values():
                peers.min_requests = rules.ejection.min_requests
        for name in [name for name in self._endpoints if name not in members]:
            self._peers[self._endpoints.pop(name).member.tier].leave(name)
            self._dirty.discard(name)
        for name, member in members.items():
            endpoint = self._endpoints.get(name)
            if endpoint is None:
                endpoint = self._endpoints[name] = self._new(member, now)
            elif endpoint.member.tier != member.tier:
                self._peers[endpoint.member.tier].leave(name)
            endpoint.member = member
            self._tier(member.tier).join(name)
            if member.resolved:
                endpoint.standing.lift(Source.ADDRESS)
            else:
                text = "its name has no address"
                endpoint.standing.put(Source.ADDRESS, Claim(Status.UNRESOLVED, Reason.ADDRESS_GONE, text, now))
            self._dirty.add(name)

    def probe(self, endpoint: str, probed: Probed, at: float) -> None:
        """A probe has ended. One of an endpoint that is no longer there is nothing."""
        known = self._endpoints.get(endpoint)
        if known is None:
            return
        calm = probed.fault is None and known.evidence.failed == 0 and known.standing.verdict.status is Status.HEALTHY
        known.evidence.add(probed, at)
        if not calm:
            self._dirty.add(endpoint)

    def observe(self, endpoint: str, counts: Counts, at: float) -> None:
        """So much the engine has counted so far. An endpoint that is no longer there is nothing."""
        known = self._endpoints.get(endpoint)
        if known is None:
            return
        old, known.counts = known.counts, counts
        if counts.answers < old.answers or counts.failures < old.failures:
            old = Counts()  # it has begun anew
        answers, errors = counts.answers - old.answers, counts.errors - old.errors
        failures, good = counts.failures - old.failures, counts.answers - old.answers - (counts.errors - old.errors)
        if answers + failures <= 0:
            return
        known.evidence.live(good, errors + failures, at)
        peers = self._peers[known.member.tier]
        peers.add(endpoint, answers + failures, errors + failures, counts.log_latency - old.log_latency, at)
        self._dirty.add(endpoint)

    def event(self, endpoint: str, kind: str, cause: str | None, at: float, seconds: float | None = None) -> None:
        """The engine has told something of an endpoint: `reflex`, `recovered`, `trial_passed`, `trial_failed` or `draining`; other kinds
        and endpoints that are no longer there are nothing. `seconds` is how long a `Retry-After` asked for.
        """
        known = self._endpoints.get(endpoint)
        if known is None or self.held:
            return
        standing = known.standing
        if kind in {"recovered", "trial_passed"}:
            known.evidence.live(1, 0, at)
            standing.lift(Source.ENGINE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "a request has succeeded", at))
        elif kind in {"reflex", "trial_failed"}:
            known.evidence.live(0, 1, at)
            standing.put(Source.ENGINE, _passed_over(kind, cause, at))
        elif kind == "draining":
            lasts = min(seconds or LEFT_ALONE, LEFT_ALONE)
            retry = cause == Reason.RETRY_AFTER
            text = f"it asked to be left alone for {lasts:g}s (Retry-After)" if retry else "it closes its connections"
            reason = Reason.RETRY_AFTER if retry else Reason.CONNECTION_CLOSE
            standing.put(Source.SERVER, Claim(Status.DRAINING, reason, text, at, at + lasts))
        self._dirty.add(endpoint)

    def order(self, endpoint: str, status: Status | None, text: str, at: float, until: float | None = None) -> None:
        """An operator wants `draining` or `disabled`, or takes that back (None). Raises KeyError for an endpoint that there is not."""
        standing = self._endpoints[endpoint].standing
        if status is None:
            standing.lift(Source.OPERATOR)
        else:
            standing.put(Source.OPERATOR, Claim(status, Reason.OPERATOR, text, at, until))
        self._dirty.add(endpoint)

    def hold(self, *, held: bool) -> None:
        """Freeze the pool: nothing but operators' orders and addresses changes a status until it is let go."""
        self.held = held
        self._dirty.update(self._endpoints)

    def verdict(self, endpoint: str) -> Verdict:
        """What holds of an endpoint now. Raises KeyError for one that there is not."""
        return self._endpoints[endpoint].standing.verdict

    def alarm(self, endpoint: str) -> str | None:
        """What speaks against an endpoint without taking it out. Raises KeyError for one that there is not."""
        return self._endpoints[endpoint].note

    def decide(self, now: float) -> Decision:
        """What follows from all that was told since the last time."""
        while self._due and self._due[0][0] <= now:
            self._dirty.add(heapq.heappop(self._due)[1])
        soon = math.inf
        if not self.held:
            for peers in self._peers.values():
                for name, finding in peers.judge(now).items():
                    self._judged(name, finding, now)
                soon = now + WATCHED if peers.tense else soon
        verdicts: dict[str, Verdict] = {}
        changes: list[Change] = []
        dirty, self._dirty = self._dirty, set()
        for name in sorted(dirty & self._endpoints.keys()):
            known = self._endpoints[name]
            if not self.held:
                known.standing.lapse(now)
                self._known(known, now)
                self._probed(name, known, now)
            verdict = known.standing.verdict
            if known.standing.due is not None:
                heapq.heappush(self._due, (known.standing.due, name))
            if verdict.alike(known.decided):
                continue
            before, known.decided = known.decided, verdict
            verdicts[name] = verdict
            if before is None or (before.status, before.claim.reason) != (verdict.status, verdict.claim.reason):
                changes.append(Change(name, None if before is None else before.status, verdict))
        alarms, self._alarms = tuple(self._alarms), []
        due = min(soon, self._due[0][0] if self._due else math.inf)
        return Decision(verdicts, tuple(changes), alarms, due)

    def _new(self, member: Member, now: float) -> _Endpoint:
        ejection = self.rules.ejection
        return _Endpoint(
            member=member,
            standing=Standing(now, probed=self.rules.probes is not None),
            evidence=Evidence(),
            sentence=Sentence(ejection.base, ejection.max),
            spared=Sentence(SPARED, SPARED_LONGEST),
        )

    def _tier(self, tier: int) -> Peers:
        return self._peers.setdefault(tier, Peers(self.rules.ejection.min_requests))

    def _able(self, tier: int | None = None) -> list[str]:
        """Those that serve, in one tier or in all."""
        return [
            name
            for name, each in self._endpoints.items()
            if each.standing.verdict.status is Status.HEALTHY and each.member.weight > 0 and tier in {None, each.member.tier}
        ]

    def _noted(self, name: str, known: _Endpoint, text: str) -> None:
        if known.note is None:
            self._alarms.append(Alarm(name, text))
        known.note = text

    def _known(self, known: _Endpoint, now: float) -> None:
        """A first answer, of a probe or to a request, makes an unknown endpoint a healthy one."""
        base = known.standing.claim(Source.BASE)
        if base is None or base.status is not Status.UNKNOWN:
            return
        if known.evidence.answered > -math.inf and known.evidence.failed == 0:
            known.standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "it has answered a request", now))
        elif known.evidence.passed > 0:
            known.standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.PROBE_PASSED, "its first probe passed", now))

    def _probed(self, name: str, known: _Endpoint, now: float) -> None:
        rules, evidence, standing = self.rules.probes, known.evidence, known.standing
        if rules is None:
            return
        if evidence.failed == 0:
            if evidence.passed:
                known.note = None
            if evidence.passed >= rules.rise:
                self._back(name, known, rules, now)
        elif evidence.draining:
            self._draining(name, known, now)
        elif standing.claim(Source.PROBES) is not None:
            if evidence.outranked(now):
                text = f"it answers requests, although its probes fail: {evidence.fault}"
                standing.lift(Source.PROBES, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, text, now))
        elif evidence.failed >= rules.fall:
            self._failed(name, known, now)

    def _back(self, name: str, known: _Endpoint, rules: ProbeRules, now: float) -> None:
        standing = known.standing
        server = standing.claim(Source.SERVER)
        well = Claim(Status.HEALTHY, Reason.PROBE_PASSED, f"{rules.rise} probes in a row have passed", now)
        if standing.claim(Source.PROBES) is not None:
            standing.lift(Source.PROBES, well)
            # What its requests met before it came back is not held against it.
            self._peers[known.member.tier].forget(name, now)
        if server is not None and server.reason is Reason.PROBE_DRAINING:
            standing.lift(Source.SERVER, well)

    def _draining(self, name: str, known: _Endpoint, now: float) -> None:
        standing = known.standing
        server = standing.claim(Source.SERVER)
        if server is not None and server.reason is Reason.PROBE_DRAINING:
            return
        drained = [
            claim
            for each in self._endpoints.values()
            if (claim := each.standing.claim(Source.SERVER)) is not None and claim.reason is Reason.PROBE_DRAINING
        ]
        serves = standing.verdict.status is Status.HEALTHY
        if serves and (len(drained) >= share_of(len(self._endpoints)) or self._able() == [name]):
            self._noted(
                name, known, "its probe was answered 503, but no more than a third of the pool is drained by probes, and never the last"
            )
            return
        known.note = None
        standing.put(Source.SERVER, Claim(Status.DRAINING, Reason.PROBE_DRAINING, "its probe was answered 503", now))

    def _failed(self, name: str, known: _Endpoint, now: float) -> None:
        evidence, standing = known.evidence, known.standing
        why = f"{evidence.failed} probes in a row have failed: {evidence.fault}"
        if now < evidence.settles():
            heapq.heappush(self._due, (evidence.settles(), name))
            return
        if evidence.outranked(now):
            self._noted(name, known, f"{why}; but it answers requests, which counts for more")
            base = standing.claim(Source.BASE)
            if base is not None and base.status is Status.UNKNOWN:
                standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "it has answered a request", now))
            return
        if standing.verdict.status in {Status.HEALTHY, Status.SUSPECT} and not (evidence.refused or evidence.confirmed):
            if not self._velocity.allows(len(self._endpoints), now):
                self._noted(name, known, f"{why}; but probes may take out only a third of the pool within 10s")
                return
            self._velocity.take(now)
        known.note = None
        reason = Reason.CONNECT_REFUSED if evidence.refused else Reason.PROBE_FAILED
        standing.put(Source.PROBES, Claim(Status.DOWN, reason, why, now))
        server = standing.claim(Source.SERVER)
        if server is not None and server.reason is Reason.PROBE_DRAINING:
            standing.lift(Source.SERVER)

    def _judged(self, name: str, finding: Finding, now: float) -> None:
        known = self._endpoints[name]
        standing, tier = known.standing, known.member.tier
        present = standing.claim(Source.JUDGEMENT)
        if standing.verdict.status not in {Status.HEALTHY, Status.SUSPECT, Status.UNKNOWN}:
            return
        others = [each for each in self._able(tier) if each != name]
        allowed = bool(others) and self._out(tier) < self._bound(tier)
        if finding.grave and allowed:
            until = known.sentence.next(now)
            standing.put(Source.JUDGEMENT, Claim(Status.EJECTED, Reason.ERROR_RATE, finding.text, now, until))
            self._peers[tier].forget(name, now)
            known.note = None
        elif present is None and others:
            reason = Reason.SLOW if finding.slow else Reason.ERROR_RATE
            standing.put(Source.JUDGEMENT, Claim(Status.SUSPECT, reason, finding.text, now, known.spared.next(now)))
        if finding.grave and not allowed:
            self._noted(name, known, f"{finding.text}; but no more endpoints of its tier may be left out")
        self._dirty.add(name)

    def _out(self, tier: int) -> int:
        """How many of a tier are left out by their answers."""
        return sum(
            each.standing.verdict.status is Status.EJECTED and each.member.weight > 0
            for each in self._endpoints.values()
            if each.member.tier == tier
        )

    def _bound(self, tier: int) -> int:
        members = sum(each.member.tier == tier and each.member.weight > 0 for each in self._endpoints.values())
        return most_out(members, self.rules.ejection.max_ejected)


def _passed_over(kind: str, cause: str | None, at: float) -> Claim:
    """What the engine's reflex amounts to: a fact where the endpoint could not be reached, else a judgement."""
    why = (cause or "failures in a row").replace("_", " ")
    if kind == "trial_failed":
        status = Status.DOWN if cause in UNREACHABLE else Status.EJECTED
        return Claim(status, Reason.TRIAL_FAILED, f"the request that tried it failed: {why}", at)
    if cause in UNREACHABLE:
        return Claim(Status.DOWN, Reason.CONNECT_REFUSED, f"no connection can be made: {why}", at)
    return Claim(Status.EJECTED, Reason.CONSECUTIVE_FAILURES, f"its requests failed in a row: {why}", at)
