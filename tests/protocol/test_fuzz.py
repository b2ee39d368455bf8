"""A differential fuzz: whatever the gateway passes on, an independent parser must read as exactly what was meant."""

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .backend import Backend, answers, echo
from .cases import BODIES, POISON, REFUSED, chunked, lines
from .harness import gateway, get, probe, records
from .wire import Client, Ended, Message, judge, ok

LONG = os.environ.get("FOREBAY_FUZZ", "")
"""How many examples to try instead of the usual ones, for a long search."""

PROFILE = settings(
    max_examples=int(LONG or 400), derandomize=not LONG, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

VALID = (
    get("/a"), get("/b?c", method="POST", body=b"hello"), chunked(b"5\r\nhello\r\n0\r\n\r\n"), chunked(b"0\r\nX-Sum: 1\r\n\r\n"),
    get("/", method="HEAD"), lines(start=b"GET http://good.example/ HTTP/1.1"), b"GET / HTTP/1.0\r\n\r\n",
    lines(b"Connection: Upgrade", b"Upgrade: websocket", start=b"GET / HTTP/1.1"), lines(b"Connection: close, X-Hop", b"X-Hop: 1"),
    lines(b"Expect: 100-continue", b"Content-Length: 2") + b"ok",
)  # fmt: skip

SEEDS = [*VALID, *(raw for raw, _ in REFUSED.values()), *(raw for raw, _ in BODIES.values() if len(raw) < 500)]

FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b";", b",", b"0", b"5\r\n", b"0\r\n\r\n", b"\x0b", b"\xff", b"chunked",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"Host: other.example\r\n", b"\r\n ", b"HTTP/1.0", b"HTTP/1.1", b"Content-Length", b"Transfer-Encoding", POISON,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds, or a splice of two, with a few edits."""
    raw = bytearray(draw(st.sampled_from(seeds)))
    if draw(st.booleans()):
        other = draw(st.sampled_from(seeds))
        raw = raw[: draw(st.integers(0, len(raw)))] + other[draw(st.integers(0, len(other))) :]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["insert", "delete", "flip", "duplicate"])):
            case "insert":
                raw[at:at] = draw(st.sampled_from(FRAGMENTS))
            case "delete":
                del raw[at : at + draw(st.integers(1, 8))]
            case "flip" if at < len(raw):
                raw[at] ^= draw(st.integers(1, 255))
            case _:
                raw[at:at] = raw[at : at + draw(st.integers(1, 40))]
    return bytes(raw)


@dataclass
class Passed:
    """What came of some bytes: the final responses, the requests that the server received, and the gateway's own account of them."""

    responses: list[Message]
    received: list[Message]
    recorded: list[dict[str, Any]]


def exchange(raw: bytes) -> Passed:
    """Send these bytes to a server that echoes, until the connection ends; then see that a second client is served."""
    responses: list[Message] = []
    limits = {"head_timeout": "30ms", "body_timeout": "30ms"}
    with tempfile.NamedTemporaryFile() as log, Backend() as backend:
        with gateway(backend, limits=limits, listener={"half_close": True}, access_log=log.name) as running:
            with Client(running.address) as client, suppress(Ended, ConnectionError):
                client.send(raw)
                client.shut()
                while True:
                    message = client.response("HEAD" if raw.startswith(b"HEAD") and not responses else "GET")
                    if message.status >= 200:
                        responses.append(message)
            probe(running)
        # The server's own reader is strict too: it fails the test on what it cannot read.
        received = backend.requests
        recorded = [record for record in records(Path(log.name)) if record["pool"] is not None]
    assert received.pop().target == b"/second"
    assert recorded.pop()["target"] == "/second"
    return Passed(responses, received, recorded)


@PROFILE
@given(mutated(SEEDS))
@example(raw=get("/a") + POISON)
@example(raw=chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n") + POISON)
def test_whatever_goes_on_is_read_by_another_parser_as_it_was_meant(raw: bytes) -> None:
    passed = exchange(raw)
    served = [record for record in passed.recorded if record["status"] == 200]  # the others were given up in the middle
    assert len(served) <= len(passed.received) <= len(passed.recorded)
    for record, request in zip(served, passed.received, strict=False):
        assert request.method == record["method"].encode()
        assert request.target == in_origin_form(record["method"], record["target"])
        assert len(request.body) == record["bytes_in"]
    echoed = [response for response in passed.responses if response.get(b"proxy-status") is None]
    for request, response in zip(passed.received, echoed, strict=False):
        assert response.body in {b"", request.method + b" " + request.target + b"\n" + request.body}
    for request in passed.received:
        assert request.start.endswith(b" HTTP/1.1")
        assert [len(request.all(name)) for name in (b"host", b"x-forwarded-for", b"x-request-id")] == [1, 1, 1]
        assert len(request.all(b"content-length")) + len(request.all(b"transfer-encoding")) <= 1


def in_origin_form(method: str, target: str) -> bytes:
    if target.startswith(("/", "*")):
        return target.encode()
    rest = re.sub("^http://[^/?]*", "", target, flags=re.IGNORECASE)
    if not rest and method == "OPTIONS":
        return b"*"
    return (rest if rest.startswith("/") else f"/{rest}").encode()


ANSWERS = [
    ok(b"hello"), ok(b"hello") + ok(b"poison"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(b"hello"), ok(status="204 No Content"),
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", ok(b"", "Connection: close, X-Hop", "X-Hop: 1"),
]  # fmt: skip


@PROFILE
@given(mutated(ANSWERS))
def test_whatever_a_server_answers_the_client_can_read_and_others_never_get_it(raw: bytes) -> None:
    limits = {"body_timeout": "50ms"}
    with Backend(answers(raw, close=True)) as backend, gateway(backend, limits=limits) as running:
        with Client(running.address) as client, suppress(Ended):
            client.send(get("/first", "Connection: close", method="POST", body=b""))
            # The client's own reader is strict: what it cannot read fails the test.
            while (response := client.response("POST")).status < 200:
                pass
            assert client.to_the_end() == b""
            assert response.get(b"connection") == b"close"
        backend.wait_over()
        backend.script = echo
        probe(running)
        assert all(judge(log).error is None for log in backend.logs)
