"""Content, trailers and interim responses on their way through, and what becomes of content that is cut short."""

import threading

import pytest

from .backend import Backend, Conversation, answers, echo
from .harness import gateway, get, probe
from .wire import Client, Ended, ok

CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("size", [0, 1, 8191, 8193, 300_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_content_of_any_size_arrives_whole_both_ways(size: int, framing: str) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def mirror(conversation: Conversation) -> None:
        while True:
            request = conversation.request()
            assert request.body == content
            conversation.send(ok(request.body) if framing == "length" else CHUNKS + b"\r\n" + chunks(request.body))

    with Backend(mirror) as backend, gateway(backend) as running, Client(running.address) as client:
        sender = threading.Thread(target=client.send, args=(_post(content, framing) * 2,))
        sender.start()
        assert [client.response().body, client.response().body] == [content, content]
        sender.join()
        assert len(backend.conversations) == 1


def chunks(content: bytes, size: int = 70_000) -> bytes:
    parts = (content[at : at + size] for at in range(0, len(content), size))
    return b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


def _post(content: bytes, framing: str) -> bytes:
    if framing == "length":
        return get("/", method="POST", body=content)
    return get("/", "Transfer-Encoding: chunked", method="POST") + chunks(content)


def test_each_piece_of_a_stream_is_passed_on_at_once_both_ways() -> None:
    def stepwise(conversation: Conversation) -> None:
        conversation.request_head()
        assert conversation.until(b"one").endswith(b"one")
        conversation.send(CHUNKS + b"\r\n4\r\nseen\r\n")
        assert conversation.until(b"two").endswith(b"two")
        conversation.send(b"4\r\nboth\r\n0\r\n\r\n")
        conversation.drain()

    with Backend(stepwise) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\none\r\n")
        assert client.until(b"seen").endswith(b"\r\n\r\n4\r\nseen")
        client.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert client.until(b"both") == b"\r\n4\r\nboth"


def test_trailers_go_both_ways() -> None:
    def script(conversation: Conversation) -> None:
        request = conversation.request()
        assert request.trailers == [(b"x-up", b"1")]
        assert request.get(b"te") == b"trailers"
        assert request.get(b"connection") == b"TE"
        assert request.get(b"trailer") == b"X-Up"
        conversation.send(CHUNKS + b"Trailer: X-Down\r\n\r\n2\r\nok\r\n0\r\nX-Down: 2\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n")
        echo(conversation)

    with Backend(script) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "TE: trailers, gzip", "Trailer: X-Up", "Transfer-Encoding: chunked", method="POST"))
        client.send(b"2\r\nhi\r\n0\r\nX-Up: 1\r\n\r\n")
        answer = client.response()
        assert (answer.body, answer.trailers, answer.get(b"trailer")) == (b"ok", [(b"x-down", b"2")], b"X-Down")
        assert client.get("/next").body == b"GET /next\n"


@pytest.mark.parametrize(
    ("method", "raw", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", b"1234"),
        ("HEAD", CHUNKS + b"\r\n", None),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n", b"1234"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", None),
    ],
)
def test_responses_without_content_end_with_their_heads(method: str, raw: bytes, length: bytes | None) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(raw)
        echo(conversation)

    with Backend(script) as backend, gateway(backend) as running, Client(running.address) as client:
        answer = client.ask(get(method=method), method)
        assert (answer.get(b"content-length"), answer.get(b"transfer-encoding")) == (length, None)
        assert client.get("/next").body == b"GET /next\n"
        assert len(backend.conversations) == 1


def test_continue_is_the_servers_to_say() -> None:
    go = threading.Event()

    def script(conversation: Conversation) -> None:
        assert conversation.request_head().get(b"expect") == b"100-continue"
        go.wait(5)
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert conversation.exactly(5) == b"hello"
        conversation.send(ok(b"thanks"))
        conversation.drain()

    with Backend(script) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        backend.wait(lambda backend: b"100-continue" in backend.log)
        assert client.log == b"", "the gateway says nothing for it"
        go.set()
        assert client.response().status == 100
        client.send(b"hello")
        assert client.response().body == b"thanks"


def test_a_server_that_declines_what_is_expected_never_gets_the_content() -> None:
    def script(conversation: Conversation) -> None:
        conversation.request_head()
        conversation.send(ok(b"no", status="417 Expectation Failed"))
        conversation.drain()

    with Backend(script) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = client.response()
        assert (answer.status, answer.get(b"connection")) == (417, b"close")
        assert client.to_the_end() == b""
        backend.wait_over()
        assert backend.log.endswith(b"\r\n\r\n")


def test_a_server_that_does_not_care_is_sent_the_content_without_an_interim_response() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Expect: 100-continue", method="POST", body=b"hello"))
        assert client.response().body == b"POST /\nhello"


def test_an_http_1_0_client_gets_no_interim_response() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with Backend(answers(interim + ok(b"final"))) as backend, gateway(backend) as running, Client(running.address) as client:
        assert client.ask(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").body == b"final"
        assert backend.requests[0].get(b"expect") is None


CUT = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "chunks": CHUNKS + b"\r\n5\r\nhello\r\n",
    "a chunk": CHUNKS + b"\r\n9\r\nhello",
    "trailers": CHUNKS + b"\r\n5\r\nhello\r\n0\r\nX: y\r\n",
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("raw", CUT.values(), ids=CUT)
def test_a_response_cut_short_breaks_visibly(raw: bytes, version: str, how: str) -> None:
    got = threading.Event()

    def cut(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(raw)
        got.wait(5)
        conversation.reset() if how == "reset" else conversation.close()

    with Backend(cut) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get().replace(b"HTTP/1.1", version.encode()))
        client.until(b"hello")
        got.set()
        rest, clean = client.outcome()
        assert b"0\r\n" not in rest, "no last chunk was made up"
        if version == "HTTP/1.0" and raw is not CUT["a length"]:
            assert not clean, "the end of the connection would look like the end of the response"
        backend.script = echo
        probe(running)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_response_that_ends_with_its_connection_is_broken_by_a_reset(version: str) -> None:
    got = threading.Event()

    def cut(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        got.wait(5)
        conversation.reset()

    with Backend(cut) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get().replace(b"HTTP/1.1", version.encode()))
        client.until(b"hello")
        got.set()
        rest, clean = client.outcome()
        assert not rest.endswith(b"0\r\n\r\n")
        assert version == "HTTP/1.1" or not clean


def test_a_response_cut_short_behind_its_head_is_a_502_or_breaks_visibly() -> None:
    raw = CUT["a length"].removesuffix(b"hello")
    with Backend(answers(raw, close=True)) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Connection: close"))
        whole = client.outcome()[0]
        assert b'"cause":"response_truncated"' in whole or whole.endswith(b"\r\n\r\n")


def test_a_server_is_read_no_faster_than_the_client_reads() -> None:
    sent = 0

    def endless(conversation: Conversation) -> None:
        nonlocal sent
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        conversation.sock.settimeout(0.3)
        try:
            while sent < 200_000_000:
                conversation.send(b"x" * 100_000)
                sent += 100_000
        except TimeoutError:
            return

    with Backend(endless) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get())
        backend.wait_over()
        assert sent < 50_000_000, "it was stopped by what the two sockets and the gateway's buffers hold"
        with pytest.raises(Ended):
            client.response()


def test_a_client_is_read_no_faster_than_the_server_reads() -> None:
    sent = 0

    def deaf(conversation: Conversation) -> None:
        conversation.request_head()
        done.wait(5)

    done = threading.Event()
    with Backend(deaf) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/", "Content-Length: 1000000000", method="POST"))
        client.sock.settimeout(0.3)
        try:
            while sent < 200_000_000:
                client.send(b"x" * 100_000)
                sent += 100_000
        except TimeoutError:
            done.set()
        assert sent < 50_000_000, "it was stopped by what the two sockets and the gateway's buffers hold"


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413), (100_000, 413)])
def test_content_may_be_as_large_as_its_limit_and_no_larger(framing: str, size: int, status: int) -> None:
    with Backend() as backend, gateway(backend, limits={"max_body": "1KiB"}) as running, Client(running.address) as client:
        client.send(_post(b"x" * size, framing))
        answer = client.response()
        assert answer.status == status
        whole = [request.body for request in backend.requests]
        assert whole == ([b"x" * size] if status == 200 else [])
        if status == 413:
            assert (answer.get(b"connection"), client.to_the_end()) == (b"close", b"")
