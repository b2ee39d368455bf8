"""Availability: the check values, the chains of rates that the closed forms solve, and pairs that are played through."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import hot_standby, in_series, k_of_n, long_run_of_rates, pair_down, pair_lifetime, single, single_at
from forebay.types import Malformed

FAIL, REPAIR = 1 / 1000, 1 / 2
RATES = st.floats(1e-4, 10)
SHARES = st.floats(0, 1)


def rates(flows: Mapping[tuple[int, int], float]) -> np.ndarray:
    """The matrix of rates with these flows from one state to another."""
    count = 1 + max(max(pair) for pair in flows)
    matrix = np.zeros((count, count))
    for pair, rate in flows.items():
        matrix[pair] = rate
    return matrix - np.diag(matrix.sum(axis=1))


def test_the_check_values_are_met() -> None:
    assert single(FAIL, REPAIR) == pytest.approx(0.998003992, abs=5e-10)
    assert pair_down(FAIL, REPAIR) == pytest.approx(3.98405e-6, rel=5e-6)
    assert pair_down(FAIL, REPAIR, repairers=1) == pytest.approx(7.96806e-6, rel=5e-6)
    assert k_of_n(2, 3, 0.99) == pytest.approx(0.999702)
    pair = hot_standby(FAIL, REPAIR, coverage=0.95, manual=4, switch=1200)
    assert pair.both == pytest.approx(0.9959948144, abs=5e-11)
    assert pair.switching == pytest.approx(7.88496e-7, rel=5e-6)
    assert pair.unnoticed == pytest.approx(1.24499e-5, rel=5e-6)
    assert pair.none == pytest.approx(7.96796e-6, rel=5e-6)
    assert pair.down == pytest.approx(2.12064e-5, rel=5e-6)
    assert pair.minutes_a_year == pytest.approx(11.15, abs=0.005)
    assert hot_standby(FAIL, REPAIR, coverage=0.95, manual=4, switch=math.inf).down == pytest.approx(2.04179e-5, rel=5e-6)
    lifetimes = [pair_lifetime(FAIL, REPAIR, coverage=coverage) for coverage in (1, 0.95, 0.5)]
    assert lifetimes == pytest.approx([251_500, 9_671.154, 1_000])


@given(RATES, RATES)
def test_one_unit_and_two_are_the_long_run_of_their_chains(fail: float, repair: float) -> None:
    one = rates({(0, 1): repair, (1, 0): fail})
    assert long_run_of_rates(one)[1] == pytest.approx(single(fail, repair))
    for repairers in (1, 2):
        two = rates({(0, 1): repairers * repair, (1, 2): repair, (1, 0): fail, (2, 1): 2 * fail})
        assert long_run_of_rates(two)[0] == pytest.approx(pair_down(fail, repair, repairers=repairers), abs=1e-9)


@given(RATES, RATES, SHARES, RATES, RATES)
def test_the_hot_standby_is_the_long_run_of_its_chain(fail: float, repair: float, coverage: float, manual: float, switch: float) -> None:
    both, one, switching, unnoticed, none = range(5)
    flows = {
        (both, one): fail,  # the standby's own failure: nothing to switch
        (both, switching): fail * coverage,
        (both, unnoticed): fail * (1 - coverage),
        (switching, one): switch,
        (unnoticed, one): manual,
        (one, both): repair,
        (one, none): fail,
        (none, one): repair,
    }
    pair = hot_standby(fail, repair, coverage=coverage, manual=manual, switch=switch)
    found = [pair.both, pair.one, pair.switching, pair.unnoticed, pair.none]
    assert found == pytest.approx(long_run_of_rates(rates(flows)), abs=1e-9)
    assert sum(found) == pytest.approx(1)


@given(st.floats(0.001, 10), st.floats(0.001, 10), SHARES)
def test_the_lifetime_of_a_pair_is_the_absorbing_time_of_its_chain(fail: float, repair: float, coverage: float) -> None:
    # From one unit left and from both: t = 1/rate out + where it then is.
    stays = np.array([[fail + repair, -repair], [-2 * fail * coverage, 2 * fail]])
    assert np.linalg.solve(stays, np.ones(2))[1] == pytest.approx(pair_lifetime(fail, repair, coverage=coverage))


@given(st.integers(1, 12), SHARES)
def test_k_of_n_lies_between_needing_none_and_needing_all(units: int, availability: float) -> None:
    chances = [k_of_n(needed, units, availability) for needed in range(units + 1)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(1)
    assert chances[-1] == pytest.approx(in_series([availability] * units))
    assert chances[1] == pytest.approx(1 - (1 - availability) ** units)


@given(RATES, RATES)
def test_a_unit_begins_at_work_and_ends_at_its_availability(fail: float, repair: float) -> None:
    assert single_at(fail, repair, 0) == pytest.approx(1)
    assert single_at(fail, repair, 1e6) == pytest.approx(single(fail, repair))


def test_played_pairs_last_as_long_as_the_closed_form_says() -> None:
    draw, fail, repair, coverage, games = np.random.default_rng(3), 1.0, 4.0, 0.9, 20_000
    alive, units, age = np.ones(games, dtype=bool), np.full(games, 2), np.zeros(games)
    while alive.any():
        out = np.where(units == 2, 2 * fail, fail + repair)
        age += np.where(alive, draw.exponential(1 / out), 0.0)
        chance = draw.random(games)
        survives = np.where(units == 2, chance < coverage, chance < repair / (fail + repair))
        alive &= survives
        units = np.where(units == 2, 1, 2)
    assert age.mean() == pytest.approx(pair_lifetime(fail, repair, coverage=coverage), abs=4 * age.std() / math.sqrt(games))


def test_a_played_standby_is_down_for_the_share_of_time_that_the_closed_form_says() -> None:
    draw, fail, repair, coverage, manual, switch = np.random.default_rng(9), 0.2, 1.0, 0.8, 2.0, 10.0
    ways = {
        "both": (("one", fail), ("switching", fail * coverage), ("unnoticed", fail * (1 - coverage))),
        "one": (("both", repair), ("none", fail)),
        "switching": (("one", switch),),
        "unnoticed": (("one", manual),),
        "none": (("one", repair),),
    }
    spent = dict.fromkeys(ways, 0.0)
    state = "both"
    for chance, wait in zip(draw.random(200_000), draw.exponential(1, 200_000), strict=True):
        out = sum(rate for _, rate in ways[state])
        spent[state] += wait / out
        left = chance * out
        for target, rate in ways[state]:  # noqa: B007 - the way on which it stops
            left -= rate
            if left <= 0:
                break
        state = target
    pair = hot_standby(fail, repair, coverage=coverage, manual=manual, switch=switch)
    for name, seconds in spent.items():
        assert seconds / sum(spent.values()) == pytest.approx(getattr(pair, name), rel=0.03), name


def test_not_noticing_costs_more_than_switching_slowly() -> None:
    def down(coverage: float, switch: float) -> float:
        return hot_standby(FAIL, REPAIR, coverage=coverage, manual=4, switch=switch).down

    unnoticed = down(0.95, math.inf) - down(1, math.inf)
    slow = down(1, 1200) - down(1, math.inf)
    assert 14 < unnoticed / slow < 17


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: single(0, 1), "no rate"),
        (lambda: single(1, math.inf), "no rate"),
        (lambda: single_at(1, 1, -1), "makes no sense"),
        (lambda: in_series([0.5, 2]), "no probability"),
        (lambda: k_of_n(4, 3, 0.5), "cannot be needed"),
        (lambda: pair_down(1, 1, repairers=3), "repairers"),
        (lambda: hot_standby(1, 1, coverage=2, manual=1, switch=1), "no probability"),
        (lambda: hot_standby(1, 1, coverage=1, manual=1, switch=0), "switch-over"),
        (lambda: pair_lifetime(1, 1, coverage=-1), "no probability"),
        (lambda: long_run_of_rates(np.ones((2, 2))), "no matrix of rates"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(build: object, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        build()  # type: ignore[operator]
