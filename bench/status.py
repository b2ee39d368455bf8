"""Reads the live statistics of a running Forebay over its control socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from bench.paths import BenchError


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at a path."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Connects to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(str(self._path))


def records(state: Path) -> dict[str, int]:
    """`written` and `dropped` of the access log, from `GET /status` on the control socket under `state`."""
    path = next(state.rglob("control.sock"), None)
    if path is None:
        raise BenchError(f"no control.sock under {state}: did `forebay run` start its control application?")
    connection = _UnixConnection(path)
    connection.request("GET", "/status")
    answer = connection.getresponse()
    status = json.loads(answer.read())
    connection.close()
    found = _find(status, "records")
    if found is None or "dropped" not in found:
        raise BenchError(f"/status does not tell `records.dropped`: {list(status)}")
    return {name: int(count) for name, count in found.items()}


def _find(value: Any, key: str) -> dict[str, Any] | None:  # noqa: ANN401 - any JSON
    """The first object under `key` at any depth."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get(key), dict):
        found: dict[str, Any] = value[key]
        return found
    below = (_find(child, key) for child in value.values())
    return next((child for child in below if child is not None), None)
