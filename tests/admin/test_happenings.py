"""`/events`: what there is, what was lost, and what follows, until the gateway ends."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from forebay.admin.happenings import happenings
from forebay.control.events import Events
from forebay.testing import FakeClock


def noted(count: int, kept: int = 4096) -> Events:
    events = Events(FakeClock(1000.0), kept)
    for number in range(count):
        events.note("status", f"event {number + 1}", pool="app")
    return events


def ask(events: Events, query: str = "") -> httpx.Response:
    from starlette.applications import Starlette

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=happenings(lambda: events)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/events{query}")

    return asyncio.run(request())


def numbers(answer: httpx.Response) -> list[int]:
    return [event["seq"] for event in answer.json()["events"]]


@pytest.mark.parametrize(("query", "expected"), [("", [1, 2, 3, 4]), ("?since=2", [3, 4]), ("?since=1&limit=2", [2, 3]), ("?since=9", [])])
def test_a_reader_gets_those_after_the_last_it_has(query: str, expected: list[int]) -> None:
    answer = ask(noted(4), query)
    assert (numbers(answer), answer.json()["last"], answer.json()["lost"]) == (expected, 4, 0)


@pytest.mark.parametrize(("since", "lost"), [(0, 7), (5, 2), (7, 0), (9, 0)])
def test_it_says_how_many_are_no_longer_kept(since: int, lost: int) -> None:
    answer = ask(noted(10, kept=3), f"?since={since}")
    assert answer.json()["lost"] == lost


@pytest.mark.parametrize("query", ["?since=x", "?since=-1", "?limit=many", "?since=", "?since=99999999999999999999"])
def test_what_is_no_number_is_refused(query: str) -> None:
    answer = ask(noted(1), query)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def followed(events: Events, query: str, then: Any) -> list[int]:
    """The numbers that a reader gets who goes on until the end; `then` runs once it has the first ones."""
    from starlette.applications import Starlette

    app = Starlette(routes=happenings(lambda: events))
    got: list[int] = []
    started = asyncio.Event()

    async def send(message: Any) -> None:
        got.extend(json.loads(line)["seq"] for line in message.get("body", b"").splitlines() if line)
        started.set()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/events", "query_string": query.encode(), "headers": []}
    reading = asyncio.ensure_future(app(scope, receive, send))
    await started.wait()
    await asyncio.to_thread(then)
    await asyncio.wait_for(reading, 10)
    return got


def test_a_follower_gets_what_is_there_and_what_follows_until_the_end() -> None:
    events = noted(2)

    def then() -> None:
        events.note("hold", "three")
        events.note("hold", "four")
        events.close()

    assert asyncio.run(followed(events, "follow=true", then)) == [1, 2, 3, 4]


def test_a_follower_that_wants_the_last_few_is_not_sent_the_rest() -> None:
    events = noted(10)
    assert asyncio.run(followed(events, "follow=true&limit=2", events.close)) == [9, 10]
