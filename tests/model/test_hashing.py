"""Consistent hashes: published values, and the formulas against rings and keys that are drawn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.balance.reference.tables import Maglev, Ring, members
from forebay.model import keys_peak, leaver_share, maglev_moved, maglev_peak, maglev_slots, moved, peak, ring_peak, ring_spread
from forebay.model.hashing import RING_POINTS
from forebay.types import Malformed

SERVERS = st.integers(1, 1000)


@pytest.mark.parametrize(("points", "published"), [(40, 1.48), (160, 1.24), (1000, 1.10)])
def test_a_ring_of_a_hundred_has_the_published_peaks(points: int, published: float) -> None:
    assert round(ring_peak(100, points), 2) == published


@pytest.mark.parametrize(("servers", "points"), [(5, 250), (10, 250), (100, 160), (100, 40)])
def test_rings_that_are_drawn_have_the_spread_of_the_formula_and_at_most_its_peak(servers: int, points: int) -> None:
    draws = np.random.default_rng(1)
    shares = np.array([ring(draws, servers, points) for _ in range(300)])
    assert float(np.std(shares) * servers) == pytest.approx(ring_spread(servers, points), rel=0.08)
    excess = float(np.mean(shares.max(axis=1)) * servers) - 1
    assert excess < ring_peak(servers, points) - 1 < 1.6 * excess


def ring(draws: np.random.Generator, servers: int, points: int) -> np.ndarray:
    """The share of each server where each has so many points at random places."""
    places = draws.random(servers * points)
    order = np.argsort(places)
    arcs = np.diff(places[order], prepend=places[order[-1]] - 1)
    return np.bincount(order % servers, weights=arcs, minlength=servers)


def test_a_perfect_table_has_at_most_the_peak_that_its_keys_have() -> None:
    draws = np.random.default_rng(1)
    excess = float(np.mean([peak(list(draws.integers(10, size=10_000)), [1.0] * 10) for _ in range(200)])) - 1
    assert keys_peak(10, 10_000) == pytest.approx(1.07, abs=0.005)
    assert excess < keys_peak(10, 10_000) - 1 < 1.6 * excess


def test_the_ring_of_the_reference_has_as_many_points_as_the_formula_takes() -> None:
    for servers in (1, 3, 10):
        assert len(Ring(members([(str(index), 1.0) for index in range(servers)], 1)).points) == servers * RING_POINTS


@pytest.mark.parametrize("servers", [1, 2, 10, 100])
def test_a_maglev_table_moves_what_it_must_and_few_more(servers: int) -> None:
    assert 1 / servers - 0.001 <= maglev_moved(servers, seed=3) <= 1 / servers + 0.01


@pytest.mark.parametrize("servers", [3, 10, 700])
def test_a_maglev_table_of_the_reference_has_the_size_and_peak_of_the_formulas(servers: int) -> None:
    slots = Maglev(members([(str(index), 1.0) for index in range(servers)], 1)).slots
    assert len(slots) == maglev_slots(servers)
    assert peak(slots, [1.0] * servers) == pytest.approx(maglev_peak(servers))


def test_a_maglev_table_has_the_checked_peaks() -> None:
    assert maglev_peak(10, 65_537) == pytest.approx(1.00005, abs=5e-6)
    assert maglev_peak(1000, 65_537) == pytest.approx(1.0071, abs=5e-5)


@settings(max_examples=30)
@given(SERVERS)
def test_a_maglev_tables_peak_is_one_slot_more_at_most(servers: int) -> None:
    assert 1 <= maglev_peak(servers, 65_537) <= 1 + servers / 65_537
    assert 1 <= maglev_peak(servers) <= 1.01
    assert maglev_peak(servers, servers * 100) == 1


@given(SERVERS, st.integers(1, 1000))
def test_more_points_make_a_ring_more_even(servers: int, points: int) -> None:
    assert 1 <= ring_peak(servers, points + 1) <= ring_peak(servers, points)
    assert 0 <= ring_spread(servers, points + 1) <= ring_spread(servers, points)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20))
def test_what_moves_when_one_leaves_is_its_share(weight: list[float]) -> None:
    shares = [leaver_share(weight, leaver) for leaver in range(len(weight))]
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([each / sum(weight) for each in weight])


def test_moved_keys_are_those_with_another_owner() -> None:
    assert moved([0, 1, 2, 2], [0, 1, 1, 0]) == 0.5
    assert moved([3], [3]) == 0


def test_the_peak_is_counted_against_the_fair_share() -> None:
    assert peak([0, 0, 1, 1], [1, 1]) == 1
    assert peak([0, 0, 0, 1], [1, 1]) == 1.5
    assert peak([0, 0, 0, 1], [3, 1, 0]) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ring_peak(0), "0 servers"),
        (lambda: ring_spread(3, 0), "0 points"),
        (lambda: maglev_peak(10, 5), "not enough"),
        (lambda: keys_peak(3, 0), "0 keys"),
        (lambda: leaver_share([1, 1], 2), "no endpoint number 2"),
        (lambda: leaver_share([1, 1], -1), "no endpoint number -1"),
        (lambda: leaver_share([0, 0], 0), "make no shares"),
        (lambda: leaver_share([1, math.nan], 0), "make no shares"),
        (lambda: moved([1], [1, 2]), "1 owners before and 2 after"),
        (lambda: moved([], []), "0 owners"),
        (lambda: peak([], [1]), "no share"),
        (lambda: peak([0], [0]), "no share"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_what_to_give(call: Callable[[], float], words: str) -> None:
    with pytest.raises(Malformed, match=words) as raised:
        call()
    assert raised.value.hint
