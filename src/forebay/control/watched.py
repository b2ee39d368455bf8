"""One pool as control watches it: what is observed goes to the pure rules, what follows from them comes out as events and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final

from forebay.config.pools import Pool
from forebay.config.rules import pool_rules
from forebay.control.events import Events
from forebay.control.overlays import Overlay
from forebay.control.probing import Target
from forebay.control.standing import EndpointStanding
from forebay.failover.pool import Counts, Member, PoolHealth
from forebay.failover.probing import Probed
from forebay.failover.rules import PoolRules
from forebay.failover.status import Reason, Source, Status, Verdict
from forebay.types import format_duration

_PASSED: Final[dict[int | None, Probed]] = {}
"""One of each kind of passed probe: most are alike, and there are thousands a second."""
_SUSPICIOUS: Final = frozenset({"reflex", "trial_failed"})


class Watched:
    """One pool."""

    def __init__(self, name: str, declared: Pool) -> None:
        self.name = name
        self.rules: PoolRules = pool_rules(declared)
        self.health = PoolHealth(self.rules)
        self.members: dict[str, Member] = {}
        self.tier = 0
        self.all_down = False
        self.due = -inf
        self._latencies: dict[str, tuple[int, int, float, float]] = {}
        self._of: tuple[Pool, Mapping[str, Any]] | None = None

    def is_of(self, declared: Pool, spec: Mapping[str, Any]) -> bool:
        """Whether it is watched by this declaration and these endpoints already."""
        return self._of is not None and self._of[0] is declared and self._of[1] == spec

    def update(self, declared: Pool, spec: Mapping[str, Any], now: float) -> None:
        """Watch these endpoints by these rules; those that stay keep what is known of them."""
        self._of = (declared, spec)
        self.rules = pool_rules(declared)
        self.members = {each["id"]: Member(each.get("tier", 0), each["weight"], each["target"] is not None) for each in spec["endpoints"]}
        self.health.update(self.members, now, self.rules)
        self._latencies = {name: counted for name, counted in self._latencies.items() if name in self.members}
        self.due = -inf

    def order(self, endpoint: str, overlay: Overlay | None, now: float, wall: float) -> None:
        """Have an operator's `drain` or `disable` hold, or none any more."""
        if endpoint not in self.members:
            return
        self.due = -inf
        if overlay is None or overlay.status is None:
            self.health.order(endpoint, None, "", now)
            return
        left = overlay.left(wall)
        text = f"{overlay.status} by an operator" + (f": {overlay.reason}" if overlay.reason else "")
        at = now - max(0.0, wall - overlay.at)
        self.health.order(endpoint, Status(overlay.status), text, at, None if left is None else now + left)

    def hold(self, *, held: bool) -> None:
        """Freeze statuses, or let them change again."""
        self.health.hold(held=held)
        self.due = -inf

    def happened(self, event: Mapping[str, Any], now: float, events: Events, left: float | None = None) -> bool:
        """Take in what the engine tells; whether a probe can tell more of it. `left` is for how long the engine still passes it over."""
        kind, cause, age = event["kind"], event["cause"], event["age"]
        self.due = -inf
        if kind == "tier":
            before, after = event.get("from") or 0, event["to"]
            self.tier = after
            to = "promoted" if after > before else "failed_back"
            words = "takes over" if after > before else "takes back"
            text = f"tier {after} {words} from tier {before}"
            events.note(to, text, pool=self.name, change=(str(before), str(after)), age=age)  # type: ignore[arg-type]  # one of two kinds
        elif kind in {"all_down", "all_up"}:
            self.all_down = kind == "all_down"
            policy = self.rules.tiers.when_all_down
            text = (
                f"no endpoint may serve; the pool does what when_all_down says: {policy}" if self.all_down else "endpoints may serve again"
            )
            events.note("all_down" if self.all_down else "recovered", text, pool=self.name, age=age)
        elif kind == "retry_budget":
            events.note("retry_budget", "too many requests are being repeated: no more are, until fewer fail", pool=self.name, age=age)
        elif event["endpoint"] is not None:
            self.health.event(event["endpoint"], kind, cause, now - age, left)
        return kind in _SUSPICIOUS

    def missed(self, now: float) -> None:
        """Events of the engine were lost."""
        self.health.missed(now)

    def observed(self, value: Mapping[str, Any], now: float) -> None:
        """Take in the counts that have changed."""
        self.tier, self.all_down = value["tier"] if value["tier"] is not None else self.tier, value["all_down"]
        for name, counts in value["endpoints"].items():
            self.health.observe(name, self._counted(name, counts), now)
            self.due = -inf

    def _counted(self, endpoint: str, counts: Mapping[str, Any]) -> Counts:
        """What the rules count: latencies of good answers alone. The engine's are over all; their part goes by the number of answers."""
        answers, errors, logarithms = counts["answers"], counts["errors"], counts["log_latency"]
        before = self._latencies.get(endpoint, (0, 0, 0.0, 0.0))
        if answers < before[0]:
            before = (0, 0, 0.0, 0.0)  # the engine has begun anew
        more, failed = answers - before[0], errors - before[1]
        good = before[3] + ((logarithms - before[2]) * (more - failed) / more if more else 0.0)
        self._latencies[endpoint] = (answers, errors, logarithms, good)
        return Counts(answers, errors, counts["failures"], good)

    def probed(self, endpoint: str, status: int | None, fault: str | None, at: float) -> None:
        """Take in what a probe came to."""
        if fault is not None:
            probed = Probed(fault, status)
        else:
            known = _PASSED.get(status)
            probed = known if known is not None else _PASSED.setdefault(status, Probed(None, status))
        self.health.probe(endpoint, probed, at)
        self.due = -inf

    def turn(self, now: float, events: Events) -> Mapping[str, Verdict]:
        """Decide, and tell of what changed; returns the verdicts that the engine must be told of."""
        if now < self.due:
            return {}
        decision = self.health.decide(now)
        for change in decision.changes:
            before, claim = change.before, change.verdict.claim
            # One that is new is no event: it would be thousands at a start.
            if before is not None:
                events.note(
                    "status",
                    claim.text,
                    pool=self.name,
                    endpoint=change.endpoint,
                    change=(before.value, claim.status.value),
                    reason=claim.reason.value,
                    age=max(0.0, now - claim.since) if claim.status is not before else 0.0,
                )
        for alarm in decision.alarms:
            events.note("alarm", alarm.text, pool=self.name, endpoint=alarm.endpoint)
        self.due = decision.due
        return decision.verdicts

    def restore(self, learned: Mapping[str, Any], age: float, now: float) -> None:
        """Go on from what was learned. Raises ValueError for what is no such thing."""
        self.health.restore(learned, age, now)
        self.due = -inf

    def is_down(self, endpoint: str) -> bool:
        """Whether it is probed at the pace of those that are."""
        return self.health.verdict(endpoint).status is Status.DOWN

    def shown(self, endpoint: str, now: float, overlays: Sequence[Overlay], target: Target | None) -> EndpointStanding:
        """How it is shown."""
        verdict, alarm = self.health.verdict(endpoint), self.health.alarm(endpoint)
        claim, member = verdict.claim, self.members[endpoint]
        return EndpointStanding(
            status=claim.status.value,
            reason=f"{claim.text}; {alarm}" if alarm else claim.text,
            since=max(0.0, now - claim.since),
            next=self._next(verdict, now),
            code=claim.reason.value,
            tier=member.tier,
            role="serves" if member.tier == self.tier else "stands by",
            weight=next((each.weight for each in overlays if each.kind == "weight"), None),
            probes=[] if target is None else [_result(*each) for each in target.results],
            overlay=[each.json() for each in overlays],
        )

    def _next(self, verdict: Verdict, now: float) -> str | None:
        claim, probes = verdict.claim, self.rules.probes
        left = None if claim.until is None else f"in {format_duration(float(round(max(0.0, claim.until - now))))}"
        if verdict.source is Source.OPERATOR:
            return "until an operator takes it back" if left is None else f"ends {left}"
        if claim.status is Status.EJECTED or (claim.status is Status.DOWN and verdict.source is Source.ENGINE):
            return "one request at a time tries it" + (f" {left}" if left else " once its pause is over")
        if claim.status is Status.SUSPECT or claim.reason in {Reason.CONNECTION_CLOSE, Reason.RETRY_AFTER}:
            return f"serves again {left}" if left else None
        if probes is not None and (claim.status is Status.DOWN or claim.reason is Reason.PROBE_DRAINING):
            return f"serves after {probes.rise} passed probes in a row"
        if claim.status is Status.UNKNOWN:
            return "serves after its first passed probe" if probes is not None else "one request at a time tries it"
        return "serves once its name has an address" if claim.status is Status.UNRESOLVED else None


def _result(_at: float, seconds: float, status: int | None, fault: str | None) -> str:
    return fault.replace(" ", "_") if fault is not None else f"{status or 'ok'}/{1000 * seconds:.0f}ms"
