"""What probes come to: who is healthy by them, who is down, who drains itself; and who stays although they fail."""

from __future__ import annotations

import math

from forebay.failover.probing import Evidence, share_of
from forebay.failover.roster import Endpoint, Roster
from forebay.failover.rules import ProbeRules
from forebay.failover.status import Claim, Reason, Source, Status


def know(known: Endpoint, now: float) -> None:
    """A first answer, of a probe or to a request, makes an unknown endpoint a healthy one."""
    base = known.standing.claim(Source.BASE)
    if base is None or base.status is not Status.UNKNOWN:
        return
    if known.evidence.answered > -math.inf and known.evidence.failed == 0:
        known.standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "it has answered a request", now))
    elif known.evidence.passed > 0:
        known.standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.PROBE_PASSED, "its first probe passed", now))


def settle(roster: Roster, name: str, now: float) -> None:
    """What an endpoint's probes come to, together with its live answers."""
    known, rules = roster.endpoints[name], roster.rules.probes
    evidence, standing = known.evidence, known.standing
    if rules is None:
        _unprobed(known, now)
        return
    if evidence.failed == 0:
        if evidence.passed:
            known.note = None
        if evidence.passed >= rules.rise:
            _back(roster, name, rules, now)
    elif evidence.draining:
        _draining(roster, name, now)
    elif standing.claim(Source.PROBES) is not None:
        if evidence.outranked(now):
            text = f"it answers requests, although its probes fail: {evidence.fault}"
            standing.lift(Source.PROBES, now, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, text, now))
    elif evidence.failed >= rules.fall:
        _failed(roster, name, now)


def _unprobed(known: Endpoint, now: float) -> None:
    """What probes had said holds no longer: nothing would ever take it back."""
    standing, server = known.standing, known.standing.claim(Source.SERVER)
    said = Source.PROBES if standing.claim(Source.PROBES) is not None else None
    if server is not None and server.reason is Reason.PROBE_DRAINING:
        standing.lift(Source.SERVER, now)
        said = said or Source.SERVER
    if said is not None:
        standing.lift(Source.PROBES, now, Claim(Status.HEALTHY, Reason.EXPIRED, "it is probed no longer, and its requests tell", now))
        known.evidence = Evidence()


def _back(roster: Roster, name: str, rules: ProbeRules, now: float) -> None:
    known = roster.endpoints[name]
    standing, server = known.standing, known.standing.claim(Source.SERVER)
    well = Claim(Status.HEALTHY, Reason.PROBE_PASSED, f"{rules.rise} probes in a row have passed", now)
    if standing.claim(Source.PROBES) is not None:
        standing.lift(Source.PROBES, now)
        standing.proven(well)
        # What its requests met before it came back is not held against it.
        roster.peers(known.member.tier).forget(name, now)
    if server is not None and server.reason is Reason.PROBE_DRAINING:
        standing.lift(Source.SERVER, now, well)


def _draining(roster: Roster, name: str, now: float) -> None:
    known = roster.endpoints[name]
    standing, server = known.standing, known.standing.claim(Source.SERVER)
    if server is not None and server.reason is Reason.PROBE_DRAINING:
        return
    serves = standing.verdict.status is Status.HEALTHY
    if serves and (roster.drained() >= share_of(len(roster.endpoints)) or roster.able() == [name]):
        roster.note(name, "its probe was answered 503, but no more than a third of the pool is drained by probes, and never the last")
        return
    known.note = None
    standing.put(Source.SERVER, Claim(Status.DRAINING, Reason.PROBE_DRAINING, "its probe was answered 503", now))


def _failed(roster: Roster, name: str, now: float) -> None:
    known = roster.endpoints[name]
    evidence, standing = known.evidence, known.standing
    why = f"{evidence.failed} probes in a row have failed: {evidence.fault}"
    if now < evidence.settles():
        roster.look_again(name, evidence.settles())
        return
    if evidence.outranked(now):
        roster.note(name, f"{why}; but it answers requests, which counts for more")
        base = standing.claim(Source.BASE)
        if base is not None and base.status is Status.UNKNOWN:
            standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "it has answered a request", now))
        return
    serves = standing.verdict.status in {Status.HEALTHY, Status.SUSPECT}
    if serves and not (evidence.refused or evidence.confirmed):
        if not roster.velocity.allows(len(roster.endpoints), now):
            roster.note(name, f"{why}; but probes may take out only a third of the pool within 10s")
            return
        roster.velocity.take(now)
    known.note = None
    reason = Reason.CONNECT_REFUSED if evidence.refused else Reason.PROBE_FAILED
    standing.put(Source.PROBES, Claim(Status.DOWN, reason, why, now))
    server = standing.claim(Source.SERVER)
    if server is not None and server.reason is Reason.PROBE_DRAINING:
        standing.lift(Source.SERVER, now)
