"""Reads the live statistics of a running Forebay over its control socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from bench.paths import BenchError

LIMIT = 30.0
"""Seconds for one answer: that of 10,000 endpoints is long."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at a path."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        """Connects to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(self._path))


def records(state: Path) -> dict[str, int]:
    """`written` and `dropped` of the access log, from `GET /status` on the control socket under `state`."""
    status = _status(state)
    found = _find(status, "records")
    if found is None or "dropped" not in found:
        raise BenchError(f"/status does not tell `records.dropped`: {list(status)}")
    return {name: int(count) for name, count in found.items()}


def endpoints(state: Path) -> list[dict[str, Any]]:
    """What `GET /status` tells of each endpoint of the pool `app`."""
    found = _find(_status(state), "app")
    if found is None:
        raise BenchError("/status tells of no pool `app`")
    return list(found["endpoints"].values() if isinstance(found["endpoints"], dict) else found["endpoints"])


def _status(state: Path) -> dict[str, Any]:
    path = next(state.rglob("control.sock"), None)
    if path is None:
        raise BenchError(f"no control.sock under {state}: did `forebay run` start its control application?")
    connection = _UnixConnection(path)
    connection.request("GET", "/status")
    answer = connection.getresponse()
    status: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return status


def _find(value: Any, key: str) -> dict[str, Any] | None:  # noqa: ANN401 - any JSON
    """The first object under `key` at any depth."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get(key), dict):
        found: dict[str, Any] = value[key]
        return found
    below = (_find(child, key) for child in value.values())
    return next((child for child in below if child is not None), None)
