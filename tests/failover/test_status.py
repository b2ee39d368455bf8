"""The status of one endpoint: which claim holds, until when, and what the engine is told."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.failover.by_answers import UNREACHABLE
from forebay.failover.members import Counts, Member
from forebay.failover.pool import PoolHealth
from forebay.failover.probing import Probed
from forebay.failover.rules import PoolRules, ProbeRules
from forebay.failover.status import Claim, Reason, Source, Standing, Status

SOURCE = Path(__file__).parents[2] / "engine/src"


def pool(*names: str) -> PoolHealth:
    made = PoolHealth(PoolRules())
    made.update({name: Member() for name in names}, 0.0)
    for name in names:
        made.observe(name, Counts(answers=1), 0.0)
    made.decide(0.0)
    return made


def test_the_words_are_the_engines() -> None:
    found = re.findall(r'Self::\w+ => "(\w+)"', (SOURCE / "failover/serving.rs").read_text(encoding="utf-8"))
    assert found == list(Status)
    causes = (SOURCE / "record/cause.rs").read_text(encoding="utf-8")
    assert all(f'"{cause}"' in causes for cause in UNREACHABLE)


def test_a_first_answer_makes_an_unknown_endpoint_healthy() -> None:
    made = PoolHealth(PoolRules())
    made.update({"a": Member()}, 0.0)
    made.decide(0.0)
    assert made.verdict("a").status is Status.UNKNOWN
    made.observe("a", Counts(answers=1, errors=1), 1.0)
    made.decide(1.0)
    assert made.verdict("a").status is Status.UNKNOWN
    made.observe("a", Counts(answers=2, errors=1), 2.0)
    made.decide(2.0)
    assert made.verdict("a").status is Status.HEALTHY


@pytest.mark.parametrize(
    ("cause", "status", "reason"),
    [("connect_refused", "down", "connect_refused"), ("reset_before_response", "ejected", "consecutive_failures")],
)
def test_the_engines_reflex_is_shown_and_not_told_back_to_it(cause: str, status: str, reason: str) -> None:
    made = pool("a", "b")
    made.event("a", "reflex", cause, 1.0)
    verdict = made.decide(1.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason, verdict.told) == (status, reason, Status.HEALTHY)
    made.event("a", "trial_failed", cause, 2.0)
    verdict = made.decide(2.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason, verdict.claim.since) == (status, Reason.TRIAL_FAILED, 1.0)
    made.event("a", "recovered", None, 3.0)
    verdict = made.decide(3.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason) == (Status.HEALTHY, Reason.TRIAL_PASSED)


def test_a_silent_endpoint_that_the_engine_spares_is_suspect() -> None:
    made = pool("a", "b")
    made.event("a", "reflex", "slow", 1.0)
    verdict = made.decide(1.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason, verdict.told) == (Status.SUSPECT, Reason.SLOW, Status.HEALTHY)
    made.event("a", "recovered", None, 2.0)
    assert made.decide(2.0).verdicts["a"].status is Status.HEALTHY


def test_an_order_goes_before_all_but_a_missing_address_and_ends_by_itself() -> None:
    made = pool("a", "b")
    made.event("a", "reflex", "connect_refused", 1.0)
    made.order("a", Status.DRAINING, "deploy", 2.0, until=10.0)
    verdict = made.decide(2.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason, verdict.told, verdict.told_until) == ("draining", "operator", "draining", 10.0)
    made.update({"a": Member(resolved=False), "b": Member()}, 3.0)
    assert made.decide(3.0).verdicts["a"].status is Status.UNRESOLVED
    made.update({"a": Member(), "b": Member()}, 4.0)
    decision = made.decide(4.0)
    assert (decision.verdicts["a"].status, decision.due) == (Status.DRAINING, 10.0)
    assert made.decide(10.0).verdicts["a"].status is Status.DOWN
    made.order("a", Status.DISABLED, "", 11.0)
    assert made.decide(11.0).verdicts["a"].status is Status.DISABLED
    made.order("a", None, "", 12.0)
    assert made.decide(12.0).verdicts["a"].status is Status.DOWN


@pytest.mark.parametrize(
    ("cause", "seconds", "until", "reason"),
    [
        ("retry_after", 5.0, 6.0, "retry_after"),
        ("retry_after", 900.0, 31.0, "retry_after"),
        ("connection_close", None, 31.0, "connection_close"),
    ],
)
def test_a_server_that_asks_for_it_is_left_alone_for_thirty_seconds_at_most(
    cause: str, seconds: float | None, until: float, reason: str
) -> None:
    made = pool("a", "b")
    made.event("a", "draining", cause, 1.0, seconds)
    verdict = made.decide(1.0).verdicts["a"]
    assert (verdict.status, verdict.claim.reason, verdict.claim.until) == (Status.DRAINING, reason, until)
    assert (verdict.told, verdict.told_until) == (Status.HEALTHY, None), "the engine does it by itself"
    verdict = made.decide(until).verdicts["a"]
    assert (verdict.status, verdict.claim.reason) == (Status.HEALTHY, Reason.EXPIRED)


def test_a_pool_that_is_held_changes_by_orders_alone() -> None:
    made = PoolHealth(PoolRules(probes=ProbeRules(fall=1)))
    made.update({"a": Member(), "b": Member()}, 0.0)
    made.probe("a", Probed(None, 200), 0.0)
    made.decide(0.0)
    made.hold(held=True)
    made.probe("a", Probed("connect_refused"), 1.0)
    made.event("a", "reflex", "connect_refused", 1.0)
    assert made.decide(1.0).changes == ()
    made.order("a", Status.DISABLED, "", 2.0)
    assert made.decide(2.0).verdicts["a"].status is Status.DISABLED
    made.order("a", None, "", 3.0)
    made.hold(held=False)
    assert made.decide(3.0).verdicts["a"].status is Status.DOWN, "what was observed meanwhile counts"


def test_one_that_recovers_while_its_pool_is_held_is_healthy_after_the_release() -> None:
    made = pool("a", "b")
    made.event("a", "reflex", "connect_refused", 1.0)
    assert made.decide(1.0).verdicts["a"].status is Status.DOWN
    made.hold(held=True)
    made.event("a", "trial_started", None, 2.0)
    made.event("a", "trial_passed", None, 2.0)
    assert made.decide(2.0).changes == ()
    made.hold(held=False)
    assert made.decide(3.0).verdicts["a"].status is Status.HEALTHY


def test_looking_again_is_planned_once_however_often_it_is_asked_for() -> None:
    made = pool("a", "b")
    made.order("a", Status.DRAINING, "", 0.0, 1000.0)
    for second in range(1, 50):
        made.observe("a", Counts(answers=second), float(second))
        made.decide(float(second))
    assert len(made._roster.due) == 1
    assert made.decide(1000.0).verdicts["a"].status is Status.HEALTHY
    assert made._roster.due == []


def test_what_was_learned_goes_on_in_another_process() -> None:
    made = PoolHealth(PoolRules(probes=ProbeRules(fall=1)))
    members = {name: Member() for name in "abc"}
    made.update(members, 0.0)
    for name in "abc":
        made.probe(name, Probed(None, 200), 0.0)
    made.decide(0.0)
    made.probe("a", Probed("connect_refused"), 1.0)
    made.probe("b", Probed("status 503", 503), 1.0)
    made.decide(1.0)
    learned = json.loads(json.dumps(made.state(5.0)))
    other = PoolHealth(PoolRules(probes=ProbeRules(fall=1)))
    other.update(members, 100.0)
    other.decide(100.0)
    other.restore({**learned, "gone": {}}, 2.0, 100.0)
    other.decide(100.0)
    assert [other.verdict(name).status for name in "abc"] == ["down", "draining", "healthy"]
    assert other.verdict("a").claim.since == pytest.approx(94.0)
    assert other.verdict("b").told is Status.DRAINING


@pytest.mark.parametrize("broken", [{"a": 1}, {"a": {}}, {"a": {"claims": {"x": {}}, "sentence": {}, "spared": {}}}])
def test_a_state_that_is_none_changes_nothing(broken: dict[str, object]) -> None:
    made = pool("a", "b")
    with pytest.raises(ValueError, match=r"."):
        made.restore(broken, 0.0, 1.0)
    assert made.decide(1.0).verdicts == {}


def test_what_holds_again_holds_since_then_and_not_since_it_first_did() -> None:
    standing = Standing(0.0, probed=True)
    standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.PROBE_PASSED, "two probes have passed", 1.0))
    assert standing.put(Source.PROBES, Claim(Status.DOWN, Reason.PROBE_FAILED, "two have failed", 100.0)).claim.since == 100.0
    assert standing.lift(Source.PROBES, 130.0).claim.since == 130.0
    standing.put(Source.OPERATOR, Claim(Status.DRAINING, Reason.OPERATOR, "deploy", 200.0))
    back = standing.lift(Source.OPERATOR, 260.0)
    assert (back.status, back.claim.since) == (Status.HEALTHY, 260.0)
    standing.put(Source.ENGINE, Claim(Status.DOWN, Reason.CONNECT_REFUSED, "it refuses", 300.0))
    assert standing.proven(Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "a request has succeeded", 310.0)).claim.since == 310.0
    still = standing.put(Source.BASE, Claim(Status.HEALTHY, Reason.TRIAL_PASSED, "another has", 400.0))
    assert still.claim.since == 310.0, "nothing has changed"


CLAIMS = st.builds(
    Claim, st.sampled_from(Status), st.sampled_from(Reason), st.just(""), st.just(0.0), st.one_of(st.none(), st.floats(1.0, 100.0))
)


@given(st.lists(st.tuples(st.sampled_from(Source), st.one_of(st.none(), CLAIMS), st.floats(0, 5)), max_size=30))
def test_a_claim_never_outlives_its_time_and_something_always_holds(steps: list[tuple[Source, Claim | None, float]]) -> None:
    standing, now = Standing(0.0, probed=False), 0.0
    for source, claim, passed in steps:
        now += passed
        if claim is None:
            standing.lift(source, now)
        elif source is not Source.BASE:
            standing.put(source, claim)
        verdict = standing.lapse(now)
        assert verdict.claim.until is None or verdict.claim.until > now
        assert verdict.told_until is None or verdict.told_until > now or verdict.claim.reason is not Reason.NEW
        assert standing.due is None or standing.due > now


def test_endpoints_that_are_gone_are_nothing() -> None:
    made = pool("a", "b")
    made.update({"b": Member(tier=1)}, 1.0)
    made.probe("a", Probed("connect_refused"), 2.0)
    made.observe("a", Counts(answers=9), 2.0)
    made.event("a", "reflex", "connect_refused", 2.0)
    assert set(made.decide(2.0).verdicts) <= {"b"}
    with pytest.raises(KeyError):
        made.verdict("a")
