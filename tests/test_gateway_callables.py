"""A gateway on the real engine, whose endpoints a Python function picks."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import pytest

from forebay import Gateway, Pool, Running, balance
from forebay.balance import Policy
from forebay.observe.statistics import CallableStatistics

from .test_gateway_live import Server, client, get, home

__all__ = ["home"]

CHOICE = ("a", "b")


@pytest.fixture
def servers() -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        found = {}
        for name in CHOICE:
            found[name] = Server(name)
            stack.callback(found[name].close)
        yield found


def serving(servers: dict[str, Server], policy: Policy) -> Running:
    pool = Pool([server.address for server in servers.values()], balance=policy)
    return Gateway(listen="127.0.0.1:0", access_log="off", threads=1, pools={"app": pool}).start()


def ask(connection: HTTPConnection, wanted: str) -> str:
    connection.request("GET", "/", headers={"X-Wanted": wanted})
    return connection.getresponse().read().decode()


def calls(running: Running) -> CallableStatistics:
    found = running.statistics().pools["app"].callable
    assert found is not None
    return found


def test_the_function_sees_the_request_and_its_choice_is_served(servers: dict[str, Server]) -> None:
    def wanted(request: Any, candidates: Sequence[Any]) -> Any:
        return candidates[CHOICE.index(request.header("x-wanted"))]

    with serving(servers, balance.python(wanted, budget="1s")) as running, client(running) as connection:
        for name in "abbab":
            assert ask(connection, name) == name
        assert calls(running).calls == 5


@pytest.mark.parametrize(
    ("function", "counted"),
    [(lambda *_: 1 / 0, "raised"), (lambda *_: "a", "nonsense"), (lambda *_: None, "declined")],
    ids=["raises", "nonsense", "none"],
)
def test_a_function_that_chooses_nobody_leaves_the_choice_to_the_fallback(
    servers: dict[str, Server], function: Callable[..., object], counted: str
) -> None:
    policy = balance.python(function, budget="1s", fallback=balance.round_robin())
    with serving(servers, policy) as running, client(running) as connection:
        assert [get(connection) for _ in range(2)] == [(200, "a"), (200, "b")]
        assert getattr(calls(running), counted) == 2


def test_a_function_beyond_its_budget_holds_up_no_request(servers: dict[str, Server]) -> None:
    let_go = threading.Event()

    def slow(_request: object, candidates: Sequence[object]) -> object:
        let_go.wait(10)
        return candidates[0]

    with serving(servers, balance.python(slow, budget="20ms")) as running, client(running) as connection:
        assert {get(connection)[0] for _ in range(5)} == {200}
        assert calls(running).native == 5
        let_go.set()


def test_what_a_function_keeps_for_its_thread_is_there_at_its_next_call(servers: dict[str, Server]) -> None:
    seen = threading.local()
    threads: list[tuple[int, int]] = []

    def counting(_request: object, candidates: Sequence[object]) -> object:
        seen.count = getattr(seen, "count", 0) + 1
        threads.append((threading.get_ident(), seen.count))
        return candidates[0]

    with serving(servers, balance.python(counting, budget="1s")) as running, client(running) as connection:
        for _ in range(50):
            get(connection)
        assert calls(running).inline > 0, "it was never called on the engine's thread, so this shows nothing"
    for thread in dict(threads):
        counts = [count for ident, count in threads if ident == thread]
        assert counts == list(range(1, len(counts) + 1))
