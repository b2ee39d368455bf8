"""What a server is told of the client and of the way: X-Forwarded-*, Forwarded, Via, X-Request-Id, Host."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from .backend import Backend
from .harness import gateway, get, problem
from .wire import Client, Message

SENT = (
    "X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
    "X-Forwarded-Prefix: /x", "X-Real-IP: 9.9.9.9", "Forwarded: for=9.9.9.9;proto=https", "Via: 1.1 front", "X-Request-Id: abc-123",
)  # fmt: skip

TRUSTED: dict[str, Any] = {"trusted_proxies": ["127.0.0.0/8"]}


def received(*lines: str, start: str = "GET / HTTP/1.1", host: str = "good.example:8080", **keys: Any) -> Message:
    with Backend() as backend, gateway(backend, **keys) as running, Client(running.address) as client:
        client.ask("\r\n".join([start, f"Host: {host}", *lines, "", ""]).encode())
        return backend.requests[0]


def forwarding(request: Message) -> dict[str, str]:
    """All fields that speak of the client."""
    return {
        name.decode(): value.decode() for name, value in request.fields if name.startswith(b"x-f") or name in {b"forwarded", b"x-real-ip"}
    }


BY_US = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "good.example:8080"}
OURS = 'for=127.0.0.1;host="good.example:8080";proto=http'


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, BY_US),
        ({"forwarded": "forwarded"}, {"forwarded": OURS}),
        ({"forwarded": "off"}, {}),
        ({"trusted_proxies": ["10.0.0.0/8"]}, BY_US),
        (
            TRUSTED,
            {
                "x-forwarded-for": "9.9.9.9, 1.2.3.4, 127.0.0.1", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example",
                "x-forwarded-prefix": "/x", "x-real-ip": "9.9.9.9", "forwarded": "for=9.9.9.9;proto=https",
            },
        ),
    ],
    ids=["untrusted", "untrusted, forwarded", "untrusted, off", "another is trusted", "trusted"],
)  # fmt: skip
def test_a_server_hears_of_an_untrusted_client_only_what_the_gateway_knows(keys: Mapping[str, Any], expected: dict[str, str]) -> None:
    assert forwarding(received(*SENT, **keys)) == expected


def test_a_trusted_proxys_chain_goes_on_in_forwarded_too() -> None:
    request = received(*SENT, forwarded="forwarded", **TRUSTED)
    assert request.all(b"forwarded") == [f"for=9.9.9.9;proto=https, {OURS}".encode()]


def test_a_request_id_is_kept_from_a_trusted_proxy_and_made_for_everybody_else() -> None:
    made = received(*SENT).get(b"x-request-id") or b""
    assert re.fullmatch(rb"[0-9a-f]{32}", made)
    assert received(*SENT).get(b"x-request-id") != made
    assert received(*SENT, **TRUSTED).all(b"x-request-id") == [b"abc-123"]
    assert received("X-Request-Id: a b", **TRUSTED).get(b"x-request-id") != b"a b"
    assert received("X-Request-Id: " + "a" * 200, **TRUSTED).get(b"x-request-id") != b"a" * 200


def test_the_client_hears_the_request_id_that_the_server_did() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        assert client.get().get(b"x-request-id") == backend.requests[0].get(b"x-request-id")


def test_via_names_each_hop_with_the_version_it_was_spoken_to_in() -> None:
    assert received("Via: 1.1 front").all(b"via") == [b"1.1 front", b"1.1 forebay"]
    assert received(start="GET / HTTP/1.0").all(b"via") == [b"1.0 forebay"]


def test_the_host_goes_on_as_the_client_sent_it_unless_the_pool_says_otherwise() -> None:
    assert received(host="Good.Example:8080").all(b"host") == [b"Good.Example:8080"]
    assert received(pool={"host": "inner.example"}).all(b"host") == [b"inner.example"]
    with Backend() as backend, gateway(backend, pool={"host": "endpoint"}) as running, Client(running.address) as client:
        client.get()
        assert backend.requests[0].all(b"host") == [backend.address.encode()]


def test_options_of_the_server_itself_goes_on_as_a_star() -> None:
    assert received(start="OPTIONS * HTTP/1.1").start == b"OPTIONS * HTTP/1.1"
    assert received(start="OPTIONS http://other.example HTTP/1.1").start == b"OPTIONS * HTTP/1.1"
    assert received(start="OPTIONS /x HTTP/1.1").start == b"OPTIONS /x HTTP/1.1"


def test_a_unix_socket_serves_like_any_endpoint() -> None:
    with Backend(unix=True) as backend, gateway(backend) as running, Client(running.address) as client:
        assert [client.get(f"/{index}").status for index in range(3)] == [200] * 3
        assert len(backend.conversations) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_gateways_own_answers_say_why_in_two_machine_readable_ways(method: str) -> None:
    with gateway("127.0.0.1:9", route={"match": {"path": "/only"}}) as running, Client(running.address) as client:
        answer = client.ask(get("/other", method=method), method)
        assert (answer.status, answer.get(b"content-type")) == (404, b"application/problem+json")
        assert answer.get(b"proxy-status") == b'forebay; error=destination_not_found; details="no_route"'
        assert answer.get(b"cache-control") == b"no-store"
        if method == "GET":
            document = problem(answer)
            assert document["title"] == "Not Found"
            assert document["detail"] == "No route matches the request."
            assert document["request_id"] == (answer.get(b"x-request-id") or b"").decode()
            assert document.keys() == {"type", "title", "status", "detail", "cause", "origin", "phase", "request_id"}
        assert client.ask(get("/other")).status == 404, "a refusal of a request that was read whole closes nothing"
