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

import math
from collections.abc import Mapping
from typing import Any, Final

from forebay.failover import kept
from forebay.failover.by_answers import judge, left_alone, passed_over
from forebay.failover.by_probes import know, settle
from forebay.failover.members import Alarm, Change, Counts, Decision, Member
from forebay.failover.probing import Probed
from forebay.failover.roster import Roster
from forebay.failover.rules import PoolRules
from forebay.failover.status import Claim, Reason, Source, Status, Verdict

__all__ = ["WATCHED", "Alarm", "Change", "Counts", "Decision", "Member", "PoolHealth", "Probed"]

WATCHED: Final = 0.1
"""Seconds until a pool is to be looked at again in which something speaks against an endpoint."""
_TELLING: Final = frozenset({"recovered", "trial_passed", "reflex", "trial_failed", "draining"})
"""Events of the engine by which a status changes."""


class PoolHealth:
    """See the module. Not to be used by two threads at once."""

    def __init__(self, rules: PoolRules) -> None:
        self.held = False
        self._roster = Roster(rules)
        self._decided: dict[str, Verdict] = {}
        self._dirty: set[str] = set()
        self._missed: dict[str, tuple[str, str | None, float, float | None]] = {}

    @property
    def rules(self) -> PoolRules:
        """What it decides by."""
        return self._roster.rules

    def update(self, members: Mapping[str, Member], now: float, rules: PoolRules | None = None) -> None:
        """Have these endpoints from now on, by other rules where some are given; one that stays keeps all that is known of it."""
        if rules is not None:
            self._roster.obey(rules)
        for name in [name for name in self._roster.endpoints if name not in members]:
            self._roster.drop(name)
            self._dirty.discard(name)
            self._decided.pop(name, None)
            self._missed.pop(name, None)
        for name, member in members.items():
            standing = self._roster.put(name, member, now).standing
            if member.resolved:
                standing.lift(Source.ADDRESS, now)
            else:
                standing.put(Source.ADDRESS, Claim(Status.UNRESOLVED, Reason.ADDRESS_GONE, "its name has no address", now))
            self._dirty.add(name)

    def probe(self, endpoint: str, probed: Probed, at: float) -> None:
        """A probe has ended. One of an endpoint that is no longer there is nothing."""
        known = self._roster.endpoints.get(endpoint)
        if known is None:
            return
        calm = probed.fault is None and known.evidence.failed == 0 and known.standing.verdict.status is Status.HEALTHY
        known.evidence.add(probed, at)
        if not calm:
            self._dirty.add(endpoint)

    def observe(self, endpoint: str, counts: Counts, at: float) -> None:
        """So much the engine has counted so far. An endpoint that is no longer there is nothing."""
        known = self._roster.endpoints.get(endpoint)
        if known is None:
            return
        old, known.counts = known.counts, counts
        if counts.answers < old.answers or counts.failures < old.failures:
            old = Counts()  # it has begun anew
        answers, errors, failures = counts.answers - old.answers, counts.errors - old.errors, counts.failures - old.failures
        if answers + failures <= 0:
            return
        errors = min(errors, answers)  # the engine's threads count one after the other
        known.evidence.live(answers - errors, errors + failures, at)
        peers = self._roster.peers(known.member.tier)
        peers.add(endpoint, answers + failures, errors + failures, counts.log_latency - old.log_latency, at)
        self._dirty.add(endpoint)

    def event(self, endpoint: str, kind: str, cause: str | None, at: float, seconds: float | None = None) -> None:
        """The engine has told something of an endpoint: `reflex`, `recovered`, `trial_passed`, `trial_failed` or `draining`; other kinds
        and endpoints that are no longer there are nothing. `seconds` is for how long the engine passes it over.
        """
        known = self._roster.endpoints.get(endpoint)
        if known is None:
            return
        if self.held:
            # Told once: without it, one that recovers while the pool is held would be shown as failed for ever after.
            if kind in _TELLING:
                self._missed[endpoint] = (kind, cause, at, seconds)
            return
        if kind in {"recovered", "trial_passed"}:
            known.evidence.live(1, 0, at)
            known.standing.proven(Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "a request has succeeded", at))
        elif kind in {"reflex", "trial_failed"}:
            known.evidence.live(0, 1, at)
            known.standing.put(Source.ENGINE, passed_over(kind, cause, at))
        elif kind == "draining":
            known.standing.put(Source.ENGINE, left_alone(cause, seconds, at))
        self._dirty.add(endpoint)

    def missed(self, at: float) -> None:
        """Events of the engine were lost: what it has told of endpoints may be over, and is believed no longer."""
        for name, known in self._roster.endpoints.items():
            if known.standing.claim(Source.ENGINE) is not None:
                known.standing.lift(Source.ENGINE, at)
                self._dirty.add(name)

    def order(self, endpoint: str, status: Status | None, text: str, at: float, until: float | None = None) -> None:
        """An operator wants `draining` or `disabled`, or takes that back (None). Raises KeyError for an endpoint that there is not."""
        standing = self._roster.endpoints[endpoint].standing
        if status is None:
            standing.lift(Source.OPERATOR, at)
        else:
            standing.put(Source.OPERATOR, Claim(status, Reason.OPERATOR, text, at, until))
        self._dirty.add(endpoint)

    def hold(self, *, held: bool) -> None:
        """Freeze the pool: nothing but operators' orders and addresses changes a status until it is let go."""
        self.held = held
        self._dirty.update(self._roster.endpoints)
        if not held:
            missed, self._missed = self._missed, {}
            for endpoint, (kind, cause, at, seconds) in missed.items():
                self.event(endpoint, kind, cause, at, seconds)

    def verdict(self, endpoint: str) -> Verdict:
        """What holds of an endpoint now. Raises KeyError for one that there is not."""
        return self._roster.endpoints[endpoint].standing.verdict

    def alarm(self, endpoint: str) -> str | None:
        """What speaks against an endpoint without taking it out. Raises KeyError for one that there is not."""
        return self._roster.endpoints[endpoint].note

    def state(self, now: float) -> dict[str, Any]:
        """What was learned of each endpoint, as JSON with ages in place of times: for another process, or the next start."""
        return {name: kept.state(each, now) for name, each in self._roster.endpoints.items()}

    def restore(self, state: Mapping[str, Any], age: float, now: float) -> None:
        """Go on from what `state` gave `age` seconds ago; endpoints that there are not are nothing.

        Raises:
            ValueError: for what is no such state, and then nothing has changed.
        """
        wanted = {name: each for name, each in state.items() if name in self._roster.endpoints}
        parsed = {name: kept.parse(each, age, now) for name, each in wanted.items()}
        for name, learned in parsed.items():
            kept.restore(self._roster.endpoints[name], learned)
            self._dirty.add(name)

    def decide(self, now: float) -> Decision:
        """What follows from all that was told since the last time."""
        roster = self._roster
        self._dirty.update(roster.to_look_at(now))
        soon = math.inf if self.held else self._judge(now)
        verdicts: dict[str, Verdict] = {}
        changes: list[Change] = []
        dirty, self._dirty = self._dirty, set()
        for name in sorted(dirty & roster.endpoints.keys()):
            before, verdict = self._decided.get(name), self._settled(name, now)
            if verdict.alike(before):
                continue
            self._decided[name] = verdicts[name] = verdict
            if before is None or (before.status, before.claim.reason) != (verdict.status, verdict.claim.reason):
                changes.append(Change(name, None if before is None else before.status, verdict))
        alarms, roster.alarms = tuple(roster.alarms), []
        return Decision(verdicts, tuple(changes), alarms, min(soon, roster.due[0][0] if roster.due else math.inf))

    def _judge(self, now: float) -> float:
        """Compare the answers of each tier; returns when to do so again."""
        soon = math.inf
        for peers in self._roster.tiers:
            for name, finding in peers.judge(now).items():
                judge(self._roster, name, finding, now)
                self._dirty.add(name)
            soon = now + WATCHED if peers.tense else soon
        return soon

    def _settled(self, name: str, now: float) -> Verdict:
        known = self._roster.endpoints[name]
        if not self.held:
            known.standing.lapse(now)
            know(known, now)
            settle(self._roster, name, now)
            if known.standing.due is not None:
                self._roster.look_again(name, known.standing.due)
        return known.standing.verdict
