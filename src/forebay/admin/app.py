"""The admin application: one, on every socket. Later rooms add their routes here."""

from http import HTTPStatus
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from forebay.types import Address, Malformed


class View(Protocol):
    """What the application shows of a gateway. Called on the admin thread."""

    @property
    def ready(self) -> bool:
        """Whether the gateway accepts requests."""

    def status(self) -> dict[str, Any]:
        """The document at `/status`."""


class Problem(JSONResponse):
    """RFC 9457."""

    media_type = "application/problem+json"

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__({"title": HTTPStatus(status).phrase, "status": status, "detail": detail}, status, headers)


def make(view: View) -> Starlette:
    """The application that shows `view`."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_request: Request) -> Response:
        if view.ready:
            return PlainTextResponse("ready\n")
        return Problem(503, "the gateway is stopping; it finishes what runs and accepts nothing new", {"retry-after": "5"})

    async def status(_request: Request) -> Response:
        return JSONResponse(view.status())

    return Starlette(
        routes=[Route("/live", live), Route("/ready", ready), Route("/status", status)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        middleware=[Middleware(OwnName)],
    )


class OwnName:
    """Refuses requests over TCP for a host name other than this machine's.

    A page in a browser may have its own name resolve to 127.0.0.1 and then read what is here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        over_tcp = scope["type"] == "http" and scope.get("client") is not None
        if over_tcp and not _is_this_machine(dict(scope["headers"]).get(b"host", b"").decode("latin-1")):
            refusal = Problem(421, "the Host field must name this machine: localhost, or a loopback address")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_this_machine(host: str) -> bool:
    try:
        address = Address.parse(f"http://{host}")
    except Malformed:
        return False
    return address.host == "localhost" or (address.ip is not None and address.ip.is_loopback)


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    known = ", ".join(sorted(route.path for route in request.app.routes if isinstance(route, Route)))
    details = {404: f"there is nothing at {request.url.path}; there is {known}", 405: f"{request.url.path} takes GET alone"}
    return Problem(error.status_code, details.get(error.status_code, error.detail), dict(error.headers or {}))


async def _fail(_request: Request, error: Exception) -> Response:
    return Problem(500, f"{type(error).__name__} inside the gateway; its error output tells more")
