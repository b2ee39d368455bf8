"""Judging endpoints by their answers: who is found, how soon, and who never is."""

import math
from collections.abc import Callable

from bench.quiet import Traffic
from hypothesis import given
from hypothesis import strategies as st

from forebay.failover.ejection import History, Peers, Sentence, most_out, wilson
from forebay.failover.members import Alarm, Counts, Member
from forebay.failover.pool import PoolHealth
from forebay.failover.rules import EjectionRules, PoolRules
from forebay.failover.status import Status

SEEDS = range(20)


def found_within(seconds: float, traffic: Callable[[int], Traffic]) -> int:
    """In how many of the runs the bad endpoint was found within so many seconds of its going bad, and nobody else ever."""
    runs = [traffic(seed).run(5.0).found for seed in SEEDS]
    assert all(name == "e0" for run in runs for _, name, _ in run)
    return sum(any(at - 2.0 <= seconds for at, _, _ in run) for run in runs)


def test_one_of_five_with_thirty_per_cent_errors_is_found_within_a_second() -> None:
    assert found_within(1.0, lambda seed: Traffic(seed, bad_errors=0.3)) >= len(SEEDS) - 2
    assert found_within(2.0, lambda seed: Traffic(seed, bad_errors=0.3)) == len(SEEDS)


def test_one_of_five_that_is_ten_times_slower_is_found_within_a_second() -> None:
    assert found_within(1.0, lambda seed: Traffic(seed, bad_factor=10.0)) == len(SEEDS)


def test_one_of_two_is_found_as_well() -> None:
    assert found_within(1.0, lambda seed: Traffic(seed, endpoints=2, bad_errors=0.5)) == len(SEEDS)
    assert found_within(1.0, lambda seed: Traffic(seed, endpoints=2, bad_factor=10.0)) == len(SEEDS)


def test_in_quiet_nobody_is_ejected() -> None:
    runs = [Traffic(seed).run(60.0).found for seed in range(100, 105)]
    assert not [each for run in runs for each in run if each[2] == "ejected"]


def test_some_requests_of_five_seconds_are_held_against_nobody() -> None:
    assert [Traffic(seed, outliers=0.01).run(30.0).found for seed in range(3)] == [[]] * 3


def test_errors_that_all_have_are_held_against_nobody() -> None:
    assert [Traffic(seed, errors=0.3).run(20.0).found for seed in range(3)] == [[]] * 3


def failing(pool: PoolHealth, name: str, answers: int, at: float) -> None:
    pool.observe(name, Counts(answers=answers, errors=answers // 2), at)


def test_the_share_that_may_be_left_out_is_kept_and_the_rest_is_spared_with_an_alarm() -> None:
    pool = PoolHealth(PoolRules())
    names = [f"e{number}" for number in range(6)]
    pool.update(dict.fromkeys(names, Member()), 0.0)
    alarms: list[Alarm] = []
    for tick in range(1, 40):
        for number, name in enumerate(names):
            counts = Counts(answers=20 * tick, errors=20 * max(0, tick - 10) if number < 4 else 0)
            pool.observe(name, counts, tick * 0.25)
        alarms += pool.decide(tick * 0.25).alarms
        statuses = [pool.verdict(name).status for name in names]
        assert statuses.count(Status.EJECTED) <= 3
        assert Status.HEALTHY in statuses
    assert {alarm.endpoint for alarm in alarms} <= set(names[:4])


def test_an_ejection_lasts_longer_each_time_and_begins_anew_after_good_conduct() -> None:
    sentence = Sentence(10.0, 60.0)
    assert [sentence.next(now) - now for now in (0.0, 30.0, 60.0, 120.0, 200.0)] == [10, 20, 40, 60, 60]
    assert sentence.next(2000.0) == 2010.0


def test_an_ejected_endpoint_comes_back_by_a_trial() -> None:
    pool = PoolHealth(PoolRules(ejection=EjectionRules(base=3.0)))
    pool.update({"a": Member(), "b": Member()}, 0.0)
    for tick in range(1, 9):
        pool.observe("a", Counts(answers=20 * tick, errors=20 * max(0, tick - 4)), tick * 0.25)
        pool.observe("b", Counts(answers=20 * tick), tick * 0.25)
        pool.decide(tick * 0.25)
    verdict = pool.verdict("a")
    assert (verdict.status, verdict.told, verdict.claim.reason) == ("ejected", "ejected", "error_rate")
    assert verdict.told_until is not None
    assert pool.decide(verdict.told_until - 0.01).changes == ()
    (change,) = pool.decide(verdict.told_until).changes
    assert (change.verdict.status, change.verdict.claim.reason) == ("healthy", "expired")
    assert (change.verdict.told, change.verdict.told_until) == (Status.EJECTED, verdict.told_until), "the engine tries it by itself"
    pool.event("a", "trial_passed", None, verdict.told_until + 1)
    assert pool.decide(verdict.told_until + 1).verdicts["a"].told is Status.HEALTHY


def test_without_peers_that_answer_nobody_is_judged() -> None:
    peers = Peers(10)
    peers.join("a")
    peers.join("b")
    for tick in range(20):
        peers.add("a", 20, 20, 0.0, tick * 0.25)
        assert peers.judge(tick * 0.25) == {}


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_wilson_bound_holds_the_rate_between_it(total: int, part: float) -> None:
    failed = round(total * part)
    low, high = wilson(failed, total)
    assert 0 <= low <= failed / total <= high <= 1


def test_the_wilson_bounds_are_those_of_the_books() -> None:
    # Newcombe 1998, table I: 81 of 263 at 95 %.
    low, high = wilson(81, 263, 1.959964)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 50), st.floats(0, 1))
def test_never_all_of_a_tier_may_be_left_out(members: int, share: float) -> None:
    assert most_out(members, share) <= members - 1
    assert most_out(members, share) <= max(1, math.floor(share * members + 1e-9))
    assert most_out(members, 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 9)), min_size=1, max_size=300), st.floats(0, 40))
def test_a_history_counts_what_came_since(steps: list[tuple[float, int]], back: float) -> None:
    history, now, added = History(1), 0.0, []
    for passed, more in steps:
        now += passed
        history.add((more,), now)
        added.append((now, more))
    counted = history.since(now - min(back, 29.0))[0]
    then = now - min(back, 29.0)
    assert sum(more for at, more in added if at >= then + 0.1) <= counted <= sum(more for at, more in added if at >= then - 0.1)
