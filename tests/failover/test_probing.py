"""What failed probes may do, and what they may not."""

from forebay.failover.members import Counts, Member
from forebay.failover.pool import PoolHealth
from forebay.failover.probing import Probed, share_of
from forebay.failover.rules import PoolRules, ProbeRules
from forebay.failover.status import Reason, Status

RULES = PoolRules(probes=ProbeRules())
GOOD = Probed(None, 200)
SLOW = Probed("probe_timeout")
REFUSED = Probed("connect_refused")
AWAY = Probed("status 503", 503)


def pool(members: int, rules: PoolRules = RULES) -> PoolHealth:
    """One whose endpoints have passed their first probe."""
    made = PoolHealth(rules)
    made.update({f"e{number}": Member() for number in range(members)}, 0.0)
    for number in range(members):
        made.probe(f"e{number}", GOOD, 0.1)
    made.decide(0.1)
    return made


def statuses(pool: PoolHealth, members: int) -> list[str]:
    return [pool.verdict(f"e{number}").status for number in range(members)]


def test_a_new_endpoint_is_unknown_until_its_first_probe_passes() -> None:
    made = PoolHealth(RULES)
    made.update({"a": Member()}, 0.0)
    (change,) = made.decide(0.0).changes
    assert (change.before, change.verdict.status, change.verdict.claim.reason) == (None, Status.UNKNOWN, Reason.NEW)
    made.probe("a", SLOW, 1.0)
    assert made.decide(1.0).changes == ()
    made.probe("a", GOOD, 3.0)
    (change,) = made.decide(3.0).changes
    assert (change.before, change.verdict.status, change.verdict.claim.reason) == (Status.UNKNOWN, Status.HEALTHY, Reason.PROBE_PASSED)


def test_fall_probes_in_a_row_take_out_and_rise_bring_back() -> None:
    made = pool(3)
    for at, probed, status in ((2, SLOW, "healthy"), (4, GOOD, "healthy"), (6, SLOW, "healthy"), (8, SLOW, "down")):
        made.probe("e0", probed, at)
        made.decide(at)
        assert made.verdict("e0").status == status, at
    assert made.verdict("e0").claim.text == "2 probes in a row have failed: probe_timeout"
    for at, probed, status in ((10, GOOD, "down"), (12, SLOW, "down"), (14, GOOD, "down"), (16, GOOD, "healthy")):
        made.probe("e0", probed, at)
        made.decide(at)
        assert made.verdict("e0").status == status, at
    assert made.verdict("e0").claim.reason is Reason.PROBE_PASSED


def test_live_answers_outrank_failed_probes_wherever_they_fail() -> None:
    made = pool(3)
    for tick in range(1, 120):
        for number in range(3):
            made.observe(f"e{number}", Counts(answers=10 * tick), tick * 0.5)
            if tick % 4 == number:
                made.probe(f"e{number}", SLOW, tick * 0.5 + 0.01)
        made.decide(tick * 0.5 + 0.02)
        assert statuses(made, 3) == ["healthy"] * 3
    assert made.alarm("e0") == "29 probes in a row have failed: probe_timeout; but it answers requests, which counts for more"


def test_a_frozen_server_is_found_out_within_a_second_of_its_second_failed_probe() -> None:
    made = pool(3)
    made.observe("e0", Counts(answers=100), 10.0)
    made.probe("e0", SLOW, 10.2)
    made.decide(10.2)
    made.probe("e0", SLOW, 10.4)
    decision = made.decide(10.4)
    assert made.verdict("e0").status is Status.HEALTHY, "live answers of this moment may be under way"
    assert decision.due == 10.7
    made.decide(decision.due)
    assert made.verdict("e0").status is Status.DOWN


def test_an_endpoint_with_an_answer_long_ago_is_judged_by_its_probes() -> None:
    made = pool(3)
    made.observe("e0", Counts(answers=1), 1.0)
    for at in (20.0, 22.0):
        made.probe("e0", SLOW, at)
        made.decide(at)
    assert made.verdict("e0").status is Status.DOWN


def test_probes_that_time_out_take_out_a_third_of_a_pool_within_a_window() -> None:
    made = pool(9)
    for at in (2.0, 4.0, 6.0):
        for number in range(9):
            made.probe(f"e{number}", SLOW, at)
        decision = made.decide(at)
        assert statuses(made, 9).count(Status.DOWN) == (0 if at == 2.0 else 3)
        assert len(decision.alarms) == (6 if at == 4.0 else 0)
    for number in range(9):
        made.probe(f"e{number}", SLOW, 14.5)
    made.decide(14.5)
    assert statuses(made, 9).count(Status.DOWN) == 6


def test_refused_connections_are_facts_that_nothing_binds() -> None:
    made = pool(3)
    for at in (2.0, 4.0):
        for number in range(3):
            made.probe(f"e{number}", REFUSED, at)
        made.decide(at)
    assert statuses(made, 3) == ["down"] * 3
    assert made.verdict("e0").claim.reason is Reason.CONNECT_REFUSED


def test_failed_requests_confirm_failed_probes() -> None:
    made = pool(3)
    for at in (2.0, 4.0):
        for number in range(3):
            made.observe(f"e{number}", Counts(failures=int(at)), at)
            made.probe(f"e{number}", SLOW, at)
        made.decide(at)
    assert statuses(made, 3) == ["down"] * 3


def test_a_probe_answered_503_drains_at_once_and_a_third_at_most() -> None:
    made = pool(6)
    for number in range(6):
        made.probe(f"e{number}", AWAY, 2.0)
    decision = made.decide(2.0)
    assert statuses(made, 6) == ["draining"] * 2 + ["healthy"] * 4
    assert len(decision.alarms) == 4
    assert made.verdict("e0").claim.reason is Reason.PROBE_DRAINING
    for at in (4.0, 6.0):
        made.probe("e0", GOOD, at)
    made.decide(6.0)
    assert made.verdict("e0").status is Status.HEALTHY


def test_the_last_endpoint_is_not_drained_by_its_word_and_one_that_then_dies_is_down() -> None:
    alone = pool(1)
    alone.probe("e0", AWAY, 2.0)
    alone.decide(2.0)
    assert alone.verdict("e0").status is Status.HEALTHY
    made = pool(3)
    for at, probed, status in (
        (2, AWAY, "draining"),
        (4, REFUSED, "down"),
        (6, REFUSED, "down"),
        (8, GOOD, "down"),
        (10, GOOD, "healthy"),
    ):
        made.probe("e0", probed, at)
        made.decide(at)
        assert made.verdict("e0").status == status, at


def test_an_endpoint_that_is_down_and_answers_all_the_same_is_back() -> None:
    made = pool(3)
    for at in (20.0, 22.0):
        made.probe("e0", SLOW, at)
        made.decide(at)
    assert made.verdict("e0").status is Status.DOWN
    made.observe("e0", Counts(answers=5), 23.0)
    made.decide(23.0)
    assert (made.verdict("e0").status, made.verdict("e0").claim.reason) == (Status.HEALTHY, Reason.TRIAL_PASSED)


def test_a_third_of_a_small_pool_is_one_endpoint() -> None:
    assert [share_of(members) for members in (1, 2, 3, 5, 6, 10)] == [1, 1, 1, 1, 2, 3]
