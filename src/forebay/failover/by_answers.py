"""What live answers come to: by judgement of an endpoint beside its peers, and as the engine's reflex tells."""

from __future__ import annotations

from typing import Final

from forebay.failover.ejection import Finding
from forebay.failover.roster import Roster
from forebay.failover.status import Claim, Reason, Source, Status

LEFT_ALONE: Final = 30.0
"""Seconds for which a server is left alone that asked for it, at most, and where it did not say how long."""
UNREACHABLE: Final = frozenset({"connect_refused", "connect_failed", "connect_timeout"})
"""Causes that are facts, whatever else is known."""


def judge(roster: Roster, name: str, finding: Finding, now: float) -> None:
    """Leave an endpoint out that its answers speak against, or have it spared where that is enough or all that is allowed."""
    known = roster.endpoints[name]
    standing, tier = known.standing, known.member.tier
    present = standing.claim(Source.JUDGEMENT)
    if standing.verdict.status not in {Status.HEALTHY, Status.SUSPECT, Status.UNKNOWN}:
        return
    others = [each for each in roster.able(tier) if each != name]
    allowed = bool(others) and roster.may_leave_out(tier)
    if finding.grave and allowed:
        until = known.sentence.next(now)
        standing.put(Source.JUDGEMENT, Claim(Status.EJECTED, Reason.ERROR_RATE, finding.text, now, until))
        roster.peers(tier).forget(name, now)
        known.note = None
    elif present is None and others:
        reason = Reason.SLOW if finding.slow else Reason.ERROR_RATE
        standing.put(Source.JUDGEMENT, Claim(Status.SUSPECT, reason, finding.text, now, known.spared.next(now)))
    if finding.grave and not allowed:
        roster.note(name, f"{finding.text}; but no more endpoints of its tier may be left out")


def passed_over(kind: str, cause: str | None, at: float) -> Claim:
    """What the engine's reflex amounts to: a fact where the endpoint could not be reached, else a judgement."""
    if cause == Reason.SLOW:
        return Claim(Status.SUSPECT, Reason.SLOW, "it is silent for unusually long, while its peers answer", at)
    why = (cause or "failures in a row").replace("_", " ")
    status = Status.DOWN if cause in UNREACHABLE else Status.EJECTED
    if kind == "trial_failed":
        return Claim(status, Reason.TRIAL_FAILED, f"the request that tried it failed: {why}", at)
    if status is Status.DOWN:
        return Claim(status, Reason.CONNECT_REFUSED, f"no connection can be made: {why}", at)
    return Claim(status, Reason.CONSECUTIVE_FAILURES, f"its requests failed in a row: {why}", at)


def left_alone(cause: str | None, seconds: float | None, at: float) -> Claim:
    """What a server amounts to that asked to be left alone: by `Retry-After`, or by closing its connections."""
    lasts = min(seconds or LEFT_ALONE, LEFT_ALONE)
    if cause == Reason.RETRY_AFTER:
        text = f"it asked to be left alone for {lasts:g}s (Retry-After)"
        return Claim(Status.DRAINING, Reason.RETRY_AFTER, text, at, at + lasts)
    return Claim(Status.DRAINING, Reason.CONNECTION_CLOSE, "it closes its connections", at, at + lasts)
