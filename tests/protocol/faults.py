"""A real fault for each cause of the catalogue."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from .backend import Conversation, Script, answers, echo
from .cases import BODIES, REFUSED
from .wire import get, ok

Keys = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """What a client sends, what the server does, and how the gateway is set.

    `answer` is `False` where nothing, or only a broken response, can be expected. `act` is what the client does: `read`, `leave` once
    the server has its request, `stare` without reading, or `stop` the gateway. `busy` keeps the only endpoint occupied meanwhile.
    """

    request: bytes = get()
    script: Script = echo
    keys: Keys = field(default_factory=dict)
    answer: bool = True
    act: str = "read"
    busy: bool = False
    address: Callable[[], Any] | None = None


def silent(conversation: Conversation) -> None:
    """Take the request and say nothing."""
    conversation.drain()


def deaf(conversation: Conversation) -> None:
    """Read nothing at all until the gateway gives up."""
    with conversation.backend.changed:
        conversation.backend.changed.wait_for(lambda: conversation.backend.released, 5)


def broken(conversation: Conversation) -> None:
    """Reset in the middle of the request."""
    conversation.request_head()
    conversation.exactly(1000)
    conversation.reset()


def closing(conversation: Conversation) -> None:
    conversation.request()


def reset(conversation: Conversation) -> None:
    conversation.request()
    conversation.reset()


def endless(conversation: Conversation) -> None:
    conversation.request()
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        conversation.send(b"x" * 100_000)


def pausing(conversation: Conversation) -> None:
    """Begin a response and never end it."""
    conversation.request()
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    conversation.drain()


def closed_port() -> list[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{sock.getsockname()[1]}"]


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address at which connecting neither succeeds nor fails: its queue of connections is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0)
            sock.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


_LARGE = get(method="POST", body=b"x" * 30_000_000)
_SHORT = "80ms"
_UPGRADE = get("/", "Connection: Upgrade", "Upgrade: websocket")

FAULTS: Final[dict[str, Fault]] = {
    "malformed_request": Fault(REFUSED["HTTP/0.9"][0]),
    "bare_line_feed": Fault(REFUSED["LF in a value"][0]),
    "header_malformed": Fault(REFUSED["NUL in a value"][0]),
    "ambiguous_length": Fault(REFUSED["CL.TE"][0]),
    "bad_host": Fault(REFUSED["two Hosts"][0]),
    "target_too_long": Fault(get("/" + "x" * 40_000)),
    "head_too_large": Fault(get("/", "X: " + "x" * 40_000)),
    "unknown_transfer_coding": Fault(REFUSED["TE gzip, chunked"][0]),
    "unsupported_version": Fault(REFUSED["HTTP/2.0"][0]),
    "unsupported_method": Fault(REFUSED["CONNECT"][0]),
    "head_timeout": Fault(b"GET / HTTP/1.1\r\n", keys={"limits": {"head_timeout": _SHORT}}),
    "body_malformed": Fault(BODIES["a size with 0x"][0]),
    "body_too_large": Fault(get(method="POST", body=b"x" * 2000), keys={"limits": {"max_body": "1KiB"}}),
    "body_timeout": Fault(get(method="POST", body=b"hello")[:-1], keys={"limits": {"body_timeout": _SHORT}}),
    "client_abort": Fault(script=silent, answer=False, act="leave"),
    "send_timeout": Fault(script=endless, keys={"limits": {"send_timeout": _SHORT}}, answer=False, act="stare"),
    "no_route": Fault(keys={"route": {"match": {"path": "/elsewhere"}}}),
    "pool_unresolved": Fault(address=lambda: ["nowhere.invalid:80"]),
    "queue_full": Fault(keys={"pool": {"max_inflight": 1, "queue": {"size": 0}}}, busy=True),
    "queue_timeout": Fault(keys={"pool": {"max_inflight": 1, "queue": {"timeout": _SHORT}}}, busy=True),
    "request_timeout": Fault(script=silent, keys={"route": {"timeout": _SHORT}}),
    "total_timeout": Fault(script=silent, keys={"limits": {"total_timeout": _SHORT}}),
    "shutdown": Fault(script=silent, answer=False, act="stop"),
    "tunnel_timeout": Fault(
        _UPGRADE,
        answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
        keys={"limits": {"tunnel_timeout": _SHORT}},
        answer=False,
    ),
    "connect_refused": Fault(address=closed_port),
    "connect_timeout": Fault(address=full_backlog, keys={"pool": {"connect_timeout": _SHORT}}),
    "connect_failed": Fault(address=lambda: ["unix:/nowhere/at/all.sock"]),
    "send_failed": Fault(_LARGE, broken),
    "send_stalled": Fault(_LARGE, deaf, keys={"limits": {"send_timeout": _SHORT}}),
    "closed_before_response": Fault(get(method="POST", body=b"x"), closing),
    "reset_before_response": Fault(get(method="POST", body=b"x"), reset),
    "first_byte_timeout": Fault(script=silent, keys={"route": {"first_byte_timeout": _SHORT}}),
    "attempt_timeout": Fault(get(method="POST", body=b"x"), silent, keys={"pool": {"retry": {"attempt_timeout": _SHORT}}}),
    "response_malformed": Fault(script=answers(b"220 mail.example ESMTP\r\n\r\n")),
    "response_length_ambiguous": Fault(script=answers(ok(b"hello", "Content-Length: 6"))),
    "response_head_too_large": Fault(script=answers(ok(b"", "X: " + "x" * 40_000))),
    "response_truncated": Fault(script=answers(ok(b"hello")[:-1], close=True), answer=False),
    "response_body_malformed": Fault(script=answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")),
    "response_stalled": Fault(script=pausing, keys={"limits": {"body_timeout": _SHORT}}, answer=False),
    "upgrade_malformed": Fault(script=answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")),
}

UNPROVOKED: Final = {
    "pool_empty": "the configuration refuses a pool without endpoints or with weights of zero alone; the engine's own tests make one",
    "pool_down": "it takes endpoints that have failed before; the engine's own tests have them fail",
    "endpoint_unresponsive": "it takes a frozen process, its probes and peers that answer; the tests of chaos freeze one",
    "out_of_files": "the limit on open files holds for the whole process, and accepting would pause before connecting fails",
}
"""Causes that a test cannot bring about, each with the reason."""
