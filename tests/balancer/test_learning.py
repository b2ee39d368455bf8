"""What a block comes to, and what is learned of it."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from forebay import Balancer, ForebayError
from forebay.balancer import PickedEndpoint
from forebay.testing import FakeClock

from .asking import THREE, counted, fail, picked, settle


def test_an_endpoint_that_fails_three_times_in_a_row_is_passed_over_for_a_second() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE, balance="round_robin", clock=clock)
    for _ in range(3):
        assert fail(balancer, *THREE[1:]) == THREE[0]
    assert {picked(balancer) for _ in range(10)} == set(THREE[1:])
    clock.advance(1.1)
    assert {picked(balancer) for _ in range(10)} == set(THREE)
    assert counted(balancer, "failures") == [3, 0, 0]
    assert counted(balancer, "inflight") == [0, 0, 0]


def test_where_all_fail_all_go_on_being_tried() -> None:
    balancer = Balancer(THREE, balance="round_robin", clock=FakeClock(100.0))
    for _ in range(30):
        fail(balancer)
    assert counted(balancer, "failures") == [10, 10, 10]


def test_latency_is_the_length_of_the_block() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE[:2], balance="least_response_time", clock=clock)
    for name, seconds in zip(THREE, (0.5, 0.1), strict=False):
        with balancer.pick(tried=set(THREE) - {name}):
            clock.advance(seconds)
    settle(balancer, clock)
    slow, quick = counted(balancer, "latency")
    assert slow > 1.5 * quick
    assert {picked(balancer) for _ in range(10)} == {THREE[1]}


def test_a_stream_is_judged_by_its_head() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE[:1], clock=clock)
    with balancer.pick() as endpoint:
        clock.advance(0.1)
        endpoint.answered()
        clock.advance(60)
        assert counted(balancer, "inflight") == [1]
    settle(balancer, clock)
    assert counted(balancer, "latency") == [pytest.approx(0.1)]


@pytest.mark.parametrize("gone", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
def test_a_cancelled_block_is_nobodys_failure(gone: type[BaseException]) -> None:
    balancer = Balancer(THREE[:1])
    with pytest.raises(gone), balancer.pick():
        raise gone
    assert (counted(balancer, "failures"), counted(balancer, "inflight")) == ([0], [0])


def test_an_error_after_the_answer_is_the_callers_own() -> None:
    balancer = Balancer(THREE[:1])
    with pytest.raises(json.JSONDecodeError), balancer.pick() as endpoint:
        _read(endpoint)
    assert (counted(balancer, "failures"), counted(balancer, "inflight")) == ([0], [0])


def _read(endpoint: PickedEndpoint) -> None:
    endpoint.answered()
    json.loads("<html>")


def test_a_failure_can_be_said_without_an_error_and_counts_once() -> None:
    balancer = Balancer(THREE[:1])
    with balancer.pick() as endpoint:
        endpoint.failed()
        assert counted(balancer, "inflight") == [0]
        endpoint.failed()
        endpoint.answered()
    assert (counted(balancer, "failures"), counted(balancer, "inflight")) == ([1], [0])


def test_fast_errors_do_not_make_an_endpoint_look_fast() -> None:
    clock = FakeClock(100.0)
    balancer = Balancer(THREE, balance="shortest_expected_delay", clock=clock)
    shares: Counter[str] = Counter()
    for _ in range(3000):
        with balancer.pick() as endpoint:
            broken = endpoint.id == THREE[0]
            clock.advance(0.001 if broken else 0.02)
            endpoint.answered(ok=not broken)
            shares[endpoint.id] += 1
    assert shares[THREE[0]] < 0.1 * shares.total()
    assert counted(balancer, "error_rate")[1:] == [0, 0]


def test_an_asynchronous_block_does_the_same() -> None:
    balancer = Balancer(THREE, balance="round_robin")

    async def call(*, fails: bool) -> None:
        async with balancer.pick() as endpoint:
            assert endpoint.id in THREE
            await asyncio.sleep(0)
            if fails:
                raise OSError("refused")

    async def program() -> None:
        await asyncio.gather(*(call(fails=number % 3 == 0) for number in range(30)), return_exceptions=True)

    asyncio.run(program())
    assert counted(balancer, "picks") == [10, 10, 10]
    assert (counted(balancer, "failures"), counted(balancer, "inflight")) == ([10, 0, 0], [0, 0, 0])


@pytest.mark.parametrize(
    "look", [lambda pick: pick.id, lambda pick: pick.address, lambda pick: pick.answered(), lambda pick: pick.failed()]
)
def test_before_its_block_a_pick_is_nobody(look: Callable[[Any], object]) -> None:
    with pytest.raises(ForebayError, match=r"nothing has been picked yet; enter it: `with balancer.pick\(\) as endpoint:`"):
        look(Balancer(THREE).pick())


def test_a_pick_has_one_block() -> None:
    balancer = Balancer(THREE)
    pick = balancer.pick()
    with pick:
        pass
    with pytest.raises(ForebayError, match=r"this pick has had its block; call pick\(\) anew for each"), pick:
        pass
    assert counted(balancer, "inflight") == [0, 0, 0]
