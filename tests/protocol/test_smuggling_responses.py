"""Responses with two readings, and bytes that belong to no response: neither may become the answer to somebody else."""

import threading

import pytest

from .backend import Conversation, Script, answers, echo
from .harness import Backend, Client, cause, gateway, get, probe
from .wire import ok

SPLIT = ok(b"poison")
"""What would be taken for the answer to the next request."""

_HEAD = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

BAD_HEADS = {
    "two differing lengths": (_HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", "response_length_ambiguous"),
    "a length list": (_HEAD + b"Content-Length: 5, 5\r\n\r\nhello", "response_length_ambiguous"),
    "a signed length": (_HEAD + b"Content-Length: +5\r\n\r\nhello", "response_length_ambiguous"),
    "an empty length": (_HEAD + b"Content-Length:\r\n\r\nhello", "response_length_ambiguous"),
    "a length beyond 64 bits": (_HEAD + b"Content-Length: 18446744073709551621\r\n\r\nhello", "response_length_ambiguous"),
    "both": (_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "response_length_ambiguous"),
    "an unknown coding": (_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "response_length_ambiguous"),
    "a coding that does not end": (_HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "response_length_ambiguous"),
    "chunks in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "response_length_ambiguous"),
    "a space before a colon": (_HEAD + b"Content-Length : 5\r\n\r\nhello", "response_malformed"),
    "a folded field": (_HEAD + b"X: y\r\n Content-Length: 5\r\n\r\nhello", "response_malformed"),
    "a lone LF": (_HEAD + b"X: y\nContent-Length: 5\r\n\r\nhello", "response_malformed"),
    "a lone CR": (_HEAD + b"X: y\rContent-Length: 5\r\n\r\nhello", "response_malformed"),
    "NUL in a value": (_HEAD + b"X: \0\r\nContent-Length: 5\r\n\r\nhello", "response_malformed"),
    "a field without a colon": (_HEAD + b"Content-Length\r\n\r\nhello", "response_malformed"),
    "HTTP/2": (b"HTTP/2 200 OK\r\n\r\n", "response_malformed"),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\n\r\n", "response_malformed"),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", "response_malformed"),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", "response_malformed"),
    "a status below 100": (b"HTTP/1.1 099 OK\r\n\r\n", "response_malformed"),
    "a status above 599": (b"HTTP/1.1 600 OK\r\n\r\n", "response_malformed"),
    "an empty line first": (b"\r\n" + ok(b"hello"), "response_malformed"),
    "not HTTP": (b"220 mail.example ESMTP\r\n\r\n", "response_malformed"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", "response_malformed"),
    "too many fields": (_HEAD + b"X: y\r\n" * 200 + b"\r\n", "response_head_too_large"),
    "too large a field": (_HEAD + b"X: " + b"y" * 40_000 + b"\r\n\r\n", "response_head_too_large"),
    "an endless field": (_HEAD + b"X: " + b"y" * 400_000, "response_head_too_large"),
}

BAD_BODIES = {
    "a size with 0x": _CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with a space": _CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "a size that wraps around": _CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a size ended by LF": _CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": _CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk ended by LF": _CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "an extension with CR": _CHUNKED + b"5;\r;\r\nhello\r\n0\r\n\r\n",
    "a malformed trailer": _CHUNKED + b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    "a response for a trailer": _CHUNKED + b"5\r\nhello\r\n0\r\n" + SPLIT,
}


@pytest.mark.parametrize(("answer", "reason"), BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_response_head_with_two_readings_becomes_a_502_and_its_connection_is_not_used_again(answer: bytes, reason: str) -> None:
    with Backend(answers(answer + SPLIT)) as backend, gateway(backend) as running, Client(running.address) as client:
        refusal = client.get("/first")
        assert (refusal.status, cause(refusal)) == (502, reason)
        backend.wait_over()
        backend.script = echo
        assert client.get("/next").body == b"GET /next\n"
        assert len(backend.conversations) == 2


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("answer", BAD_BODIES.values(), ids=BAD_BODIES)
def test_broken_chunks_are_never_ended_cleanly_for_the_client(answer: bytes, version: str) -> None:
    with Backend(answers(answer + SPLIT)) as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(get("/first", "Connection: close").replace(b"HTTP/1.1", version.encode()))
            whole, clean = client.outcome()
            if b" 502 " in whole:
                assert b'"cause":"response_body_malformed"' in whole
            elif version == "HTTP/1.1":
                assert not whole.endswith(b"0\r\n\r\n")
            else:
                assert not clean, "the end of the connection would look like the end of the response"
            assert b"poison" not in whole
        backend.wait_over()
        backend.script = echo
        probe(running)


def test_chunks_that_break_at_once_become_a_502() -> None:
    with Backend(answers(_CHUNKED + b"x\r\n")) as backend, gateway(backend) as running, Client(running.address) as client:
        assert cause(client.get()) == "response_body_malformed"


EXTRA: dict[str, tuple[str, bytes]] = {
    "HEAD answered with content": ("HEAD", ok(SPLIT)),
    "HEAD answered with chunks": ("HEAD", _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
    "204 with content": ("GET", ok(SPLIT, status="204 No Content")),
    "204 with chunks": ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "304 with content": ("GET", ok(SPLIT, status="304 Not Modified")),
    "more than its length": ("GET", ok(b"hello") + SPLIT),
    "behind the last chunk": ("GET", _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + SPLIT),
    "behind a length of zero": ("GET", ok() + SPLIT),
    "an empty line": ("GET", ok(b"hello") + b"\r\n"),
    "one byte": ("GET", ok(b"hello") + b"H"),
    "an interim response": ("GET", ok(b"hello") + b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("apart", [False, True], ids=["in one piece", "later"])
@pytest.mark.parametrize(("method", "answer"), EXTRA.values(), ids=EXTRA)
def test_bytes_behind_a_response_do_not_answer_the_next_request(method: str, answer: bytes, *, apart: bool) -> None:
    with Backend(_in_pieces(answer, method, apart=apart)) as backend, gateway(backend) as running, Client(running.address) as client:
        first = client.ask(get("/first", method=method), method)
        assert first.body in {b"", b"hello"}
        backend.wait(lambda backend: backend.conversations[0].over or backend.script is echo)
        backend.script = echo
        assert client.get("/next").body == b"GET /next\n"
        probe(running)
        assert len(backend.conversations) == 2
        assert [[request.target for request in each.requests] for each in backend.judged] == [[b"/first"], [b"/next", b"/second"]]


def _in_pieces(answer: bytes, method: str, *, apart: bool) -> Script:
    """Sends a response, and the bytes that are not its own with it or once it was passed on."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        head, _, content = answer.partition(b"\r\n\r\n")
        own = head + b"\r\n\r\n"
        if method == "GET" and b" 200 " in head and b"Length: 0" not in head:
            own += b"5\r\nhello\r\n0\r\n\r\n" if b"chunked" in head else content[:5]
        rest = answer.removeprefix(own)
        conversation.send(own if apart else answer)
        if apart:
            conversation.send(rest)
        with conversation.backend.changed:
            conversation.backend.script = echo
            conversation.backend.changed.notify_all()
        conversation.drain()

    return script


def test_a_response_that_nobody_asked_for_answers_nobody() -> None:
    go = threading.Event()

    def unasked(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(ok(b"first"))
        go.wait(5)
        conversation.send(SPLIT)
        with conversation.backend.changed:
            conversation.backend.script = echo
            conversation.backend.changed.notify_all()
        conversation.drain()

    with Backend(unasked) as backend, gateway(backend) as running, Client(running.address) as client:
        assert client.get("/first").body == b"first"
        go.set()
        backend.wait(lambda backend: backend.script is echo)
        assert client.get("/next").body == b"GET /next\n"
        assert [[request.target for request in each.requests] for each in backend.judged] == [[b"/first"], [b"/next"]]


def test_fields_of_a_response_are_written_anew() -> None:
    raw = (
        b"HTTP/1.1 200  Fine\r\ncontent-LENGTH: 0005\r\nContent-Length:5\r\nX-A:  b \t\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\n"
        b"Keep-Alive: 5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTE: gzip\r\nTrailer: X-Sum\r\n\r\nhello"
    )
    raw = raw.replace(b"200  Fine", b"200 Fine")
    with Backend(answers(raw)) as backend, gateway(backend) as running, Client(running.address) as client:
        answer = client.get()
        assert answer.body == b"hello"
        assert answer.all(b"content-length") == [b"5"]
        assert {name for name, _ in answer.fields} == {b"content-length", b"x-a", b"trailer", b"x-request-id"}
        assert answer.get(b"x-a") == b"b"


@pytest.mark.parametrize("count", [1, 200])
def test_interim_responses_go_on_in_order_and_never_replace_the_final_one(count: int) -> None:
    interim = b"".join(b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\nContent-Length: 9\r\n\r\n" % index for index in range(count))
    with Backend(answers(interim + ok(b"final"))) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get())
        hints = [client.response() for _ in range(count)]
        assert [hint.fields for hint in hints] == [[(b"link", b"</%d>" % index)] for index in range(count)]
        assert client.response().body == b"final"


def test_a_flood_of_interim_responses_is_read_no_faster_than_the_client_reads() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 8000 + b"\r\n\r\n"
    sent = 0

    def flood(conversation: Conversation) -> None:
        nonlocal sent
        conversation.request()
        conversation.sock.settimeout(0.5)
        try:
            while sent < 200_000_000:
                conversation.send(hint)
                sent += len(hint)
        except TimeoutError:
            return

    with Backend(flood) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get())
        backend.wait_over()
        assert sent < 100_000_000, "the server was not read any more"
