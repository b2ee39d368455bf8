"""Pick probabilities: the formulas themselves, what must never change them, and what they refuse."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.balance import POLICIES, consistent_hash, endpoint, least, most, parse, power_of_two, python, random
from forebay.model import State, best_of_samples, pick_probability, scores
from forebay.types import Malformed

CATALOGUE = sorted(set(POLICIES) - {"least", "most", "python"})
WEIGHTS = st.sampled_from([0, 0.5, 1, 1, 2, 3, 10])


@st.composite
def states(draw: st.DrawFn) -> State:
    count = draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return State(
        weight=column(WEIGHTS),
        inflight=column(st.sampled_from([0, 0, 1, 2, 9])),
        latency=column(st.sampled_from([0.001, 0.01, 0.01, 0.5])),
        service_time=column(st.sampled_from([0.001, 0.01, 0.01, 0.5])),
        reported_load=column(st.sampled_from([0, 0.3, 0.9])),
        eligible=draw(st.lists(st.sampled_from([True, True, False]), min_size=count, max_size=count)),
    )


def shuffled(state: State, order: Sequence[int]) -> State:
    return State(
        weight=[state.weight[index] for index in order],
        inflight=[state.inflight[index] for index in order],
        latency=[state.latency[index] for index in order],
        service_time=[state.service_time[index] for index in order],
        reported_load=[state.reported_load[index] for index in order],
        eligible=[state.eligible[index] for index in order],
    )


POLICY = st.sampled_from([*CATALOGUE, "least(inflight, choices=3)", "consistent_hash(bounded_load=1.25)", "first_available(limit=2)"])


def test_every_policy_of_the_catalogue_has_a_formula_but_a_python_callable() -> None:
    state = State(weight=[1, 2, 3])
    for name in CATALOGUE:
        assert pick_probability(name, state).sum() == pytest.approx(1)
    with pytest.raises(Malformed, match="no formula"):
        pick_probability("python:module:function", state)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("round_robin", [1 / 3, 1 / 3, 1 / 3]),
        ("random", [1 / 3, 1 / 3, 1 / 3]),
        ("weighted_round_robin", [1 / 6, 2 / 6, 3 / 6]),
        ("weighted_random", [1 / 6, 2 / 6, 3 / 6]),
        ("consistent_hash", [1 / 6, 2 / 6, 3 / 6]),
        ("consistent_hash(bounded_load=1)", [1 / 3, 2 / 3, 0]),
        ("least_connections", [0.5, 0.5, 0]),
        ("shortest_expected_delay", [0.5, 0.5, 0]),
        ("least_response_time", [0, 1, 0]),
        ("longest_response_time", [0, 0, 1]),
        ("least_busy", [1, 0, 0]),
        ("first_available", [1, 0, 0]),
        ("first_available(limit=1)", [1, 0, 0]),
        ("most(inflight)", [0, 0, 1]),
    ],
)
def test_each_formula_is_that_of_its_page(policy: str, expected: list[float]) -> None:
    state = State(weight=[1, 2, 3], inflight=[0, 1, 5], latency=[0.02, 0.01, 0.08])
    assert pick_probability(policy, state) == pytest.approx(expected)


def test_a_policy_is_named_written_or_made() -> None:
    state = State(weight=[1, 2], inflight=[3, 1])
    for form in ("least(inflight)", parse("least(inflight)"), least(endpoint.inflight)):
        assert list(pick_probability(form, state)) == [0, 1]
    assert list(pick_probability(random, state)) == [0.5, 0.5]


def test_two_choices_of_n_pick_the_best_with_two_of_n_and_never_the_worst() -> None:
    state = State(weight=[1] * 5, inflight=[4, 0, 3, 1, 2])
    # Of n(n-1)/2 pairs the endpoint of rank r is the better one in n-1-r.
    expected = [0, 4 / 10, 1 / 10, 3 / 10, 2 / 10]
    assert pick_probability(power_of_two(endpoint.inflight), state) == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(1, 4), st.integers(0, 3))
def test_the_best_of_samples_is_the_sum_over_every_sample(ranks: list[int], choices: int, others: int) -> None:
    endpoints = len(ranks) + others
    found = sampled(len(ranks), choices, endpoints)
    expected = np.zeros(len(ranks))
    for size, share in found.items():
        subsets = list(itertools.combinations(range(len(ranks)), size or len(ranks)))
        for subset in subsets:
            best = [index for index in subset if ranks[index] == min(ranks[each] for each in subset)]
            expected[best] += share / len(subsets) / len(best)
    assert best_of_samples(np.array(ranks), choices, endpoints) == pytest.approx(expected)


def sampled(able: int, choices: int, endpoints: int) -> dict[int, float]:
    """How many different ones are sampled: the number of draws that hit an able one, then the number of different ones among those."""
    most_, draws = min(choices, able), 8 * choices
    shares = dict.fromkeys(range(most_ + 1), 0.0)
    for hits in range(draws + 1):
        chance = math.comb(draws, hits) * (able / endpoints) ** hits * (1 - able / endpoints) ** (draws - hits)
        for different in range(min(hits, able) + 1):
            onto = sum((-1) ** k * math.comb(different, k) * (different - k) ** hits for k in range(different + 1))
            shares[min(different, most_)] += chance * math.comb(able, different) * onto / able**hits
    return shares


def test_scores_that_are_not_finite_lose_to_all_that_are() -> None:
    state = State(weight=[1, 1, 1, 1], inflight=[0, 0, 2, 3])
    assert list(pick_probability("least(1 / inflight)", state)) == [0, 0, 0, 1]
    assert list(pick_probability("most(1 / inflight)", state)) == [0, 0, 1, 0]
    assert list(pick_probability("least(-1 / inflight)", State(weight=[1, 1]))) == [0.5, 0.5]
    assert list(pick_probability("least(0 * inflight - 0 * latency)", state)) == [0.25] * 4


def test_a_score_is_what_the_expression_gives() -> None:
    state = State(weight=[1, 2], inflight=[3, 0], reported={"kv_cache": [0.5, 0.25]})
    assert list(scores((endpoint.inflight + 1) / endpoint.weight, state)) == [4, 0.5]
    assert list(scores(endpoint.reported("kv_cache") + endpoint.reported("gpu"), state)) == [0.5, 0.25]


def test_what_is_not_given_is_what_an_endpoint_has_that_has_just_joined() -> None:
    state = State(weight=[1, 1])
    assert list(scores(endpoint.latency + endpoint.inflight + endpoint.error_rate + endpoint.age, state)) == [0.001, 0.001]


def test_where_all_have_reached_the_limit_the_first_with_least_in_flight_is_picked() -> None:
    state = State(weight=[1, 1, 1, 0], inflight=[7, 5, 5, 0])
    assert list(pick_probability("first_available(limit=2)", state)) == [0, 1, 0, 0]


def test_pools_above_the_scan_limit_are_sampled() -> None:
    state = State(weight=[1] * 1025, inflight=[float(index) for index in range(1025)])
    shares = pick_probability("least(inflight)", state)
    assert shares[0] == pytest.approx(8 / 1025, rel=1e-9)
    assert shares[:-7] == pytest.approx(sorted(shares, reverse=True)[:-7])
    assert shares.sum() == pytest.approx(1)
    within = State(weight=[1] * 1024, inflight=[float(index) for index in range(1024)])
    assert pick_probability("least(inflight)", within)[0] == 1


@given(POLICY, states())
def test_probabilities_sum_to_one_over_those_that_may_be_picked(policy: str, state: State) -> None:
    shares = pick_probability(policy, state)
    assert shares.shape == (len(state),)
    assert (shares >= 0).all()
    assert not shares[~state.able].any()
    assert shares.sum() == pytest.approx(1 if state.able.any() else 0)


@given(POLICY.filter(lambda name: not name.startswith("first")), states(), st.randoms())
def test_the_order_of_the_endpoints_does_not_matter(policy: str, state: State, shuffler: Random) -> None:
    order = list(range(len(state)))
    shuffler.shuffle(order)
    assert pick_probability(policy, shuffled(state, order)) == pytest.approx(pick_probability(policy, state)[order])


@given(POLICY.filter(lambda name: name != "least_busy"), states(), st.sampled_from([0.125, 2, 64]))
def test_only_the_proportion_of_the_weights_matters(policy: str, state: State, factor: float) -> None:
    scaled = replace(state, weight=[factor * each for each in state.weight])
    assert pick_probability(policy, scaled) == pytest.approx(pick_probability(policy, state), abs=1e-3)


@settings(max_examples=50)
@given(states(), st.integers(1, 6))
def test_one_more_choice_never_makes_the_best_less_likely(state: State, choices: int) -> None:
    def best(count: int) -> float:
        return float(pick_probability(least(endpoint.inflight, choices=count), state).max())

    ranks = np.unique(np.array(state.inflight)[state.able])
    if len(ranks) == state.able.sum() > 0:
        assert best(choices + 1) >= best(choices) - 1e-4


def test_least_and_most_are_each_others_mirror() -> None:
    state = State(weight=[1, 2, 3], inflight=[4, 2, 2])
    assert list(pick_probability(least(endpoint.inflight), state)) == list(pick_probability(most(-endpoint.inflight), state))


def test_a_structural_policy_counts_weights_in_thousandths_and_loses_none() -> None:
    shares = pick_probability("weighted_random", State(weight=[1, 0.00001, 0]))
    assert list(shares) == pytest.approx([1000 / 1001, 1 / 1001, 0])


def test_no_one_to_pick_is_no_probability() -> None:
    assert list(pick_probability("least_connections", State(weight=[0, 0]))) == [0, 0]
    assert list(pick_probability(consistent_hash(bounded_load=1.25), State(weight=[1], eligible=[False]))) == [0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"weight": []}, "no endpoint"),
        ({"weight": [1, -1]}, "negative"),
        ({"weight": [1, math.nan]}, "no finite number"),
        ({"weight": [1, 2], "inflight": [1]}, "inflight has 1 values for 2 endpoints"),
        ({"weight": [1], "reported": {"gpu": [1, 2]}}, "gpu has 2 values"),
        ({"weight": [1], "eligible": [True, True]}, "eligible has 2 values"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(columns: dict[str, list[float]], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        State(**columns)  # type: ignore[arg-type]


def test_what_is_no_policy_is_refused() -> None:
    for wrong in ("ranodm", "least(nothing)", "1 + 1"):
        with pytest.raises(Malformed):
            pick_probability(wrong, State(weight=[1]))
    with pytest.raises(Malformed, match="no formula"):
        pick_probability(python("package.module:function"), State(weight=[1]))
