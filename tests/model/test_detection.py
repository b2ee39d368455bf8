"""What a fault costs: the published count, the limits of the formulas, and faults that are played through."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import FAULTS, Exposure, Probing, cost
from forebay.model.detection import SLOWER
from forebay.types import Malformed

# Three servers of 20 ms and sixteen clients, each of which asks again as soon as it has its answer.
POOL = Exposure(rate=16 / 3 / 0.02, total=16 / 0.02, latency=0.02, racing=0.1, probing=Probing(interval=0.2, timeout=0.2, fall=2))
GAMES = 4_000

EXPOSURES = st.builds(
    Exposure,
    rate=st.floats(0.1, 1000),
    total=st.just(2000.0),
    latency=st.floats(0.001, 0.5),
    consecutive=st.integers(1, 10),
    attempts=st.integers(1, 4),
    racing=st.one_of(st.none(), st.floats(0.6, 5)),
    patience=st.one_of(st.none(), st.floats(6, 60)),
    compared=st.one_of(st.none(), st.integers(1, 50)),
    probing=st.one_of(st.none(), st.builds(Probing, interval=st.floats(0.05, 30), timeout=st.floats(0.01, 5), fall=st.integers(1, 5))),
    others=st.booleans(),
)


def test_a_crash_loses_only_those_on_their_way_that_may_not_run_twice() -> None:
    crash = cost("crash", POOL)
    assert crash.once.expected == pytest.approx(16 / 3)
    assert crash.repeatable.worst == 0
    # Five on their way break at once, which is more than three in a row.
    assert crash.seconds.expected < 0.001
    assert crash.by == "answers"


def test_without_repeating_a_crash_loses_what_comes_until_it_is_found_out() -> None:
    quiet = replace(POOL, rate=10.0, total=30.0, attempts=1, consecutive=1000, probing=Probing(interval=2, timeout=1, fall=3))
    found = cost("crash", quiet)
    assert found.by == "probes"
    assert found.seconds.expected == pytest.approx(5, rel=1e-3)
    assert found.seconds.worst == pytest.approx(6.6)
    assert found.repeatable.expected == found.once.expected == pytest.approx(quiet.rate * (5 + quiet.latency), rel=1e-3)


def test_a_frozen_server_is_found_out_by_the_third_answer_that_takes_too_long() -> None:
    freeze = cost("freeze", POOL)
    assert freeze.seconds.expected == pytest.approx(3 / POOL.rate + 0.1 - 0.02, rel=1e-3)
    assert freeze.repeatable.worst == 0
    assert freeze.once.expected == pytest.approx(POOL.rate * (freeze.seconds.expected + POOL.latency))
    assert freeze.slowest == pytest.approx(0.12)


def test_a_frozen_server_that_nothing_watches_keeps_its_share_for_ever() -> None:
    freeze = cost("freeze", replace(POOL, racing=None, patience=None, probing=None))
    assert (freeze.by, freeze.seconds.expected, freeze.once.worst, freeze.slowest) == ("nothing", math.inf, math.inf, math.inf)


def test_a_slow_server_loses_nothing_unless_its_answers_are_cut() -> None:
    slow = cost("slow", POOL)
    assert (slow.repeatable.worst, slow.once.worst) == (0, 0)
    assert slow.seconds.expected == pytest.approx(10 / POOL.rate + 0.2, rel=1e-3)
    cut = cost("slow", replace(POOL, patience=0.15))
    assert cut.once.expected > 5
    assert cost("slow", replace(POOL, racing=None)).slowest == pytest.approx(SLOWER * POOL.latency)


def test_what_the_budget_does_not_hold_is_lost() -> None:
    busy = replace(POOL, rate=10_000.0, total=30_000.0, budget=0.0, racing=None, patience=None)
    freeze = cost("freeze", busy)
    assert freeze.by == "probes"
    sent = busy.rate * (freeze.seconds.expected + busy.latency)
    assert freeze.repeatable.expected == pytest.approx(sent - 100 - 3 * freeze.seconds.expected)


@given(EXPOSURES)
def test_worst_cases_are_no_better_than_means_and_repeating_never_costs_more(pool: Exposure) -> None:
    for fault in FAULTS:
        found = cost(fault, pool)
        assert found.seconds.worst >= found.seconds.expected * (1 - 1e-2) - 1e-3
        assert 0 <= found.repeatable.expected <= found.once.expected * (1 + 1e-9)
        assert found.repeatable.worst <= found.once.worst
        assert found.slowest >= pool.latency


@given(EXPOSURES, st.floats(0.05, 1))
def test_probing_more_often_never_costs_more(pool: Exposure, factor: float) -> None:
    probing = Probing(interval=2.0, timeout=0.01, fall=2)
    often = replace(probing, interval=probing.interval * factor)
    for fault in FAULTS:
        seldom, soon = (cost(fault, replace(pool, probing=each)).seconds for each in (probing, often))
        assert soon.expected <= seldom.expected * 1.01 + 1e-6
        assert soon.worst <= seldom.worst


def played(fault: str, pool: Exposure, draw: np.random.Generator) -> tuple[float, int, int]:
    """One fault at the moment 0: when no more requests come, how many met it, and how many of these were on their way."""
    assert pool.probing is not None
    probing = pool.probing
    arrivals = np.cumsum(draw.exponential(1 / pool.rate, 4_000)) - pool.latency
    first = draw.uniform(0, probing.interval) + (probing.fall - 1) * probing.interval
    if fault == "crash":
        failing = np.maximum(arrivals, 0.0)[pool.consecutive - 1]
        found = min(float(failing), first)
    else:
        limit = pool.racing if pool.racing is not None else pool.patience
        number = pool.doubts - 1 if pool.racing is not None else pool.consecutive - 1
        assert limit is not None
        found = min(float(arrivals[number]) + limit, first + probing.timeout)
    return found, int((arrivals <= found).sum()), int((arrivals <= 0).sum())


@pytest.mark.parametrize("fault", ["crash", "freeze"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rate": 10.0, "total": 30.0},
        {"rate": 2.0, "total": 6.0, "consecutive": 5},
        {"rate": 5.0, "total": 15.0, "racing": None, "patience": 1.0},
        {"rate": 20.0, "total": 60.0, "racing": 1.0, "probing": Probing(interval=1.0, timeout=0.5, fall=1)},
    ],
)
def test_played_faults_take_as_long_and_meet_as_many_as_the_formula_says(fault: str, changes: dict[str, object]) -> None:
    pool = replace(POOL, attempts=1, **changes)  # type: ignore[arg-type]
    draw = np.random.default_rng(17)
    games = np.array([played(fault, pool, draw) for _ in range(GAMES)])
    said = cost(fault, pool)  # type: ignore[arg-type]
    error = 4 * games.std(axis=0) / math.sqrt(GAMES) + 1e-3
    assert games[:, 0].mean() == pytest.approx(said.seconds.expected, abs=error[0])
    # Seconds are up to a moment that arrivals themselves decide, so that the last of them is one more than the rate says.
    assert games[:, 1].mean() == pytest.approx(said.repeatable.expected, abs=error[1] + 1)
    assert games[:, 2].mean() == pytest.approx(pool.rate * pool.latency, abs=error[2])
    assert (games[:, 0] <= said.seconds.worst + 1e-9).mean() >= 0.998


def test_a_pool_without_traffic_cannot_be_asked() -> None:
    with pytest.raises(Malformed, match="rate of 0"):
        replace(POOL, rate=0.0)
