"""The engine's picks inside a program, and who is left when there are none."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forebay import Balancer, Endpoint, NoEndpoint, Pool, balance

from .asking import THREE, counted, picked


def test_eight_threads_share_round_robin_within_one_and_leave_nothing_in_flight() -> None:
    balancer = Balancer(THREE, balance="round_robin")
    with ThreadPoolExecutor(8) as threads:
        shares = [threads.submit(lambda: Counter(picked(balancer) for _ in range(1000))) for _ in range(8)]
    counts = sum((share.result() for share in shares), Counter())
    assert counts.total() == 8000
    assert max(counts.values()) - min(counts.values()) <= 1
    assert counted(balancer, "picks") == [counts[name] for name in THREE]
    assert counted(balancer, "inflight") == [0, 0, 0]


def test_weights_count_where_the_policy_weighs() -> None:
    balancer = Balancer([Endpoint("10.0.0.1:80", weight=3), Endpoint("10.0.0.2:80")], balance="weighted_round_robin")
    assert Counter(picked(balancer) for _ in range(400)) == {"10.0.0.1:80": 300, "10.0.0.2:80": 100}
    assert counted(balancer, "share") == [0.75, 0.25]


def test_a_weight_of_zero_is_never_picked() -> None:
    balancer = Balancer([Endpoint("10.0.0.1:80", weight=0), Endpoint("10.0.0.2:80")], balance="random")
    assert {picked(balancer) for _ in range(50)} == {"10.0.0.2:80"}


def test_who_is_in_flight_counts() -> None:
    balancer = Balancer(THREE, balance="least_connections")
    with balancer.pick() as first, balancer.pick() as second, balancer.pick() as third:
        assert {first.id, second.id, third.id} == set(THREE)
        assert counted(balancer, "inflight") == [1, 1, 1]
    assert counted(balancer, "inflight") == [0, 0, 0]


def test_a_key_leads_every_process_to_the_same_endpoint_as_text_and_as_bytes() -> None:
    one, other = (Balancer(THREE, balance=balance.consistent_hash()) for _ in range(2))
    keys = [f"user-{number}" for number in range(50)]
    homes = [picked(one, key) for key in keys]
    assert set(homes) == set(THREE)
    assert [picked(one, key) for key in keys] == homes
    assert [picked(other, key.encode()) for key in keys] == homes


def test_a_key_that_is_neither_text_nor_bytes_is_refused() -> None:
    key: Any = 17
    with pytest.raises(TypeError, match="a key is str or bytes, not int"):
        Balancer(THREE).pick(key)


def test_a_seed_repeats_random_picks_and_without_one_they_differ() -> None:
    def picks(seed: int | None) -> list[str]:
        balancer = Balancer(THREE, balance="random", seed=seed)
        return [picked(balancer) for _ in range(100)]

    assert picks(7) == picks(7)
    assert picks(7) != picks(8)
    assert picks(None) != picks(None)


def test_an_endpoint_says_where_it_is() -> None:
    endpoints: list[str | Endpoint] = ["app.test:8080", "[::1]:81", "unix:/run/app.sock", Endpoint("http://10.0.0.1", id="x", weight=2)]
    balancer = Balancer(endpoints, balance="round_robin")
    said = {}
    for _ in range(20):
        with balancer.pick() as each:
            said[each.id] = (each.address, each.host, each.port, each.weight)
    assert said == {
        "app.test:8080": ("app.test:8080", "app.test", 8080, 1),
        "[::1]:81": ("[::1]:81", "::1", 81, 1),
        "unix:/run/app.sock": ("unix:/run/app.sock", "", 0, 1),
        "x": ("10.0.0.1:80", "10.0.0.1", 80, 2),
    }


def test_a_thousand_endpoints_cost_about_what_ten_do() -> None:
    def cost(endpoints: int) -> float:
        balancer = Balancer([f"10.0.{number // 250}.{number % 250}:80" for number in range(endpoints)], balance="round_robin")
        rounds = []
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(1000):
                with balancer.pick():
                    pass
            rounds.append(time.perf_counter() - began)
        return min(rounds)

    assert cost(1000) <= 3 * cost(10)


def test_when_all_have_been_tried_it_says_so() -> None:
    balancer = Balancer(THREE[:2], balance="round_robin")
    with balancer.pick() as first, pytest.raises(NoEndpoint) as raised, balancer.pick(tried=[first, THREE[1]]):
        pass
    assert str(raised.value) == "every endpoint has been tried: 10.0.0.1:80, 10.0.0.2:80; try fewer times, or add endpoints"


def test_when_all_are_full_it_says_so() -> None:
    balancer = Balancer(Pool(THREE[:2], max_inflight=1))
    with balancer.pick() as first, balancer.pick(), pytest.raises(NoEndpoint) as raised, balancer.pick():
        pass
    assert str(raised.value).startswith("all endpoints, 10.0.0.1:80, 10.0.0.2:80, are at their max_inflight of 1;")
    with balancer.pick(tried=[THREE[0]]), pytest.raises(NoEndpoint) as raised, balancer.pick(tried=[THREE[0]]):
        pass
    assert str(raised.value).startswith("the endpoints not tried yet, 10.0.0.2:80, are at their max_inflight of 1;")
    assert first.id in THREE
    assert counted(balancer, "inflight") == [0, 0]


def test_many_names_are_not_all_said() -> None:
    many = [f"10.0.0.{number}:80" for number in range(1, 9)]
    with pytest.raises(NoEndpoint, match=r"10.0.0.4:80, 10.0.0.5:80 and 3 more;"), Balancer(many).pick(tried=many):
        pass
