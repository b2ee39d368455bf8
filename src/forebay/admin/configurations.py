"""`POST /reload` and `/rollback`, `GET /configurations`; and `POST /upgrade`, over the control socket alone."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forebay.admin.guard import over_unix
from forebay.admin.orders import told
from forebay.admin.problem import Problem
from forebay.control.reload import Reloader
from forebay.errors import ConfigError
from forebay.types import Malformed, describe

Json = dict[str, Any]


def configurations(reloader: Callable[[], Reloader], upgrade: Callable[[str | None], Json]) -> list[Route]:
    """The routes. A configuration at fault is answered with 422 and every fault."""

    async def reload(request: Request) -> Response:
        body = await _body(request, {"file": str, "dry_run": bool})
        if "file" in body and not over_unix(request.scope):
            return Problem(403, "another file is read for orders over the control socket alone")
        return await _done(partial(reloader().reload, body.get("file"), dry_run=body.get("dry_run", False)))

    async def rollback(request: Request) -> Response:
        body = await _body(request, {"number": int, "dry_run": bool})
        return await _done(partial(reloader().rollback, body.get("number"), dry_run=body.get("dry_run", False)))

    async def kept(_request: Request) -> Response:
        history = reloader().history
        return JSONResponse({"configurations": [entry.json(history.current) for entry in history.entries()]})

    async def upgraded(request: Request) -> Response:
        if not over_unix(request.scope):
            return Problem(403, "an upgrade starts a program, and is ordered over the control socket alone")
        body = await _body(request, {"python": str})
        return JSONResponse(await asyncio.to_thread(upgrade, body.get("python")))

    return [
        Route("/configurations", kept),
        Route("/reload", told(reload), methods=["POST"]),
        Route("/rollback", told(rollback), methods=["POST"]),
        Route("/upgrade", told(upgraded), methods=["POST"]),
    ]


async def _done(order: Callable[[], Any]) -> Response:
    try:
        outcome = await asyncio.to_thread(order)
    except ConfigError as error:
        return Problem(422, "the configuration is at fault, and nothing has changed", faults=[asdict(fault) for fault in error.faults])
    return JSONResponse(outcome.json())


async def _body(request: Request, known: Mapping[str, type]) -> Json:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Malformed("the body is no JSON", "write {}") from None
    if not isinstance(body, dict):
        raise Malformed(f"the body must be a table, not {describe(body)}", "write {}")
    for key, value in body.items():
        if key not in known:
            raise Malformed(f'there is no key "{key}" here', f"the keys are {', '.join(known)}")
        if type(value) is not known[key]:
            raise Malformed(f"{key} must be of type {known[key].__name__}, not {describe(value)}")
    return body
