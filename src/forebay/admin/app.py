"""The admin application: one, on every socket. Later rooms add their routes here."""

from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from forebay.admin.configurations import configurations
from forebay.admin.guard import OwnName, Writes
from forebay.admin.happenings import happenings
from forebay.admin.orders import orders
from forebay.admin.problem import Problem
from forebay.control.events import Events
from forebay.control.operator import Operator
from forebay.control.reload import Reloader
from forebay.types import Secret


class View(Protocol):
    """What the application shows of a gateway, and what it has it do. Called on the admin thread, and on workers of it."""

    @property
    def ready(self) -> bool:
        """Whether the gateway accepts requests."""

    @property
    def admin_token(self) -> Secret | None:
        """What a write over TCP must show; None refuses them all."""

    def upgrade(self, python: str | None) -> dict[str, Any]:
        """Have another process take over."""

    def status(self) -> dict[str, Any]:
        """The document at `/status`."""

    def endpoints(self) -> list[dict[str, Any]]:
        """The list at `/endpoints`."""

    @property
    def event_list(self) -> Events:
        """What is at `/events`."""

    @property
    def reloader(self) -> Reloader:
        """Who reloads and rolls back."""

    @property
    def operator(self) -> Operator:
        """Who carries out what is written."""


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

    async def endpoints(_request: Request) -> Response:
        return JSONResponse({"endpoints": view.endpoints()})

    return Starlette(
        routes=[
            Route("/live", live),
            Route("/ready", ready),
            Route("/status", status),
            Route("/endpoints", endpoints),
            *happenings(lambda: view.event_list),
            *orders(lambda: view.operator, view.endpoints),
            *configurations(lambda: view.reloader, view.upgrade),
        ],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        middleware=[Middleware(OwnName), Middleware(Writes, token=lambda: view.admin_token)],
    )


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    known = ", ".join(sorted(route.path for route in request.app.routes if isinstance(route, Route)))
    details = {404: f"there is nothing at {request.url.path}; there is {known}", 405: _takes(request, error)}
    return Problem(error.status_code, details.get(error.status_code, error.detail), dict(error.headers or {}))


def _takes(request: Request, error: HTTPException) -> str:
    allowed = {method.strip() for method in (error.headers or {}).get("Allow", "").split(",")} - {"HEAD"}
    return f"{request.url.path} takes {' and '.join(sorted(allowed))} alone"


async def _fail(_request: Request, error: Exception) -> Response:
    return Problem(500, f"{type(error).__name__} inside the gateway; its error output tells more")
