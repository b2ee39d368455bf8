"""Requests with two readings are refused, and what they would smuggle reaches no server. The judge is the server's log."""

import pytest

from .cases import BODIES, POISON, REFUSED, chunked
from .harness import Backend, Client, cause, gateway, probe, refused


@pytest.mark.parametrize(("request_", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_head_with_two_readings_is_refused_and_nothing_of_it_goes_on(request_: bytes, reason: str) -> None:
    with Backend() as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(request_ + POISON)
            assert cause(refused(client)) == reason
        probe(running)
        assert [request.target for request in backend.requests] == [b"/second"]
        assert b"poison" not in backend.log


@pytest.mark.parametrize(("request_", "reason"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_byte_by_byte_and_behind_a_good_request_too(request_: bytes, reason: str) -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(b"GET /good HTTP/1.1\r\nHost: good.example\r\n\r\n")
        client.response()
        head = request_.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        half = len(head) // 2
        for piece in (head[:half], head[half : half + 1], head[half + 1 :]):
            client.send(piece)
        assert cause(refused(client)) == reason
        probe(running)
        assert [request.target for request in backend.requests] == [b"/good", b"/second"]


@pytest.mark.parametrize(("request_", "reason"), BODIES.values(), ids=BODIES)
def test_content_with_two_readings_is_never_completed_for_the_server(request_: bytes, reason: str) -> None:
    with Backend() as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(request_ + POISON)
            assert cause(refused(client)) == reason
        probe(running)
        assert [request.target for request in backend.requests] == [b"/second"]
        assert b"poison" not in backend.log


def test_a_server_whose_request_broke_off_gets_no_other_on_that_connection() -> None:
    with Backend() as backend, gateway(backend) as running:
        probe(running)
        with Client(running.address) as client:
            client.send(chunked(b"5\r\nhello\r\n"))
            backend.wait(lambda backend: b"hello" in backend.log)
            client.send(b"5\r\nhello0\r\n\r\n")
            refused(client)
        probe(running, "/third")
        assert [[request.target for request in each.requests] for each in backend.judged] == [[b"/second"], [b"/third"]]
        assert [each.partial for each in backend.judged] == [True, False]


@pytest.mark.parametrize("count", [129, 5000])
def test_more_fields_than_may_be_are_refused(count: int) -> None:
    with Backend() as backend, gateway(backend, limits={"max_head": "64KiB"}) as running, Client(running.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % index for index in range(count)) + b"\r\n")
        answer = refused(client)
        assert (answer.status, cause(answer)) == (431, "head_too_large")
        assert backend.log == b""


@pytest.mark.parametrize("step", [1 << 20, 1000])
@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long"),
        (b"GET /" + b"a" * 5_000_000, 414, "target_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5_000_000, 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100_000, 431, "head_too_large"),
    ],
    ids=["target", "endless target", "field", "endless field", "endless fields"],
)
def test_a_head_that_is_too_large_is_refused_however_it_arrives(head: bytes, status: int, reason: str, step: int) -> None:
    with Backend() as backend, gateway(backend) as running:
        with Client(running.address) as client:
            for at in range(0, min(len(head), 60_000), step):
                try:
                    client.send(head[at : min(at + step, 60_000)])
                except ConnectionError:  # refused already, and no longer read
                    break
            answer = refused(client)
            assert (answer.status, cause(answer)) == (status, reason)
        probe(running)
        assert [request.target for request in backend.requests] == [b"/second"]
