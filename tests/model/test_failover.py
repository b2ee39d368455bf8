"""The primary-backup method: its matrix as it is known, its closed forms, and a primary that is played through."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import after, long_run, mean_steps, primary_backup, primary_serves, steps_certain, steps_to_last, steps_to_takeover
from forebay.types import Malformed

P = st.floats(0.01, 0.99)
BACKUP, PRIMARY = 0, 1


def test_the_matrix_has_the_backup_first_and_it_serves_for_ever() -> None:
    assert primary_backup(0.1).tolist() == [[1, 0], [0.1, 0.9]]
    assert primary_backup(0.1, repair=0.5).tolist() == [[0.5, 0.5], [0.1, 0.9]]
    assert primary_backup(0.1, backups=2).tolist() == [[1, 0, 0], [0.1, 0.9, 0], [0, 0.1, 0.9]]
    assert primary_backup(0.25, repair=0.5, backups=2).tolist() == [[0.5, 0.5, 0], [0.25, 0.25, 0.5], [0, 0.25, 0.75]]


@given(P, st.floats(0, 1), st.integers(0, 60))
def test_its_powers_are_the_closed_form(p: float, repair: float, steps: int) -> None:
    matrix = after(primary_backup(p, repair), steps)
    assert matrix[PRIMARY, PRIMARY] == pytest.approx(primary_serves(p, steps, repair), abs=1e-12)
    assert matrix.sum(axis=1) == pytest.approx(1)


def test_its_square_is_the_published_one() -> None:
    assert after(primary_backup(0.1), 2) == pytest.approx(np.array([[1, 0], [0.19, 0.81]]))
    assert after(primary_backup(0.1), 0).tolist() == [[1, 0], [0, 1]]


@given(P, st.integers(1, 6))
def test_the_last_backup_serves_after_as_many_times_one_over_p_as_there_are_backups(p: float, backups: int) -> None:
    times = mean_steps(primary_backup(p, backups=backups), {BACKUP})
    assert times == pytest.approx([each * steps_to_takeover(p) for each in range(backups + 1)])
    assert times[-1] == pytest.approx(steps_to_last(p, backups))


@given(P, st.floats(0.01, 1))
def test_in_the_long_run_the_primary_serves_its_share_of_repairs(p: float, repair: float) -> None:
    assert long_run(primary_backup(p, repair)) == pytest.approx([p / (p + repair), repair / (p + repair)])
    assert primary_serves(p, 100_000, repair) == pytest.approx(repair / (p + repair))


@given(P, st.floats(0.01, 0.99))
def test_after_the_certain_number_of_steps_the_backup_serves_so_surely_and_not_a_step_before(p: float, share: float) -> None:
    steps = int(steps_certain(p, share))
    assert 1 - primary_serves(p, steps) >= share - 1e-12
    assert steps == 0 or 1 - primary_serves(p, steps - 1) <= share + 1e-12
    assert steps_certain(0.1, 0.9) == 22


def test_a_primary_that_never_fails_serves_for_ever() -> None:
    assert steps_to_takeover(0) == steps_certain(0, 0.5) == math.inf
    assert steps_certain(1, 0.5) == 1
    assert primary_serves(0, 1000) == 1
    assert mean_steps(primary_backup(0), {BACKUP}).tolist() == [0, math.inf]


def test_a_played_primary_fails_and_returns_as_the_chain_says() -> None:
    draw, p, repair, games, steps = np.random.default_rng(5), 0.05, 0.2, 40_000, 12
    primary = np.ones(games, dtype=bool)
    first = np.full(games, np.inf)
    for step in range(1, 400):
        chance = draw.random(games)
        before = primary
        primary = np.where(primary, chance >= p, chance < repair)
        first = np.where(before & ~primary & np.isinf(first), step, first)
        if step == steps:
            # Four standard deviations of a share of so many games.
            assert primary.mean() == pytest.approx(primary_serves(p, steps, repair), abs=4 * 0.5 / math.sqrt(games))
    assert first.max() < np.inf
    assert first.mean() == pytest.approx(steps_to_takeover(p), abs=4 * (1 / p) / math.sqrt(games))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: primary_backup(1.5), "no probability"),
        (lambda: primary_backup(0.5, repair=-1), "no probability"),
        (lambda: primary_backup(0.7, repair=0.7, backups=2), "above 1"),
        (lambda: primary_backup(0.5, backups=0), "cannot take over"),
        (lambda: primary_serves(0.5, -1), "make no sense"),
        (lambda: steps_certain(0.5, 1), "no share"),
        (lambda: after(primary_backup(0.5), -1), "make no sense"),
        (lambda: after(np.array([[0.5, 0.6], [0, 1]]), 1), "no matrix of probabilities"),
        (lambda: mean_steps(primary_backup(0.5), set()), "no state"),
        (lambda: mean_steps(primary_backup(0.5), {2}), "no state"),
        (lambda: long_run(np.eye(2)), "where the chain begins"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(build: object, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        build()  # type: ignore[operator]
