"""What learning is worth: tails against exact knowledge, and against `least_connections` where there is nothing to learn."""

import pytest

from forebay.simulate import Oracle, Result, compare, preset

from .reference import reference


def results(case: str, requests: int, warm_up: float = 0.0) -> dict[str, Result]:
    policies = {"learning": reference("shortest_expected_delay"), "least_connections": reference("least_connections"), "oracle": Oracle}
    return compare(preset(case), policies, requests=requests, seed=7, warm_up=warm_up)


def test_unequal_servers_are_used_as_by_one_who_knows_them() -> None:
    of = results("unequal", 15_000)
    assert of["learning"].p99 <= 1.15 * of["oracle"].p99
    assert of["learning"].p99 <= 0.65 * of["least_connections"].p99


@pytest.mark.parametrize("case", ["fifo", "workers", "sharing", "mixture"])
def test_equal_servers_are_used_as_by_least_connections(case: str) -> None:
    of = results(case, 10_000)
    assert of["learning"].p99 <= 1.05 * of["least_connections"].p99


def test_streams_on_unequal_servers_begin_no_later_than_with_least_connections() -> None:
    of = results("streams", 10_000)
    assert of["learning"].p99 <= 1.05 * of["least_connections"].p99


def test_a_server_that_fails_fast_is_left_alone_within_two_seconds() -> None:
    of = results("errors", 10_000, warm_up=2.0)
    assert of["least_connections"].shares[-1] > 0.1, "it looks the least busy"
    assert of["learning"].shares[-1] <= 0.02


def test_equal_servers_get_equal_shares() -> None:
    of = results("fifo", 15_000)
    assert all(0.8 <= share * 10 <= 1.2 for share in of["learning"].shares)
