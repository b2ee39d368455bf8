"""Queues: published values, limits that must hold, and the formulas against a queue that is played through."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.model import (
    erlang_b,
    erlang_c,
    mmk_response,
    mmk_waiting,
    mmk_waiting_quantile,
    power_of_d_response,
    power_of_d_tail,
    power_of_two_response,
    random_response,
    round_robin_response,
    shortest_queue_response,
)
from forebay.model.shortest import EXACT_SERVERS, _jockeying, _threshold
from forebay.types import Malformed

LOADS = st.floats(0, 0.99)
SERVERS = st.integers(1, 200)


@pytest.mark.parametrize(
    ("load", "means"),
    [(0.9, (10, 2.614, 2.028)), (0.95, (20, 3.383, 2.535)), (0.99, (100, 5.432, 3.858))],
)
def test_one_two_and_three_choices_give_the_published_means(load: float, means: tuple[float, ...]) -> None:
    assert [round(power_of_d_response(load, choices), 3) for choices in (1, 2, 3)] == list(means)


def test_the_mean_of_choices_is_the_sum_over_its_tail_by_littles_law() -> None:
    tail = sum(power_of_d_tail(0.95, 2, jobs) for jobs in range(1, 60))
    assert power_of_d_response(0.95, 2) == pytest.approx(tail / 0.95)


def test_the_tail_of_choices_falls_from_all_over_the_load_to_none() -> None:
    assert [power_of_d_tail(0.9, 2, jobs) for jobs in range(4)] == pytest.approx([1, 0.9, 0.9**3, 0.9**7])
    assert power_of_d_tail(0.9, 2, 5000) == 0
    assert power_of_d_tail(0, 2, 0) == 1
    assert power_of_d_tail(0.5, 1, 3) == pytest.approx(0.125)


def test_erlangs_formulas_give_the_tabulated_values() -> None:
    assert erlang_b(10, 9) == pytest.approx(0.16796, abs=5e-6)
    assert erlang_b(5, 3) == pytest.approx(0.11005, abs=5e-6)
    assert erlang_b(1, 1) == 0.5
    assert erlang_c(10, 0.9) == pytest.approx(0.66873, abs=5e-6)
    assert erlang_c(2, 0.5) == pytest.approx(1 / 3)


@given(st.integers(1, 12), st.floats(0, 20))
def test_erlang_b_is_its_textbook_ratio(servers: int, offered: float) -> None:
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    assert erlang_b(servers, offered) == pytest.approx(terms[-1] / sum(terms))


@given(LOADS)
def test_one_server_is_one_queue_whatever_the_policy(load: float) -> None:
    assert erlang_c(1, load) == pytest.approx(load)
    for response in (mmk_response(1, load), round_robin_response(1, load), shortest_queue_response(1, load)):
        assert response == pytest.approx(random_response(load))


@given(SERVERS, LOADS)
def test_no_policy_beats_one_common_queue_and_turns_beat_chance(servers: int, load: float) -> None:
    within = 1 + 1e-9
    assert 1 <= mmk_response(servers, load) <= round_robin_response(servers, load) * within
    assert round_robin_response(servers, load) <= random_response(load) * within


@given(LOADS, st.integers(1, 6))
def test_more_choices_are_never_worse(load: float, choices: int) -> None:
    assert power_of_d_response(load, choices + 1) <= power_of_d_response(load, choices) * (1 + 1e-9)


@given(SERVERS, LOADS, st.floats(1e-6, 1e3))
def test_means_scale_with_the_service_time(servers: int, load: float, service: float) -> None:
    assert mmk_response(servers, load, service) == pytest.approx(service * mmk_response(servers, load))
    assert round_robin_response(servers, load, service) == pytest.approx(service * round_robin_response(servers, load))
    assert power_of_d_response(load, 2, service) == pytest.approx(service * power_of_d_response(load))
    assert random_response(load, service) == pytest.approx(service * random_response(load))


@given(SERVERS, st.floats(0.01, 0.99), st.floats(0, 0.999))
def test_the_quantile_of_the_wait_is_where_its_tail_has_that_share(servers: int, load: float, share: float) -> None:
    wait = mmk_waiting_quantile(servers, load, share)
    tail = erlang_c(servers, load) * math.exp(-servers * (1 - load) * wait)
    assert tail == pytest.approx(1 - share) if wait else tail <= 1 - share + 1e-12


def test_the_mean_wait_is_the_integral_of_its_tail() -> None:
    waits = np.linspace(0, 200, 2_000_001)
    tail = erlang_c(3, 0.8) * np.exp(-3 * (1 - 0.8) * waits)
    assert mmk_waiting(3, 0.8) == pytest.approx(float(np.trapezoid(tail, waits)), rel=1e-6)


def test_turns_and_chance_answer_as_a_queue_that_is_played_through() -> None:
    draws = np.random.default_rng(1)
    count, load, servers = 400_000, 0.8, 5
    exponential = draws.exponential(size=count)
    alike, mixed = np.ones(count), np.where(draws.random(count) < 0.9, 0.5, 5.5)
    by_turns, by_chance = draws.gamma(servers, 1 / (servers * load), size=count), draws.exponential(1 / load, size=count)
    for gaps, service, expected in (
        (by_turns, exponential, round_robin_response(servers, load)),
        (by_chance, exponential, random_response(load)),
        (by_chance, alike, random_response(load, variation=0)),
        (by_chance, mixed, random_response(load, variation=1.5)),
    ):
        # Lindley: a wait is the wait before, plus that service, less the time between the two arrivals, and never below 0.
        steps = np.cumsum(service[:-1] - gaps[1:])
        waits = steps - np.minimum(np.minimum.accumulate(steps), 0)
        assert float(waits.mean() + service.mean()) == pytest.approx(expected, rel=0.03)


def test_the_shortest_of_two_queues_is_that_of_the_whole_chain() -> None:
    assert shortest_queue_response(2, 0.5) == pytest.approx(1.4263, abs=5e-5)
    for load in (0.3, 0.6, 0.8):
        assert shortest_queue_response(2, load) == pytest.approx(whole_chain_of_two(load), rel=1e-3)


def whole_chain_of_two(load: float, longest: int = 30) -> float:
    """The mean response of two servers under the shorter queue: every pair of lengths up to `longest`, solved at once."""
    size = longest + 1
    rates = np.zeros((size * size, size * size))
    for one in range(size):
        for two in range(size):
            moves = [((one - 1, two), 1.0), ((one, two - 1), 1.0)]
            moves += [((one + 1, two), 2 * load * ((one < two) + 0.5 * (one == two)))]
            moves += [((one, two + 1), 2 * load * ((two < one) + 0.5 * (one == two)))]
            for (first, second), rate in moves:
                if 0 <= first < size and 0 <= second < size:
                    rates[one * size + two, first * size + second] += rate
                    rates[one * size + two, one * size + two] -= rate
    balance = rates.T.copy()
    balance[-1] = 1
    share = np.linalg.solve(balance, np.eye(size * size)[-1]).reshape(size, size)
    lengths = np.arange(size)
    return float((share * (lengths[:, None] + lengths)).sum() / (2 * load * (1 - share[-1, -1])))


def test_the_chain_is_used_up_to_the_number_of_servers_that_is_told() -> None:
    assert _threshold(EXACT_SERVERS) > 1
    assert _threshold(EXACT_SERVERS + 1) == 1


def test_with_threshold_one_the_shortest_queue_is_one_common_queue() -> None:
    assert _jockeying(6, 0.9, 1) == pytest.approx(mmk_response(6, 0.9))


def test_the_shortest_queue_comes_from_below_as_its_threshold_grows() -> None:
    means = [_jockeying(5, 0.9, threshold) for threshold in range(1, 8)]
    assert means == sorted(means)
    assert means[-1] - means[-2] < 1e-4 < means[1] - means[0]


@pytest.mark.parametrize(("servers", "played"), [(5, 2.7984), (10, 1.9136), (20, 1.4642), (40, 1.2237)])
def test_the_shortest_queue_is_as_near_as_its_page_says(servers: int, played: float) -> None:
    # Played through as the true chain with 60 million steps; known to about 0.1 %.
    assert 0.99 * played <= shortest_queue_response(servers, 0.9) <= 1.002 * played


@pytest.mark.parametrize(
    ("servers", "load", "played"),
    [(3, 0.9, 4.281), (10, 0.5, 1.287), (10, 0.9, 2.984), (100, 0.9, 2.648), (10, 0.99, 12.82)],
)
def test_two_choices_among_few_servers_are_as_near_as_their_page_says(servers: int, load: float, played: float) -> None:
    # Played through likewise, two different servers sampled for each request.
    within = 0.15 if load > 0.95 else 0.04
    assert power_of_two_response(servers, load) == pytest.approx(played, rel=within)


@settings(max_examples=30)
@given(SERVERS, LOADS)
def test_two_choices_are_never_better_than_all_nor_worse_than_chance(servers: int, load: float) -> None:
    two = power_of_two_response(servers, load)
    assert shortest_queue_response(servers, load) <= two <= random_response(load) * (1 + 1e-9)


@pytest.mark.parametrize("servers", [1, 2, 3, 7, 10, 20, 40, 41, 500])
def test_the_shortest_queue_lies_between_one_common_queue_and_turns(servers: int) -> None:
    response = shortest_queue_response(servers, 0.9, 2.0)
    assert mmk_response(servers, 0.9, 2.0) * (1 - 1e-9) <= response <= round_robin_response(servers, 0.9, 2.0) * (1 + 1e-9)
    assert shortest_queue_response(servers, 0) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: random_response(1), "grow without end"),
        (lambda: random_response(-0.1), "makes no sense"),
        (lambda: random_response(math.nan), "makes no sense"),
        (lambda: random_response(0.5, variation=-1), "variation"),
        (lambda: mmk_waiting(0, 0.5), "0 servers"),
        (lambda: round_robin_response(3, 1.5), "grow without end"),
        (lambda: shortest_queue_response(3, 1), "grow without end"),
        (lambda: power_of_d_response(0.5, 0), "0 choices"),
        (lambda: power_of_d_tail(0.5, 2, -1), "make no sense"),
        (lambda: erlang_b(3, -1), "erlangs"),
        (lambda: mmk_response(3, 0.5, 0), "service time"),
        (lambda: mmk_waiting_quantile(3, 0.5, 1), "no share"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_what_to_give(call: Callable[[], float], words: str) -> None:
    with pytest.raises(Malformed, match=words) as raised:
        call()
    assert raised.value.hint


def test_extreme_numbers_still_have_answers() -> None:
    assert power_of_d_response(1 - 1e-12, 2) < 60
    assert erlang_c(5000, 0.99) < 1
    assert round_robin_response(5000, 0.999) < random_response(0.999)
    assert power_of_d_response(0.999, 1000) < 3
