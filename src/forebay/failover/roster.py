"""The endpoints of a pool with all that is known of them, and what is asked of them together."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from forebay.failover.ejection import Peers, Sentence, most_out
from forebay.failover.members import Alarm, Counts, Member
from forebay.failover.probing import Evidence, Velocity
from forebay.failover.rules import PoolRules
from forebay.failover.status import Reason, Source, Standing, Status

SPARED: Final = 2.0
"""Seconds for which an endpoint is first suspected."""
SPARED_LONGEST: Final = 30.0


@dataclass(slots=True)
class Endpoint:
    """One endpoint: what is claimed of it, what speaks for and against it, and how long it is left out or spared next."""

    member: Member
    standing: Standing
    evidence: Evidence
    sentence: Sentence
    spared: Sentence
    counts: Counts = field(default_factory=Counts)
    note: str | None = None


class Roster:
    """All of them, by name. `due` is a heap of when which endpoint is to be looked at again, `alarms` what is to be told next."""

    def __init__(self, rules: PoolRules) -> None:
        self.rules = rules
        self.endpoints: dict[str, Endpoint] = {}
        self.velocity = Velocity()
        self.due: list[tuple[float, str]] = []
        self._planned: set[tuple[float, str]] = set()
        self.alarms: list[Alarm] = []
        self._peers: dict[int, Peers] = {}

    @property
    def tiers(self) -> list[Peers]:
        """Those that are compared with one another."""
        return list(self._peers.values())

    def peers(self, tier: int) -> Peers:
        """The answers of one tier."""
        return self._peers.setdefault(tier, Peers(self.rules.ejection.min_requests))

    def put(self, name: str, member: Member, now: float) -> Endpoint:
        """Have an endpoint as it is declared now; what is known of it stays."""
        known = self.endpoints.get(name)
        if known is None:
            ejection = self.rules.ejection
            standing = Standing(now, probed=self.rules.probes is not None)
            sentences = Sentence(ejection.base, ejection.max), Sentence(SPARED, SPARED_LONGEST)
            known = self.endpoints[name] = Endpoint(member, standing, Evidence(), *sentences)
        elif known.member.tier != member.tier:
            self.peers(known.member.tier).leave(name)
        known.member = member
        self.peers(member.tier).join(name)
        return known

    def drop(self, name: str) -> None:
        """Have it no more."""
        self.peers(self.endpoints.pop(name).member.tier).leave(name)

    def obey(self, rules: PoolRules) -> None:
        """Go on by other rules."""
        self.rules = rules
        for peers in self.tiers:
            peers.min_requests = rules.ejection.min_requests
        for each in self.endpoints.values():
            each.sentence.base, each.sentence.longest = rules.ejection.base, rules.ejection.max

    def look_again(self, name: str, at: float) -> None:
        """Look at an endpoint again then, whatever is observed."""
        # Asked for with each answer that comes meanwhile, for days where an operator has drained it for as long.
        if (at, name) not in self._planned:
            self._planned.add((at, name))
            heapq.heappush(self.due, (at, name))

    def to_look_at(self, now: float) -> Iterator[str]:
        """Those whose time to be looked at again has come; each is told once."""
        while self.due and self.due[0][0] <= now:
            planned = heapq.heappop(self.due)
            self._planned.discard(planned)
            yield planned[1]

    def note(self, name: str, text: str) -> None:
        """Something speaks against an endpoint that does not take it out."""
        known = self.endpoints[name]
        if known.note is None:
            self.alarms.append(Alarm(name, text))
        known.note = text

    def able(self, tier: int | None = None) -> list[str]:
        """Those that serve, in one tier or in all."""
        return [
            name
            for name, each in self.endpoints.items()
            if each.standing.verdict.status is Status.HEALTHY and each.member.weight > 0 and tier in {None, each.member.tier}
        ]

    def drained(self) -> int:
        """How many are drained by their own answer to a probe."""
        claims = (each.standing.claim(Source.SERVER) for each in self.endpoints.values())
        return sum(claim is not None and claim.reason is Reason.PROBE_DRAINING for claim in claims)

    def may_leave_out(self, tier: int) -> bool:
        """Whether one more of a tier may be left out by its answers."""
        members = [each for each in self.endpoints.values() if each.member.tier == tier and each.member.weight > 0]
        out = sum(each.standing.verdict.status is Status.EJECTED for each in members)
        return out < most_out(len(members), self.rules.ejection.max_ejected)
