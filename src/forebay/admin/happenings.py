"""`GET /events`: what has happened, and what happens from now on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from forebay.admin.problem import Problem
from forebay.control.events import KEPT, Events

_QUIET = 15.0
"""Seconds without an event after which a reader gets an empty line, so that both sides notice when the other is gone."""


def happenings(events: Callable[[], Events]) -> list[Route]:
    """The routes.

    `since` is the number of the last event that the reader has, `limit` how many it wants at most; with `follow=true` they come as JSON
    lines, the present ones first, until the reader leaves or the gateway ends.
    """

    async def answer(request: Request) -> Response:
        query = request.query_params
        numbers = {name: query.get(name, default) for name, default in (("since", "0"), ("limit", str(KEPT)))}
        for name, text in numbers.items():
            if not (text.isascii() and text.isdigit() and len(text) < 16):  # noqa: PLR2004 - digits of a number that JSON can hold
                return Problem(400, f'{name}="{text}" is no number of events')
        since, limit = int(numbers["since"]), int(numbers["limit"])
        if query.get("follow") == "true":
            return StreamingResponse(_lines(events(), since, limit), media_type="application/x-ndjson")
        found = events()
        listed = found.since(since, limit)
        oldest = found.last - len(found.since()) + 1
        lost = max(0, min(oldest - 1, found.last) - since)
        return JSONResponse({"events": [event.json() for event in listed], "last": found.last, "lost": lost})

    return [Route("/events", answer)]


async def _lines(events: Events, since: int, limit: int) -> AsyncIterator[str]:
    news = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        loop.call_soon_threadsafe(news.set)

    end = events.watch(tell)
    # A reader that wants the last few and what follows is not sent all that is kept.
    seen = max(since, events.last - limit)
    try:
        while True:
            news.clear()
            for event in events.since(seen):
                seen = event.seq
                yield _line(event.json())
            if events.closed:
                return
            try:
                await asyncio.wait_for(news.wait(), _QUIET)
            except TimeoutError:
                yield "\n"
    finally:
        end()


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
