"""Which requests are asked again, of whom, and which never are. The judges are the servers' logs."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forebay.gateway import Running

from .backend import Backend, Conversation, answers, echo
from .faults import closed_port, full_backlog
from .harness import cause, gateway, get, records, wait_until
from .wire import Client, Message, ok

IDEMPOTENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]


def close_at_once(conversation: Conversation) -> None:
    conversation.request()


def targets(*backends: Backend) -> list[bytes]:
    return [request.method for backend in backends for request in backend.requests]


def ask(running_address: str, method: str, body: bytes | None = None) -> Message:
    with Client(running_address) as client:
        return client.ask(get("/", method=method, body=body), method)


@pytest.mark.parametrize("method", [*IDEMPOTENT, "POST", "PATCH"])
@pytest.mark.parametrize("fault", ["refused", "no answer", "no socket"])
def test_any_request_goes_to_another_endpoint_when_connecting_fails(method: str, fault: str) -> None:
    with full_backlog() as silent, Backend() as backend:
        bad = {"refused": closed_port()[0], "no answer": silent, "no socket": "unix:/nowhere/at/all.sock"}[fault]
        with gateway(bad, backend, pool={"connect_timeout": "50ms"}) as running:
            assert ask(running.address, method, b"hello" if method in {"POST", "PUT"} else None).status == 200
            assert targets(backend) == [method.encode()]
            assert running.pools["app"].statistics().retries == 1


@pytest.mark.parametrize("method", IDEMPOTENT)
def test_an_idempotent_request_goes_to_another_endpoint_when_its_connection_ends_early(method: str) -> None:
    with Backend(close_at_once) as bad, Backend() as good, gateway(bad, good) as running:
        assert ask(running.address, method).status == 200
        assert targets(bad) == targets(good) == [method.encode()]


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK", "get"])
def test_a_request_that_may_have_run_is_not_repeated_unless_its_method_is_idempotent(method: str) -> None:
    with Backend(close_at_once) as bad, Backend(close_at_once) as other, gateway(bad, other) as running:
        answer = ask(running.address, method, b"hello")
        assert (answer.status, cause(answer)) == (502, "closed_before_response")
        assert len(targets(bad, other)) == 1


@pytest.mark.parametrize(
    "begun", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["a byte", "half a head", "an interim response"]
)
def test_a_request_is_not_repeated_once_a_byte_of_an_answer_came(begun: bytes) -> None:
    def cut(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(begun)

    with Backend(cut) as bad, Backend(cut) as other, gateway(bad, other) as running, Client(running.address) as client:
        client.send(get())
        while (answer := client.response()).status < 200:
            pass
        assert answer.status == 502
        assert len(targets(bad, other)) == 1


def test_no_endpoint_is_asked_twice_and_no_more_are_asked_than_may_be() -> None:
    with Backend(close_at_once) as one, Backend(close_at_once) as two:
        with gateway(one, two, pool={"retry": {"attempts": 5}}) as running:
            assert cause(ask(running.address, "GET")) == "closed_before_response"
            assert (len(targets(one)), len(targets(two))) == (1, 1)
        with gateway(one, two, pool={"retry": {"attempts": 1}}) as running:
            ask(running.address, "GET")
            assert len(targets(one, two)) == 3


def test_a_client_that_has_gone_is_not_asked_for_elsewhere() -> None:
    with full_backlog() as silent, Backend() as backend, gateway(silent, backend, pool={"connect_timeout": "1s"}) as running:
        with Client(running.address) as client:
            client.send(get())
            wait_until(lambda: running.pools["app"].statistics().attempts == 1)
        wait_until(lambda: running.statistics().exchanges.running == 0)
        assert backend.log == b""


def test_a_time_that_is_up_is_up_for_every_endpoint() -> None:
    route, pool = {"timeout": "60ms"}, {"retry": {"attempts": 1}}
    with full_backlog() as silent, Backend() as backend, gateway(silent, backend, route=route, pool=pool) as running:
        assert cause(ask(running.address, "GET")) in {"request_timeout", "connect_timeout"}
        assert backend.log == b""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connect_that_hangs_leaves_of_the_routes_time_enough_for_another_endpoint(method: str) -> None:
    with full_backlog() as silent, Backend() as backend, gateway(silent, backend, route={"timeout": "400ms"}) as running:
        assert ask(running.address, method, b"hello").status == 200
        assert targets(backend) == [method.encode()]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_stale_kept_connection_is_replaced_once_by_a_fresh_one_to_the_same_endpoint(method: str) -> None:
    def once(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(ok(b"first"))
        conversation.request_head()
        conversation.backend.script = echo
        # Closed upon the next request: no look at the connection beforehand could have told.

    with Backend(once) as backend, gateway(backend) as running, Client(running.address) as client:
        assert client.get().body == b"first"
        client.send(get("/next", method=method, body=b"hello"))
        assert client.response().body == f"{method} /next\nhello".encode()
        statistics = running.pools["app"].statistics()
        assert (statistics.attempts, statistics.retries) == (2, 0), "that was no new attempt"
        assert len(backend.conversations) == 2


def test_a_post_on_a_stale_kept_connection_is_not_repeated() -> None:
    def once(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(ok(b"first"))
        conversation.request()

    with Backend(once) as backend, gateway(backend) as running, Client(running.address) as client:
        client.get()
        client.send(get("/next", method="POST", body=b"hello"))
        assert cause(client.response()) == "closed_before_response"
        assert len(backend.requests) == 2


def test_a_kept_connection_that_the_server_closed_is_noticed_before_a_post_goes_on_it() -> None:
    with Backend(answers(ok(b"first"), close=True)) as backend, gateway(backend) as running, Client(running.address) as client:
        for _ in range(5):
            client.send(get(method="POST", body=b"hello"))
            assert client.response().body == b"first"
            backend.wait(lambda backend: all(each.over for each in backend.conversations))
        assert len(backend.conversations) == 5


@pytest.mark.parametrize(("size", "repeated"), [(1000, True), (4096, True), (4097, False), (100_000, False)])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_content_is_repeated_up_to_the_replay_buffer(size: int, framing: str, *, repeated: bool) -> None:
    body = b"x" * size
    request = get("/", method="PUT", body=body)
    if framing == "chunks":
        request = get("/", "Transfer-Encoding: chunked", method="PUT") + b"%x\r\n" % size + body + b"\r\n0\r\nX-Sum: 1\r\n\r\n"
    pool = {"retry": {"replay_buffer": "4KiB"}}
    with Backend(close_at_once) as bad, Backend() as good, gateway(bad, good, pool=pool) as running, Client(running.address) as client:
        answer = client.ask(request)
        assert answer.status == (200 if repeated else 502)
        received = good.requests
        assert [request.body for request in received] == ([body] if repeated else [])
        assert bad.requests[0].body == body
        if repeated and framing == "chunks":
            assert received[0].trailers == [(b"x-sum", b"1")]


def test_three_failures_in_a_row_pass_an_endpoint_over() -> None:
    with Backend(close_at_once) as bad, Backend() as good, gateway(bad, good) as running:
        assert [ask(running.address, "GET").status for _ in range(20)] == [200] * 20
        assert len(targets(bad)) == 3
        state = running.pools["app"].statistics().endpoints[bad.address]
        assert (state.status, state.consecutive_failures) == ("ejected", 3)
        assert "closed_before_response" in state.reason


def test_a_pool_whose_endpoints_are_all_passed_over_is_tried_all_the_same() -> None:
    with Backend(close_at_once) as backend, gateway(backend) as running:
        assert [ask(running.address, "GET").status for _ in range(4)] == [502] * 4
        backend.script = echo
        assert ask(running.address, "GET").status == 200


def test_requests_wait_for_a_place_in_their_order_and_no_endpoint_gets_more_than_its_cap() -> None:
    go = threading.Event()
    most = 0

    def slow(conversation: Conversation) -> None:
        nonlocal most
        while True:
            conversation.request()
            most = max(most, running.pools["app"].statistics().endpoints[backend.address].inflight)
            go.wait(5)
            conversation.send(ok(b"done"))

    with Backend(slow) as backend, gateway(backend, pool={"max_inflight": 2}) as running:
        clients = [Client(running.address) for _ in range(8)]
        for index, client in enumerate(clients):
            client.send(get(f"/{index}"))
            wait_until(partial(stands, running, backend, index + 1))
        go.set()
        for client in clients:
            with client:
                assert client.response().body == b"done"
        assert most == 2
        assert len(backend.conversations) == 2


def stands(running: Running, backend: Backend, sent: int) -> bool:
    """Whether so many requests are where they belong: two at the server, the rest in the queue."""
    waiting = running.pools["app"].statistics().queue.waiting
    return (len(backend.conversations), waiting) == (min(2, sent), max(0, sent - 2))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_goes_while_its_request_queues_is_not_asked_for(method: str) -> None:
    go = threading.Event()

    def slow(conversation: Conversation) -> None:
        conversation.request()
        go.wait(5)
        conversation.send(ok(b"done"))
        echo(conversation)

    pool = {"max_inflight": 1}
    with Backend(slow) as backend, gateway(backend, pool=pool) as running, Client(running.address) as first:
        first.send(get("/first"))
        backend.wait(lambda backend: backend.log)
        with Client(running.address) as client:
            client.send(get("/gone", method=method, body=b"hello"))
            wait_until(lambda: running.pools["app"].statistics().queue.waiting == 1)
        wait_until(lambda: running.statistics().exchanges.running == 1)
        go.set()
        assert first.response().body == b"done"
        assert [request.target for request in backend.requests] == [b"/first"]


def test_what_ends_the_wait_for_another_endpoint_is_the_cause_and_not_the_attempt_before(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    keys: dict[str, Any] = {"pool": {"max_inflight": 1}, "access_log": str(log)}
    with (
        Backend(close_at_once) as closing,
        Backend(Conversation.drain) as backend,
        gateway(closing, backend, **keys) as running,
        Client(running.address) as first,
    ):
        first.send(get("/first"))
        backend.wait(lambda backend: backend.log)
        with Client(running.address) as second:
            second.send(get("/second"))
            wait_until(lambda: running.pools["app"].statistics().queue.waiting == 1)
        wait_until(lambda: running.pools["app"].statistics().queue.waiting == 0)
    found = [record for record in records(log) if record["target"] == "/second"]
    assert [(record["status"], record["cause"]) for record in found] == [(499, "client_abort")]
    assert [attempt["outcome"] for attempt in found[0]["attempts"]] == ["closed_before_response"]
