"""A gateway in this process, between raw clients and recording servers."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forebay
from forebay.gateway import Running

from .backend import Backend
from .wire import WAIT, Client, Message, get

Keys = Mapping[str, Any]


@contextmanager
def gateway(
    *backends: Backend | str,
    pool: Keys | None = None,
    route: Keys | None = None,
    listener: Keys | None = None,
    limits: Keys | None = None,
    **keys: Any,
) -> Iterator[Running]:
    """A gateway with one pool of these servers; further keys as in the configuration."""
    endpoints = [each.address if isinstance(each, Backend) else each for each in backends]
    declared = forebay.Gateway(
        listeners={"web": {"bind": "127.0.0.1:0", **(listener or {})}},
        pools={"app": {"endpoints": endpoints, **(pool or {})}},
        routes=[{"pool": "app", **(route or {})}],
        limits=dict(limits or {}),
        **{"access_log": "off", "threads": 1, "shutdown_grace": "0s", **keys},
    )
    with declared.start() as running:
        yield running


def probe(running: Running, target: str = "/second") -> None:
    """A second, well-behaved client is answered for what it asked (by servers that echo)."""
    with Client(running.address) as client:
        answer = client.get(target)
        assert (answer.status, answer.body) == (200, f"GET {target}\n".encode())


def records(path: Path) -> list[dict[str, Any]]:
    """The access log, once the gateway has ended."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def problem(answer: Message) -> dict[str, Any]:
    """The document of a response of the gateway's own."""
    assert answer.get(b"content-type") == b"application/problem+json"
    document: dict[str, Any] = json.loads(answer.body)
    assert document["status"] == answer.status
    return document


def cause(answer: Message) -> str:
    """The cause that a response of the gateway's own names, alike in its document and in `Proxy-Status`."""
    named = problem(answer)["cause"]
    assert f'details="{named}"'.encode() in (answer.get(b"proxy-status") or b"")
    return str(named)


def refused(client: Client) -> Message:
    """The refusal that comes next, after which the connection is closed."""
    answer = client.response()
    assert answer.status >= 400
    assert answer.get(b"connection") == b"close"
    assert client.to_the_end() == b""
    return answer


def wait_until(condition: Callable[[], bool]) -> None:
    """Until what the engine reports satisfies a condition; it is asked anew every few milliseconds."""
    look = threading.Event()
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        look.wait(0.002)


__all__ = ["Backend", "Client", "cause", "gateway", "get", "probe", "problem", "records", "refused", "wait_until"]
