"""How the reference picks by scores: the best, what is no number, ties, and samples."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.balance.policies import SAMPLES, SCAN_LIMIT
from forebay.balance.reference import Occasion
from forebay.balance.reference.score import Rule, candidates, pick

SCORES = st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, math.inf, -math.inf, math.nan]), min_size=1, max_size=8)
OCCASIONS = st.builds(Occasion, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


def chosen(rule: Rule, scores: list[float], occasion: Occasion) -> int:
    index = pick(rule, scores.__getitem__, [True] * len(scores), occasion)
    assert index is not None
    return index


@given(SCORES, OCCASIONS, st.sampled_from(["least", "most"]), st.sampled_from(["random", "rotate"]))
def test_what_is_no_finite_number_is_picked_only_where_nothing_else_is(scores: list[float], at: Occasion, order: str, ties: str) -> None:
    got = scores[chosen(Rule(order, None, ties), scores, at)]  # type: ignore[arg-type]
    finite = [score for score in scores if math.isfinite(score)]
    if finite:
        assert got == (min(finite) if order == "least" else max(finite))


@pytest.mark.parametrize("scores", [[1.0, 0.0, -0.0, 0.0], [2.0, -1.0, -1.0, -1.0], [math.nan, 5.0, 5.0, 5.0]])
def test_equal_scores_rotate_by_turn_and_are_drawn_alike(scores: list[float]) -> None:
    turns = [chosen(Rule("least", None, "rotate"), scores, Occasion(1, turn)) for turn in range(6)]
    assert turns == [1, 2, 3, 1, 2, 3]
    drawn = Counter(chosen(Rule("least", None, "random"), scores, Occasion(1, turn)) for turn in range(3000))
    assert set(drawn) == {1, 2, 3}
    assert max(drawn.values()) - min(drawn.values()) <= 150


def test_where_no_score_is_a_number_everyone_ties() -> None:
    scores = [math.nan, math.inf, -math.inf]
    assert {chosen(Rule("least", None, "rotate"), scores, Occasion(1, turn)) for turn in range(3)} == {0, 1, 2}


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 4), OCCASIONS)
def test_samples_are_eligible_and_different_and_no_more_than_asked(eligible: list[bool], choices: int, occasion: Occasion) -> None:
    asked = candidates(choices, eligible, occasion)
    able = [index for index, allowed in enumerate(eligible) if allowed]
    assert len(set(asked)) == len(asked)
    assert set(asked) <= set(able)
    assert bool(asked) == bool(able)
    assert len(asked) <= choices or asked == able


def test_a_large_pool_is_sampled_where_the_policy_does_not_say() -> None:
    assert len(candidates(None, [True] * SCAN_LIMIT, Occasion(1, 0))) == SCAN_LIMIT
    assert len(candidates(None, [True] * (SCAN_LIMIT + 1), Occasion(1, 0))) == SAMPLES


def test_the_only_eligible_one_of_many_is_found_though_every_draw_misses_it() -> None:
    eligible = [index == 700 for index in range(1000)]
    assert {pick(Rule("least", 2), lambda _: 1.0, eligible, Occasion(1, turn)) for turn in range(50)} == {700}
    assert pick(Rule(), lambda _: 1.0, [False, False], Occasion(1, 0)) is None
