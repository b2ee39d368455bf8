"""Who may ask the admin API for what."""

import hmac
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from forebay.admin.problem import Problem
from forebay.types import Address, Malformed, Secret

LARGEST_BODY = 1 << 20
"""Bytes of the body of a write."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnName:
    """Refuses requests over TCP for a host name other than this machine's.

    A page in a browser may have its own name resolve to 127.0.0.1 and then read what is here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not over_unix(scope) and not _is_this_machine(_field(scope, b"host")):
            refusal = Problem(421, "the Host field must name this machine: localhost, or a loopback address")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Writes:
    """Refuses writes but over the control socket, which only its owner may open, or with the admin token.

    The body must be called JSON, which a page of another origin cannot do without asking first, and nobody here answers that question
    (CSRF).
    """

    def __init__(self, app: ASGIApp, token: Callable[[], Secret | None]) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" and scope["method"] not in _READS else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if not over_unix(scope):
            token = self._token()
            if token is None:
                hint = "use the control socket, or declare admin_token in [gateway]"
                return Problem(403, "over TCP nothing can be changed while no admin_token is declared", hint=hint)
            scheme, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token.reveal()):
                hint = "send it as `Authorization: Bearer TOKEN`; commands take it from $FOREBAY_ADMIN_TOKEN"
                return Problem(401, "the admin token is missing or wrong", {"www-authenticate": "Bearer"}, hint=hint)
        if _field(scope, b"content-type").partition(";")[0].strip().lower() != "application/json":
            return Problem(415, "what is to change must be JSON", hint="send Content-Type: application/json")
        length = _field(scope, b"content-length")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return Problem(413, f"a body must state its length, of at most {LARGEST_BODY} bytes")
        return None


def over_unix(scope: Scope) -> bool:
    """Whether the request came over the control socket; the protocol says so (`forebay.admin.uvicorn`), and nothing else counts."""
    return scope.get("state", {}).get("unix") is True


def _field(scope: Scope, name: bytes) -> str:
    return str(dict(scope["headers"]).get(name, b"").decode("latin-1"))


def _is_this_machine(host: str) -> bool:
    try:
        address = Address.parse(f"http://{host}")
    except Malformed:
        return False
    return address.host == "localhost" or (address.ip is not None and address.ip.is_loopback)
