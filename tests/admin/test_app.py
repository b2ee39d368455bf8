"""The admin application answers what it is asked, and nobody from elsewhere."""

import asyncio
from typing import Any

import httpx
import pytest

from forebay.admin.app import make
from forebay.control.events import Events
from forebay.testing import FakeClock
from forebay.types import Secret

Peer = tuple[str, int] | None


class View:
    upgrade: Any = None
    """What is shown."""

    def __init__(self) -> None:
        self.ready = True
        self.error: Exception | None = None
        self.admin_token: Secret | None = None
        self.event_list = Events(FakeClock(1000.0))
        self.operator: Any = None
        self.reloader: Any = None

    def endpoints(self) -> list[dict[str, Any]]:
        return [{"pool": "app", "id": "10.0.0.1:80", "status": "healthy"}]

    def status(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {"snapshot": 4}


class OverUnix(httpx.ASGITransport):
    """The server marks a request over a Unix socket."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self.app

        async def marked(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "client": None, "state": {"unix": True}}, receive, send)

        return await httpx.ASGITransport(marked, raise_app_exceptions=False).handle_async_request(request)


def ask(view: View, path: str, *, method: str = "GET", host: str = "127.0.0.1:9900", unix: bool = False) -> httpx.Response:
    async def request() -> httpx.Response:
        app = make(view)
        transport = OverUnix(app) if unix else httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9900") as client:
            return await client.request(method, path, headers={"host": host, "content-type": "application/json"})

    return asyncio.run(request())


def test_it_lives_as_long_as_it_answers() -> None:
    assert ask(View(), "/live").status_code == 200


def test_it_is_ready_until_the_gateway_stops() -> None:
    view = View()
    assert ask(view, "/ready").status_code == 200
    view.ready = False
    answer = ask(view, "/ready")
    assert answer.status_code == 503
    assert "stopping" in answer.json()["detail"]
    assert ask(view, "/live").status_code == 200


def test_status_is_the_document() -> None:
    answer = ask(View(), "/status")
    assert (answer.status_code, answer.json()) == (200, {"snapshot": 4})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [("GET", "/stats", 404, "there is /configurations, "), ("OPTIONS", "/status", 405, "/status takes GET alone")],
)
def test_what_cannot_be_had_is_a_problem_that_says_what_can(method: str, path: str, status: int, words: str) -> None:
    answer = ask(View(), path, method=method)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_an_error_inside_is_a_problem_too_and_tells_no_secrets() -> None:
    view = View()
    view.error = RuntimeError("the password is x")
    answer = ask(view, "/status")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "RuntimeError" in answer.json()["detail"]
    assert "password" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9900", "10.0.0.1:9900", "localhost.evil.example", "", "a b"])
def test_a_page_that_has_its_own_name_lead_here_reads_nothing(host: str) -> None:
    answer = ask(View(), "/status", host=host)
    assert answer.status_code == 421
    assert "snapshot" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:9900", "127.0.0.1", "127.8.8.8:9900", "[::1]:9900"])
def test_every_name_of_this_machine_is_served(host: str) -> None:
    assert ask(View(), "/status", host=host).status_code == 200


def test_over_the_control_socket_any_name_is_served() -> None:
    assert ask(View(), "/status", host="whatever", unix=True).status_code == 200
