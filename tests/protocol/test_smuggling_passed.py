"""Requests that are accepted arrive written anew: one in, one out, without what ends at this hop and without look-alikes."""

import pytest

from .backend import Conversation, answers, echo
from .cases import POISON, chunked, lines
from .harness import Backend, Client, gateway, get, probe
from .wire import Message, ok


def passed(request: bytes) -> Message:
    """What a server receives of the only request on a connection."""
    with Backend() as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(request)
            assert client.response().status == 200
        probe(running)
        first, second = backend.requests
        assert second.target == b"/second"
        return first


@pytest.mark.parametrize(
    "coding",
    [b"chunked", b"Chunked", b"CHUNKED", b" \t chunked \t ", b"chunked \t"],
    ids=["plain", "title case", "upper case", "spaces and tabs around", "spaces behind"],
)
def test_a_chunked_coding_in_any_honest_spelling_is_written_anew(coding: bytes) -> None:
    request = passed(lines(b"Transfer-Encoding:" + coding) + b"5\r\nhello\r\n0\r\n\r\n")
    assert request.all(b"transfer-encoding") == [b"chunked"]
    assert request.all(b"content-length") == []
    assert request.body == b"hello"


@pytest.mark.parametrize("lengths", [[b"Content-Length: 5", b"content-length: 5"], [b"Content-Length: 0005"], [b"Content-Length:\t5 \t"]])
def test_a_length_that_has_one_reading_is_written_anew_once(lengths: list[bytes]) -> None:
    request = passed(lines(*lengths) + b"hello")
    assert (request.all(b"content-length"), request.body) == ([b"5"], b"hello")


@pytest.mark.parametrize(
    "name",
    [b"Transfer_Encoding", b"Content_Length", b"Content-length_", b"X_Forwarded_For", b"X-Forwarded_Proto", b"HOST_", b"x_real_ip", b"TE_"],
)
def test_a_look_alike_written_with_underscores_is_dropped_or_means_nothing(name: bytes) -> None:
    request = passed(lines(name + b": 40", b"Content-Length: 0"))
    known = name.strip(b"_").replace(b"_", b"-").lower()
    values = [value for field, value in request.fields if field.replace(b"_", b"-") == known]
    assert b"40" not in values


@pytest.mark.parametrize(
    "nominated",
    [
        b"Content-Length", b"Transfer-Encoding", b"Host", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Via",
        b"X-Request-Id", b"close, Host", b"keep-alive, Content-Length", b"Content-Length, Content-Length", b"Forwarded",
    ],
)  # fmt: skip
def test_connection_cannot_take_away_what_frames_routes_or_identifies(nominated: bytes) -> None:
    request = passed(lines(b"Connection: " + nominated, b"Content-Length: 5") + b"hello")
    assert request.body == b"hello"
    assert request.all(b"content-length") == [b"5"]
    assert request.all(b"host") == [b"good.example"]
    assert request.all(b"x-forwarded-for") == [b"127.0.0.1"]
    assert request.all(b"x-forwarded-proto") == [b"http"]
    assert [len(request.all(name)) for name in (b"via", b"x-request-id", b"connection")] == [1, 1, 0]


def test_hop_by_hop_fields_and_those_that_connection_names_end_here() -> None:
    request = passed(
        lines(
            b"Connection: X-Hop, keep-alive", b"connection: x-other", b"X-Hop: 1", b"X-Other: 2", b"Keep-Alive: timeout=9",
            b"Proxy-Connection: keep-alive", b"Upgrade: h2c", b"TE: gzip", b"X-Kept: 3", start=b"GET /first HTTP/1.1",
        )
    )  # fmt: skip
    names = {name for name, _ in request.fields}
    assert names == {b"host", b"x-kept", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"via", b"x-request-id"}


@pytest.mark.parametrize(
    ("target", "sent", "host"),
    [
        (b"http://other.example/path?q", b"/path?q", b"other.example"),
        (b"HTTP://other.example:81", b"/", b"other.example:81"),
        (b"http://other.example?q", b"/?q", b"other.example"),
        (b"http://[::1]:81/", b"/", b"[::1]:81"),
        (b"//other.example/path", b"//other.example/path", b"good.example"),
        (b"/http://other.example/", b"/http://other.example/", b"good.example"),
        (b"/a%0d%0aX:%20y", b"/a%0d%0aX:%20y", b"good.example"),
        (b"/a?b#".rstrip(b"#"), b"/a?b", b"good.example"),
        (b"/?", b"/?", b"good.example"),
        (b"/a/./b/..c;d", b"/a/./b/..c;d", b"good.example"),
    ],
)
def test_a_target_goes_on_in_origin_form_with_the_host_that_it_names(target: bytes, sent: bytes, host: bytes) -> None:
    request = passed(lines(start=b"GET " + target + b" HTTP/1.1"))
    assert (request.target, request.all(b"host"), request.get(b"x-forwarded-host")) == (sent, [host], host)


def test_empty_lines_before_a_request_are_passed_over() -> None:
    assert passed(b"\r\n\r\n" + get("/first")).target == b"/first"


def test_chunk_extensions_end_here() -> None:
    request = passed(chunked(b'5;a="b;c"; d\r\nhello\r\n0;last\r\n\r\n'))
    assert (request.body, request.trailers) == (b"hello", [])


def test_trailer_fields_that_frame_route_or_identify_are_dropped() -> None:
    names = [
        b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"X-Forwarded-For", b"Authorization", b"Cookie",
        b"Content-Type", b"Set-Cookie", b"Trailer", b"Upgrade", b"Transfer_Encoding", b"TE", b"Expect",
    ]  # fmt: skip
    request = passed(chunked(b"0\r\n" + b"".join(name + b": 40\r\n" for name in names) + b"X-Sum: 1\r\n\r\n"))
    assert request.trailers == [(b"x-sum", b"1")]


UPGRADES = {
    "h2c": [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
    "an unlisted token": [b"Connection: Upgrade", b"Upgrade: tls/1.2"],
    "a listed one among others": [b"Connection: Upgrade", b"Upgrade: websocket, h2c"],
    "a listed one that Connection does not name": [b"Upgrade: websocket"],
}


@pytest.mark.parametrize("fields", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_that_is_not_allowed_is_not_passed_on(fields: list[bytes]) -> None:
    request = passed(lines(*fields, start=b"GET /first HTTP/1.1"))
    names = {name for name, _ in request.fields}
    assert names.isdisjoint({b"upgrade", b"connection", b"http2-settings"})


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_server_that_switches_unasked_is_not_believed(version: bytes) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with Backend(answers(switching)) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(lines(*UPGRADES["h2c"], start=b"GET /first " + version) + POISON)
        answer = client.response()
        assert (answer.status, answer.get(b"upgrade")) == (502, None)
        assert b"poison" not in backend.logs[0]


@pytest.mark.parametrize("field", [b"Upgrade: h2c\r\n", b"Upgrade: websocket, h2c\r\n", b""])
def test_a_server_that_switches_to_something_else_is_not_believed(field: bytes) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n" + field + b"\r\n"
    with Backend(answers(switching)) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(lines(b"Connection: Upgrade", b"Upgrade: websocket", start=b"GET /first HTTP/1.1") + POISON)
        assert client.response().status == 502
        assert b"poison" not in backend.logs[0]


def test_bytes_behind_an_upgrade_that_the_server_declines_are_the_next_request() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(lines(b"Connection: Upgrade", b"Upgrade: websocket", start=b"GET /first HTTP/1.1") + POISON)
        assert [client.response().body, client.response().body] == [b"GET /first\n", b"GET /poison\n"]
        first, second = backend.requests
        assert (first.get(b"upgrade"), second.get(b"x-forwarded-for")) == (b"websocket", b"127.0.0.1"), "it was read as a request"


def test_bytes_behind_a_declined_upgrade_that_are_no_request_are_refused() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(lines(b"Connection: Upgrade", b"Upgrade: websocket", start=b"GET /first HTTP/1.1") + b"\x81\x85hello\r\n\r\n")
        assert [client.response().status, client.response().status] == [200, 400]
        assert client.to_the_end() == b""
        assert [request.target for request in backend.requests] == [b"/first"]


def test_what_a_get_carries_is_its_content_and_no_request() -> None:
    request = passed(lines(b"Content-Length: %d" % len(POISON), start=b"GET /first HTTP/1.1") + POISON)
    assert (request.target, request.body) == (b"/first", POISON)


def test_content_behind_a_request_without_length_is_the_next_request() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(lines(start=b"POST /first HTTP/1.1") + POISON)
        assert [client.response().body, client.response().body] == [b"POST /first\n", b"GET /poison\n"]
        assert [request.target for request in backend.requests] == [b"/first", b"/poison"]


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "417 Expectation Failed"])
def test_content_that_an_early_answer_left_unread_is_no_request(status: str) -> None:
    def early(conversation: Conversation) -> None:
        if conversation.request_head().target != b"/first":
            return echo(conversation)
        conversation.send(ok(b"", status=status))
        return conversation.drain()

    with Backend(early) as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(lines(b"Expect: 100-continue", b"Content-Length: %d" % len(POISON)))
            assert client.response().status == int(status[:3])
            client.send(POISON)
            assert client.to_the_end() == b""
        backend.wait(lambda backend: backend.conversations[0].over)
        assert all(not each.requests or each.requests[0].target == b"/first" for each in backend.judged)
        assert b"/poison" not in [request.target for each in backend.judged for request in each.requests]
