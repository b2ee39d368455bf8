"""What operators order by `POST`: an endpoint is drained, disabled or given another weight; a pool goes back, is held or released."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forebay.admin.problem import Problem
from forebay.control.operator import ENDPOINT_VERBS, POOL_VERBS, Note, Operator, Unfit, Unknown
from forebay.errors import ForebayError
from forebay.types import describe

Json = dict[str, Any]

_BODY: Final = 'write {"reason": "deploy", "for": "10m"}, or {}'
_KEYS: Final = ("reason", "for", "weight")


def orders(operator: Callable[[], Operator], endpoints: Callable[[], list[Json]]) -> list[Route]:
    """The routes. A body is `{"reason": TEXT, "for": SECONDS or "10m"}`, for `weight` with `"weight": NUMBER` (null: as declared); each
    key may be left out. The answer is `{"changed": whether anything did, "endpoint": as in /endpoints}`.
    """

    async def endpoint(request: Request) -> Response:
        pool, name, verb = (request.path_params[each] for each in ("pool", "endpoint", "verb"))
        if verb not in ENDPOINT_VERBS:
            return Problem(404, f"an endpoint takes {', '.join(ENDPOINT_VERBS)}; not {verb}")
        body = await _body(request, {"reason", "for", "weight"} if verb == "weight" else {"reason", "for"})
        if verb == "weight" and "weight" not in body:
            raise Unfit("weight is missing", hint='write {"weight": 3}, or null for the declared one')
        changed = await _carried_out(partial(operator().endpoint, verb, pool, name, Note.of(body), body.get("weight")))
        found = [each for each in endpoints() if (each["pool"], each["id"]) == (pool, name)]
        return JSONResponse({"changed": changed, "endpoint": found[0] if found else None})

    async def pool(request: Request) -> Response:
        name, verb = request.path_params["pool"], request.path_params["verb"]
        if verb not in POOL_VERBS:
            return Problem(404, f"a pool takes {', '.join(POOL_VERBS)}; not {verb}")
        body = await _body(request, {"reason", "for"})
        return JSONResponse({"changed": await _carried_out(partial(operator().pool, verb, name, Note.of(body)))})

    return [
        Route("/endpoints/{pool}/{endpoint:path}/{verb}", told(endpoint), methods=["POST"]),
        Route("/pools/{pool}/{verb}", told(pool), methods=["POST"]),
    ]


def told(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """The same, with the errors that are the asker's as problems."""

    async def guarded(request: Request) -> Response:
        try:
            response: Response = await answer(request)
        except Unfit as error:
            return Problem.of(400, error)
        except Unknown as error:
            return Problem.of(404, error)
        except ForebayError as error:
            return Problem.of(409, error)
        return response

    return guarded


async def _carried_out(order: Callable[[], bool]) -> bool:
    # Not on this thread: it waits for locks and the disk, and others are being answered meanwhile.
    return await asyncio.to_thread(order)


async def _body(request: Request, known: set[str]) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Unfit("the body is no JSON", hint=_BODY) from None
    if not isinstance(body, dict):
        raise Unfit(f"the body must be a table, not {describe(body)}", hint=_BODY)
    if unknown := sorted(set(body) - known):
        raise Unfit(f'there is no key "{unknown[0]}" here', hint=f"the keys are {', '.join(key for key in _KEYS if key in known)}")
    return body
