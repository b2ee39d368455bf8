"""Asking a running gateway, over its control socket or its admin address."""

import http.client
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from forebay.control.state_dir import SOCKET, bases, neighbours
from forebay.errors import ControlError
from forebay.types import Address, Malformed

_PATIENCE = 5.0


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
    connection = _Unix(address.path) if address.kind == "unix" else http.client.HTTPConnection(address.host, address.port, _PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ControlError(
            f"no gateway answers at {address}: {reason}", hint="see `forebay status` without --admin for those that run"
        ) from error
    finally:
        connection.close()
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if response.status != http.client.OK or not isinstance(document, dict):
        detail = document.get("detail") if isinstance(document, dict) else None
        raise ControlError(f"{address} answered {response.status} to GET {path}: {detail or 'that is no gateway'}")
    return document


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
