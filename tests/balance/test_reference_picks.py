"""The reference picks: proportions, exactness, and who may be picked at all."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.balance.reference import (
    LONGEST_CYCLE,
    Occasion,
    WeightedRoundRobin,
    cycle,
    draw,
    first_available,
    mix64,
    random,
    round_robin,
    scale,
    units,
    weighted_random,
)

WEIGHTS = st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any)
SEEDS = st.integers(0, 2**64 - 1)


def able(weights: list[int], eligible: list[bool]) -> set[int]:
    return {index for index, weight in enumerate(weights) if weight and eligible[index]}


@st.composite
def pools(draw_: st.DrawFn) -> tuple[list[int], list[bool]]:
    weights = draw_(WEIGHTS)
    return weights, draw_(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))


def test_draws_are_those_of_splitmix64() -> None:
    # The first outputs for the seed 1234567, as published with the generator's reference implementation.
    assert [draw(1234567, number) for number in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(SEEDS, SEEDS)
def test_the_mixer_maps_no_two_numbers_to_one(one: int, other: int) -> None:
    assert (mix64(one) == mix64(other)) == (one == other)


@given(pools(), SEEDS, st.integers(0, 10**6))
def test_only_who_is_eligible_and_weighs_something_is_picked(pool: tuple[list[int], list[bool]], seed: int, number: int) -> None:
    weights, eligible = pool
    picks = {
        random(weights, eligible, Occasion(seed, number)),
        weighted_random(weights, eligible, Occasion(seed, number)),
        first_available(weights, eligible, weights, 10),
        (round_robin(weights, eligible, number) or (None, number))[0],
        (WeightedRoundRobin(weights).pick(eligible, Occasion(seed, number)) or (None, number))[0],
    }
    assert picks <= able(weights, eligible) if able(weights, eligible) else picks == {None}


@given(WEIGHTS)
def test_each_endpoint_has_exactly_its_turns_in_a_cycle(weights: list[int]) -> None:
    turns = WeightedRoundRobin(weights).cycle
    assert turns is not None
    divisor = math.gcd(*weights)
    assert len(turns) == sum(weights) // divisor
    assert [turns.count(index) for index in range(len(weights))] == [weight // divisor for weight in weights]


@given(WEIGHTS, st.integers(0, 1000))
def test_any_stretch_of_one_cycle_is_shared_in_proportion(weights: list[int], start: int) -> None:
    policy = WeightedRoundRobin(weights)
    assert policy.cycle is not None
    length = len(policy.cycle)
    picks = Counter(policy.cycle[number % length] for number in range(start, start + length))
    everyone = [True] * len(weights)
    for number in range(start, start + length):
        assert policy.pick(everyone, Occasion(0, number)) == (policy.cycle[number % length], number + 1)
    assert all(picks[index] * sum(weights) == weight * length for index, weight in enumerate(weights))


@given(WEIGHTS)
def test_turns_are_spread_evenly_and_not_taken_in_a_row(weights: list[int]) -> None:
    # Smooth weighted round robin keeps every endpoint within its number of endpoints of its exact share at every moment.
    turns = cycle(weights)
    taken = [0] * len(weights)
    for step, index in enumerate(turns, 1):
        taken[index] += 1
        assert all(abs(have - step * weight / sum(weights)) < len(weights) for have, weight in zip(taken, weights, strict=True))


def test_equal_weights_are_plain_turns() -> None:
    policy = WeightedRoundRobin([7, 7, 7])
    assert [policy.pick([True] * 3, Occasion(0, number)) for number in range(4)] == [(0, 1), (1, 2), (2, 3), (0, 4)]


def test_the_turns_are_those_that_nginx_documents() -> None:
    assert cycle([5, 1, 1]) == [0, 0, 1, 0, 2, 0, 0]


def test_the_others_share_what_an_ineligible_one_leaves() -> None:
    policy = WeightedRoundRobin([1, 1, 1])
    picks, number = [], 0
    for _ in range(6):
        picked = policy.pick([True, False, True], Occasion(0, number))
        assert picked is not None
        index, number = picked
        picks.append(index)
    assert picks == [0, 2, 0, 2, 0, 2]


@pytest.mark.parametrize("weights", [[1], [1, 1], [3, 1], [10, 0, 5, 1]])
def test_random_picks_come_near_their_proportions(weights: list[int]) -> None:
    count = 20_000
    everyone = [True] * len(weights)
    weighted = Counter(weighted_random(weights, everyone, Occasion(1, number)) for number in range(count))
    alike = Counter(random(weights, everyone, Occasion(1, number)) for number in range(count))
    alive = [weight > 0 for weight in weights]
    for index, weight in enumerate(weights):
        # Four standard deviations of a binomial share, which one seed either keeps for ever or never.
        assert abs(weighted[index] / count - weight / sum(weights)) <= 4 * math.sqrt(0.25 / count)
        assert abs(alike[index] / count - alive[index] / sum(alive)) <= 4 * math.sqrt(0.25 / count)


def test_draws_do_not_depend_on_who_was_eligible_before() -> None:
    weights = [1, 1, 1, 1]
    alone = [random(weights, [True] * 4, Occasion(9, number)) for number in range(50)]
    mixed = [random(weights, [number % 2 == 0 or index < 3 for index in range(4)], Occasion(9, number)) for number in range(50)]
    assert alone[::2] == mixed[::2]


def test_after_sixteen_misses_a_draw_falls_on_the_eligible_alone() -> None:
    # Two in 500 are eligible, so that 16 draws miss them in 94 of 100 picks.
    weights = [1.0, 3.0] * 250
    eligible = [index in {10, 11} for index in range(500)]
    alike = Counter(random(weights, eligible, Occasion(1, number)) for number in range(400))
    weighted = Counter(weighted_random(weights, eligible, Occasion(1, number)) for number in range(400))
    assert set(alike) == set(weighted) == {10, 11}
    assert abs(alike[10] - 200) <= 40
    assert abs(weighted[10] - 100) <= 35


def test_an_ineligible_stretch_of_a_cycle_is_passed_by_in_steps_of_64_and_drawn_for_meanwhile() -> None:
    policy = WeightedRoundRobin([1000, 1, 3])
    picks: Counter[int] = Counter()
    turn = 0
    for _ in range(4000):
        picked = policy.pick([False, True, True], Occasion(5, turn))
        assert picked is not None
        assert 1 <= picked[1] - turn <= 65
        picks[picked[0]] += 1
        turn = picked[1]
    assert set(picks) == {1, 2}
    assert abs(picks[1] - 1000) <= 110


def test_round_robin_takes_no_account_of_weights_but_zero() -> None:
    picks, number = [], 0
    for _ in range(6):
        picked = round_robin([5, 0, 1, 9], [True, True, True, False], number)
        assert picked is not None
        picks.append(picked[0])
        number = picked[1]
    assert picks == [0, 2, 0, 2, 0, 2]
    assert number == 8, "the ineligible one's turns are used up"


def test_first_available_fills_one_after_the_other_and_then_the_least_loaded() -> None:
    weights, everyone = [1, 0, 1, 1], [True] * 4
    assert first_available(weights, everyone, [2, 0, 0, 0], 3) == 0
    assert first_available(weights, everyone, [3, 0, 2, 0], 3) == 2
    assert first_available(weights, everyone, [5, 0, 4, 4], 3) == 2
    assert first_available(weights, everyone, [99, 0, 4, 4], None) == 0


def test_a_weight_is_counted_in_thousandths_and_never_lost() -> None:
    assert [units(weight) for weight in (1.0, 0.1, 0.0005, 1e-300, 0.0, -1.0, math.nan)] == [1000, 100, 1, 1, 0, 0, 0]
    assert [units(weight) for weight in (1000, 0.0624, math.inf)] == [1_000_000, 62, 2**32 - 1]


def test_scaling_stays_in_bounds_and_reaches_both_ends() -> None:
    assert (scale(0, 7), scale(2**64 - 1, 7)) == (0, 6)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 1000), min_size=70, max_size=90), st.integers(0, 2**64 - 1))
def test_turns_of_weights_that_no_cycle_holds_are_in_proportion_and_spread_evenly(weights: list[int], start: int) -> None:
    weights[:3] = [LONGEST_CYCLE, 1, 0]
    policy, everyone = WeightedRoundRobin(weights), [True] * len(weights)
    assert policy.cycle is None
    turns = 600
    picks = [policy.pick(everyone, Occasion(0, start + number)) for number in range(turns)]
    picked = Counter(pick[0] for pick in picks if pick)
    shares = [turns * weight / sum(weights) for weight in weights]
    assert all(abs(picked[index] - share) <= math.log2(turns) for index, share in enumerate(shares))


def test_a_weight_of_zero_has_no_turn_and_the_others_have_their_share() -> None:
    weights = [number * number for number in range(100)]
    policy, turns = WeightedRoundRobin(weights), 5000
    assert policy.cycle is None
    picks = [policy.pick([True] * len(weights), Occasion(1, number)) for number in range(turns)]
    picked = Counter(pick[0] for pick in picks if pick)
    assert picked[0] == 0
    assert all(abs(picked[index] - turns * weight / sum(weights)) <= math.log2(turns) for index, weight in enumerate(weights))
