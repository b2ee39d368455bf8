"""Asking a running gateway, over its control socket or its admin address."""

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from forebay.control.state_dir import SOCKET, bases, neighbours
from forebay.errors import ConfigError, ControlError, Fault, ForebayError
from forebay.types import Address, Malformed

TOKEN: Final = "FOREBAY_ADMIN_TOKEN"  # noqa: S105 - the name of the variable that holds it

_PATIENCE: Final = 5.0
_LONG: Final = 60.0
"""Seconds without a line while following; the gateway sends an empty one every quarter of that."""
_REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 422})


def find(admin: str | None, environ: Mapping[str, str] = os.environ) -> Address:
    """Which gateway a command means: as named, else $FOREBAY_ADMIN, else the only one of this user that runs.

    Raises:
        ControlError: when none runs, or several do.
    """
    named = admin or environ.get("FOREBAY_ADMIN")
    if named:
        try:
            return Address.parse(named)
        except Malformed as error:
            source = "--admin" if admin else "FOREBAY_ADMIN"
            raise ControlError(f"{source}: {error.message}", hint='write "HOST:PORT" or "unix:/path/control.sock"') from None
    running = neighbours(environ)
    if not running:
        places = " and ".join(f"{base}/*/{SOCKET}" for base in bases(environ))
        raise ControlError(
            f"no gateway of this user runs (looked for {places})",
            hint="start one with `forebay run`, or name one elsewhere with --admin ADDRESS or --admin unix:PATH",
        )
    if len(running) > 1:
        listed = "".join(f"\n  --admin unix:{each.socket}  (pid {each.pid})" for each in running)
        raise ControlError(f"{len(running)} gateways run; say which one:{listed}")
    return Address("unix", path=str(running[0].socket))


def get(address: Address, path: str) -> dict[str, Any]:
    """The JSON document at `path`.

    Raises:
        ControlError: when nobody answers, or something else than a gateway does.
    """
    return _asked(address, "GET", path)


def post(address: Address, path: str, body: Mapping[str, Any], *, patience: float = _PATIENCE) -> dict[str, Any]:
    """What the gateway answers to an order, which may take `patience` seconds; over TCP with the token in $FOREBAY_ADMIN_TOKEN.

    Raises:
        ControlError: when nobody answers, or something else than a gateway does.
        ForebayError: when the gateway refuses, with its words; ConfigError where it names faults.
    """
    return _asked(address, "POST", path, json.dumps(body).encode(), patience)


def follow(address: Address, path: str) -> Iterator[dict[str, Any]]:
    """The JSON documents at `path`, one a line, until the gateway ends.

    Raises:
        ControlError: when nobody answers, or something else than a gateway does.
    """
    connection = _connection(address, _LONG)
    try:
        with _reaching(address):
            connection.request("GET", path)
            response = connection.getresponse()
        if response.status != http.client.OK:
            raise _refusal(address, "GET", path, response.status, _document(response.read()))
        with _reaching(address):
            for line in response:
                if line.strip():
                    yield json.loads(line)
    finally:
        connection.close()


def _asked(address: Address, method: str, path: str, body: bytes | None = None, patience: float = _PATIENCE) -> dict[str, Any]:
    connection = _connection(address, patience)
    token = os.environ.get(TOKEN) if address.kind == "tcp" else None
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {"Authorization": f"Bearer {token}"} if token and body is not None else {}
    try:
        with _reaching(address):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            document = _document(response.read())
    finally:
        connection.close()
    if response.status != http.client.OK or document is None:
        raise _refusal(address, method, path, response.status, document)
    return document


def _connection(address: Address, patience: float) -> http.client.HTTPConnection:
    if address.kind == "unix":
        return _Unix(address.path, patience)
    return http.client.HTTPConnection(address.host, address.port, patience)


@contextmanager
def _reaching(address: Address) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ControlError(
            f"no gateway answers at {address}: {reason}", hint="see `forebay status` without --admin for those that run"
        ) from error


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(address: Address, method: str, path: str, status: int, document: dict[str, Any] | None) -> ForebayError:
    """What a gateway refuses is the asker's to correct; anything else was no gateway."""
    detail = document.get("detail") if document else None
    if method == "POST" and isinstance(detail, str) and status in _REFUSALS:
        faults = [Fault(**fault) for fault in (document or {}).get("faults", ())]
        return ConfigError(faults) if faults else ForebayError(detail, hint=(document or {}).get("hint"))
    return ControlError(f"{address} answered {status} to {method} {path}: {detail or 'that is no gateway'}")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
