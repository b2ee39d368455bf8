"""The distributed method: its matrix, its closed forms, and servers that are played through."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import (
    after,
    distributed,
    long_run,
    mean_steps,
    primary_backup,
    servers_up,
    servers_up_in_the_long_run,
    share_each_takes,
    steps_to_none,
)
from forebay.types import Malformed

P = st.floats(0.01, 0.99)
SERVERS = st.integers(1, 8)


def test_each_row_is_binomial_and_none_up_is_for_ever() -> None:
    assert distributed(2, 0.1) == pytest.approx(np.array([[1, 0, 0], [0.1, 0.9, 0], [0.01, 0.18, 0.81]]))
    with_repair = distributed(2, 0.1, repair=0.5)
    assert with_repair[0] == pytest.approx([0.25, 0.5, 0.25])
    assert with_repair[1] == pytest.approx([0.1 * 0.5, 0.9 * 0.5 + 0.1 * 0.5, 0.9 * 0.5])


@given(P, st.floats(0, 1))
def test_with_one_server_it_is_the_matrix_of_primary_and_backup(p: float, repair: float) -> None:
    assert distributed(1, p, repair) == pytest.approx(primary_backup(p, repair))


@given(SERVERS, P, st.integers(0, 40))
def test_its_powers_are_binomial_too(servers: int, p: float, steps: int) -> None:
    assert after(distributed(servers, p), steps)[-1] == pytest.approx(servers_up(servers, p, steps), abs=1e-12)


@given(SERVERS, P)
def test_the_time_until_none_is_up_is_that_of_the_chain(servers: int, p: float) -> None:
    assert mean_steps(distributed(servers, p), {0})[-1] == pytest.approx(steps_to_none(servers, p))
    signs = [(-1) ** (j + 1) * math.comb(servers, j) / (1 - (1 - p) ** j) for j in range(1, servers + 1)]
    assert sum(signs) == pytest.approx(steps_to_none(servers, p))


def test_two_servers_at_one_half_last_eight_thirds() -> None:
    assert steps_to_none(2, 0.5) == pytest.approx(8 / 3)
    assert steps_to_none(1, 0.2) == pytest.approx(5)
    assert steps_to_none(3, 1) == 1
    assert steps_to_none(3, 0) == math.inf


@given(SERVERS, P, st.floats(0.01, 1))
def test_in_the_long_run_each_server_is_up_for_its_share_of_repairs(servers: int, p: float, repair: float) -> None:
    assert long_run(distributed(servers, p, repair)) == pytest.approx(servers_up_in_the_long_run(servers, p, repair), abs=1e-9)


def test_those_that_are_left_take_the_share_of_the_failed() -> None:
    assert share_each_takes(3, 1) == 1.5
    assert share_each_takes(3, 0) == 1
    assert share_each_takes(3, 3) == math.inf


def test_played_servers_fail_and_return_as_the_chain_says() -> None:
    draw, servers, p, repair, games, steps = np.random.default_rng(7), 4, 0.1, 0.3, 40_000, 6
    up = np.ones((games, servers), dtype=bool)
    for _ in range(steps):
        chance = draw.random(up.shape)
        up = np.where(up, chance >= p, chance < repair)
    counted = np.bincount(up.sum(axis=1), minlength=servers + 1) / games
    assert counted == pytest.approx(after(distributed(servers, p, repair), steps)[-1], abs=4 * 0.5 / math.sqrt(games))


def test_played_servers_without_repair_last_as_long_as_the_sum_says() -> None:
    draw, servers, p, games = np.random.default_rng(11), 3, 0.2, 40_000
    last = draw.geometric(p, (games, servers)).max(axis=1)
    assert last.mean() == pytest.approx(steps_to_none(servers, p), abs=4 * last.std() / math.sqrt(games))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: distributed(0, 0.5), "no pool"),
        (lambda: distributed(2, 1.5), "no probability"),
        (lambda: distributed(2, 0.5, repair=2), "no probability"),
        (lambda: servers_up(2, 0.5, -1), "make no sense"),
        (lambda: servers_up_in_the_long_run(2, 0, 0), "nothing changes"),
        (lambda: share_each_takes(2, 3), "cannot fail"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(build: object, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        build()  # type: ignore[operator]
