"""Orders are taken from who may give them, in the one form, and nothing else changes anything."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from forebay.admin.app import make
from forebay.admin.guard import LARGEST_BODY
from forebay.control.events import Events
from forebay.control.operator import Note, Unknown
from forebay.errors import ForebayError
from forebay.testing import FakeClock
from forebay.types import Secret

TOKEN = "a token of thirty-two characters"  # noqa: S105 - of these tests alone
JSON = {"content-type": "application/json"}


class Operator:
    """Notes its orders."""

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.error: ForebayError | None = None

    def endpoint(self, *order: Any) -> bool:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        return True

    pool = endpoint


class View:
    upgrade: Any = None
    """A gateway with one endpoint."""

    ready = True

    def __init__(self, token: str | None = None) -> None:
        self.operator: Any = Operator()
        self.reloader: Any = None
        self.event_list = Events(FakeClock(1000.0))
        self.admin_token = None if token is None else Secret(token)

    def status(self) -> dict[str, Any]:
        return {}

    def endpoints(self) -> list[dict[str, Any]]:
        return [{"pool": "app", "id": "unix:/run/app.sock", "status": "draining"}]


def ask(view: View, path: str, body: object = None, *, unix: bool = True, method: str = "POST", **headers: str) -> httpx.Response:
    async def marked(scope: Any, receive: Any, send: Any) -> None:
        await make(view)({**scope, "state": {"unix": unix}}, receive, send)

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(marked), base_url="http://127.0.0.1:9900") as client:
            content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
            return await client.request(method, path, content=content, headers={**JSON, **headers})

    return asyncio.run(request())


DRAIN = "/endpoints/app/unix:%2Frun%2Fapp.sock/drain"


def test_an_order_is_carried_out_and_answered_with_the_endpoint() -> None:
    view = View()
    answer = ask(view, DRAIN, {"reason": "deploy", "for": "10m"})
    assert (answer.status_code, answer.json()) == (200, {"changed": True, "endpoint": view.endpoints()[0]})
    assert view.operator.orders == [("drain", "app", "unix:/run/app.sock", Note("deploy", 600.0), None)]


@pytest.mark.parametrize("verb", ["drain", "undrain", "disable", "enable"])
def test_each_verb_of_an_endpoint_reaches_the_operator(verb: str) -> None:
    view = View()
    assert ask(view, f"/endpoints/app/10.0.0.1:80/{verb}").status_code == 200
    assert view.operator.orders == [(verb, "app", "10.0.0.1:80", Note(), None)]


@pytest.mark.parametrize("weight", [3, None])
def test_a_weight_is_given_or_taken_back(weight: int | None) -> None:
    view = View()
    assert ask(view, "/endpoints/app/one/weight", {"weight": weight}).status_code == 200
    assert view.operator.orders == [("weight", "app", "one", Note(), weight)]


@pytest.mark.parametrize("verb", ["failback", "hold", "release"])
def test_each_verb_of_a_pool_reaches_the_operator(verb: str) -> None:
    view = View()
    assert ask(view, f"/pools/app/{verb}", {"reason": "incident", "for": 60}).json() == {"changed": True}
    assert view.operator.orders == [(verb, "app", Note("incident", 60.0))]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (DRAIN, b"{", "the body is no JSON"),
        (DRAIN, b"[]", "must be a table, not a list"),
        (DRAIN, {"reasn": "x"}, 'no key "reasn"'),
        (DRAIN, {"reason": 5}, "one line of text"),
        (DRAIN, {"reason": "two\nlines"}, "one line of text"),
        (DRAIN, {"reason": "x" * 501}, "one line of text"),
        (DRAIN, {"for": "soon"}, '"soon" is no duration'),
        (DRAIN, {"for": 0}, "longer than 0s"),
        (DRAIN, {"for": -1}, "less than zero"),
        (DRAIN, {"weight": 3}, 'no key "weight"'),
        ("/endpoints/app/one/weight", {}, "weight is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason_and_changes_nothing(path: str, body: object, words: str) -> None:
    view = View()
    answer = ask(view, path, body)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert view.operator.orders == []


@pytest.mark.parametrize(("error", "status"), [(Unknown("no pool", hint="app"), 404), (ForebayError("disk full", hint="make room"), 409)])
def test_what_cannot_be_done_is_said_with_the_remedy(error: ForebayError, status: int) -> None:
    view = View()
    view.operator.error = error
    answer = ask(view, DRAIN)
    assert (answer.status_code, answer.json()["detail"], answer.json()["hint"]) == (status, error.message, error.hint)


@pytest.mark.parametrize("path", ["/endpoints/app/one/pause", "/pools/app/drain"])
def test_a_verb_that_there_is_not_is_refused_with_those_there_are(path: str) -> None:
    answer = ask(View(), path)
    assert answer.status_code == 404
    assert "failback" in answer.json()["detail"] or "undrain" in answer.json()["detail"]


def test_over_tcp_nothing_changes_without_a_declared_token() -> None:
    view = View()
    answer = ask(view, DRAIN, unix=False)
    assert (answer.status_code, view.operator.orders) == (403, [])
    assert "admin_token" in answer.json()["hint"]


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN]
)
def test_over_tcp_a_wrong_token_changes_nothing(authorization: str | None) -> None:
    view = View(TOKEN)
    answer = ask(view, DRAIN, unix=False, **({} if authorization is None else {"authorization": authorization}))
    assert (answer.status_code, view.operator.orders) == (401, [])
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_over_tcp_the_right_token_may() -> None:
    view = View(TOKEN)
    assert ask(view, DRAIN, unix=False, authorization=f"bearer {TOKEN}").status_code == 200
    assert len(view.operator.orders) == 1


def test_over_the_control_socket_no_token_is_asked_for() -> None:
    assert ask(View(TOKEN), DRAIN).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_a_form_that_a_page_of_elsewhere_may_send_changes_nothing(kind: str) -> None:
    view = View(TOKEN)
    headers = {"content-type": kind, "authorization": f"Bearer {TOKEN}"}
    for unix in (True, False):
        answer = ask(view, DRAIN, unix=unix, **headers)
        assert (answer.status_code, view.operator.orders) == (415, [])


def test_another_origin_is_not_told_that_it_may() -> None:
    answer = ask(View(TOKEN), DRAIN, unix=False, method="OPTIONS", origin="http://evil.example")
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_name_of_elsewhere_changes_nothing_even_with_the_token() -> None:
    view = View(TOKEN)
    answer = ask(view, DRAIN, unix=False, authorization=f"Bearer {TOKEN}", host="evil.example")
    assert (answer.status_code, view.operator.orders) == (421, [])


def test_a_body_too_large_is_refused_before_it_is_read() -> None:
    answer = ask(View(), DRAIN, b" " * (LARGEST_BODY + 1))
    assert answer.status_code == 413


def test_reading_needs_no_token() -> None:
    assert ask(View(TOKEN), "/endpoints", unix=False, method="GET").json()["endpoints"][0]["pool"] == "app"


def test_an_order_by_reading_is_none() -> None:
    view = View()
    assert ask(view, DRAIN, method="GET").status_code == 405
    assert view.operator.orders == []
