"""Consistent hashing of the reference: shares, keys that move, and who takes a key in another's place."""

import math
from collections import Counter

import pytest

from forebay.balance.reference import ConsistentHash, Occasion, xxh64
from forebay.balance.reference.tables import TABLES, Maglev, Ring, members

KEYS = [xxh64(str(number).encode(), 1) for number in range(2000)]


def pool(count: int, weights: tuple[float, ...] = (1.0,)) -> list[tuple[str, float]]:
    return [(f"10.0.0.{number}:80", weights[number % len(weights)]) for number in range(count)]


def homes(table: str, endpoints: list[tuple[str, float]], eligible: list[bool] | None = None) -> list[str]:
    hashed = ConsistentHash(table, None, endpoints, 1)
    found = [hashed.pick(eligible or [True] * len(endpoints), [0.0] * len(endpoints), Occasion(1, 0, key)) for key in KEYS]
    return [endpoints[index][0] for index in found if index is not None]


@pytest.mark.parametrize("table", TABLES)
def test_keys_are_shared_in_proportion_to_the_weights(table: str) -> None:
    endpoints = pool(6, (1.0, 2.0, 0.5))
    shares = Counter(homes(table, endpoints))
    for name, weight in endpoints:
        share = weight / 7.0
        # Four standard deviations of a binomial share, and the unevenness of the table: a sixth on a ring of some 250 points each.
        slack = 4 * math.sqrt(share * (1 - share) / len(KEYS)) + (share / 6 if table == "ring" else 0)
        assert abs(shares[name] / len(KEYS) - share) <= slack


@pytest.mark.parametrize("table", TABLES)
def test_few_keys_move_when_one_of_the_endpoints_leaves(table: str) -> None:
    endpoints = pool(10)
    before, after = homes(table, endpoints), homes(table, endpoints[1:])
    moved = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(moved) / len(KEYS) <= 1 / 10 + 0.05
    if table != "maglev":
        assert set(moved) == {endpoints[0][0]}


@pytest.mark.parametrize("table", TABLES)
def test_only_the_keys_of_an_ineligible_endpoint_go_elsewhere_and_all_others_share_them(table: str) -> None:
    endpoints = pool(5)
    before, during = homes(table, endpoints), homes(table, endpoints, [index != 2 for index in range(5)])
    gone = Counter(new for old, new in zip(before, during, strict=True) if old != new)
    assert {old for old, new in zip(before, during, strict=True) if old != new} == {endpoints[2][0]}
    assert set(gone) == {name for name, _ in endpoints} - {endpoints[2][0]}
    assert min(gone.values()) >= sum(gone.values()) / 10


@pytest.mark.parametrize("table", TABLES)
def test_the_declared_order_moves_no_key(table: str) -> None:
    endpoints = pool(5, (1.0, 0.7))
    assert homes(table, endpoints) == homes(table, endpoints[::-1])


@pytest.mark.parametrize("table", TABLES)
def test_an_endpoint_over_its_bound_passes_the_key_on_until_all_are(table: str) -> None:
    endpoints = pool(4)
    everyone, key = [True] * 4, KEYS[0]
    home = ConsistentHash(table, None, endpoints, 1).pick(everyone, [0.0] * 4, Occasion(1, 0, key))
    assert home is not None
    bounded = ConsistentHash(table, 1.25, endpoints, 1)
    # ceil(1.25 * (8 + 1) / 4) = 3: with 2 it may take one more, with 3 it may not.
    assert bounded.pick(everyone, [2.0] * 4, Occasion(1, 0, key)) == home
    over = [3.0 if index == home else 5 / 3 for index in range(4)]
    assert bounded.pick(everyone, over, Occasion(1, 0, key)) != home
    alone = [index == home for index in range(4)]
    assert bounded.pick(alone, over, Occasion(1, 0, key)) == home, "its share is then of its own load alone"
    assert ConsistentHash(table, 0.0, endpoints, 1).pick(everyone, over, Occasion(1, 0, key)) == home


@pytest.mark.parametrize("table", TABLES)
def test_nobody_is_picked_without_a_key_or_an_endpoint(table: str) -> None:
    hashed = ConsistentHash(table, None, pool(3), 1)
    assert hashed.pick([True] * 3, [0.0] * 3, Occasion(1, 0)) is None
    assert hashed.pick([False] * 3, [0.0] * 3, Occasion(1, 0, 5)) is None
    assert ConsistentHash(table, 1.25, pool(2, (0.0,)), 1).pick([True] * 2, [0.0] * 2, Occasion(1, 0, 5)) is None


def test_a_ring_has_points_in_proportion_to_the_weights_and_the_same_for_one_more_endpoint() -> None:
    points = Counter(index for _, index in Ring(members(pool(4, (1.0, 2.0)), 1)).points)
    assert points[1] == points[3] == 2 * points[0] == 2 * points[2]
    assert 160 * 4 <= sum(points.values()) <= 320 * 4
    more = Counter(index for _, index in Ring(members(pool(5, (1.0, 2.0)), 1)).points)
    assert all(more[index] == points[index] for index in range(4))


def test_a_maglev_table_gives_slots_in_proportion_to_the_weights_and_at_least_one() -> None:
    slots = Counter(Maglev(members(pool(3, (1000.0, 500.0, 0.001)), 1)).slots)
    assert sum(slots.values()) == 65_537
    assert abs(slots[0] - 2 * slots[1]) <= 2
    assert slots[2] == 1
