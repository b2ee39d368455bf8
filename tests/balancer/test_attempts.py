"""Several attempts, on one endpoint after another."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from forebay import Balancer, NoEndpoint

from .asking import THREE, counted


def test_attempts_go_to_one_endpoint_after_another_until_one_answers() -> None:
    balancer = Balancer(THREE, balance="round_robin")
    asked = []
    for attempt in balancer.attempts(3):
        with attempt as endpoint:
            asked.append(endpoint.id)
            if len(asked) < 3:
                raise OSError("refused")
    assert asked == THREE
    assert (counted(balancer, "failures"), counted(balancer, "inflight")) == ([1, 1, 0], [0, 0, 0])


def test_one_that_answers_is_the_only_one() -> None:
    balancer = Balancer(THREE, balance="round_robin")
    assert [_entered(attempt) for attempt in balancer.attempts(3)] == [THREE[0]]


def _entered(attempt: Any) -> str:
    with attempt as endpoint:
        return str(endpoint.id)


@pytest.mark.parametrize(("most", "asked"), [(1, 1), (2, 2), (None, 3), (5, 3)])
def test_the_last_error_comes_out_of_the_attempts(most: int | None, asked: int) -> None:
    balancer = Balancer(THREE)
    errors: Iterator[int] = iter(range(10))

    def program() -> None:
        for attempt in balancer.attempts(most):
            with attempt:
                raise OSError(f"refused {next(errors)}")

    with pytest.raises(OSError, match=f"refused {asked - 1}"):
        program()
    assert sum(counted(balancer, "failures")) == asked


def test_attempts_that_failed_without_an_error_end_in_no_endpoint() -> None:
    balancer = Balancer(THREE, balance="round_robin")

    def program() -> None:
        for attempt in balancer.attempts(2):
            with attempt as endpoint:
                endpoint.failed()

    with pytest.raises(NoEndpoint, match=r"all of 2 attempts failed, on 10.0.0.1:80, 10.0.0.2:80"):
        program()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_that_is_not_the_endpoints_comes_out_at_once(error: type[BaseException]) -> None:
    balancer = Balancer(THREE)

    def program() -> None:
        for attempt in balancer.attempts(3):
            with attempt as endpoint:
                endpoint.answered()
                raise error

    with pytest.raises(error):
        program()
    assert (sum(counted(balancer, "picks")), sum(counted(balancer, "failures"))) == (1, 0)


def test_attempts_in_an_asynchronous_program() -> None:
    balancer = Balancer(THREE, balance="round_robin")

    async def program() -> str:
        for attempt in balancer.attempts():
            async with attempt as endpoint:
                if endpoint.id == THREE[0]:
                    raise OSError("refused")
        return attempt.id

    assert asyncio.run(program()) == THREE[1]
