"""Uvicorn in a thread leaves the program around it as it was."""

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forebay.admin.app import make
from forebay.admin.server import AdminServer
from forebay.admin.sockets import admin_socket, control_socket
from forebay.control.events import Events
from forebay.testing import FakeClock
from forebay.types import Address

PATIENCE = 10


class View:
    upgrade: Any = None
    """What is shown; `hold` lets a request for the status wait."""

    ready = True
    admin_token = None
    operator: Any = None
    reloader: Any = None

    def __init__(self) -> None:
        self.event_list = Events(FakeClock(1000.0))
        self.asked = threading.Event()
        self.hold: threading.Event | None = None

    def status(self) -> dict[str, Any]:
        self.asked.set()
        if self.hold is not None:
            self.hold.wait(PATIENCE)
        return {"snapshot": 4}

    def endpoints(self) -> list[dict[str, Any]]:
        return []


@pytest.fixture
def view() -> View:
    return View()


@pytest.fixture
def server(view: View, home: Path) -> Iterator[AdminServer]:
    server = AdminServer(lambda: make(view), [control_socket(home)])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: AdminServer, home: Path) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(home / "control.sock")), timeout=PATIENCE) as client:
        yield client


def test_it_serves_over_the_control_socket_from_the_moment_of_its_start(client: httpx.Client) -> None:
    assert client.get("http://localhost/status").json() == {"snapshot": 4}


def test_it_serves_all_its_sockets(view: View, home: Path) -> None:
    tcp = admin_socket(Address.parse("127.0.0.1:0"))
    server = AdminServer(lambda: make(view), [control_socket(home), tcp])
    server.start()
    url = f"http://127.0.0.1:{tcp.getsockname()[1]}/ready"
    assert httpx.get(url, timeout=PATIENCE).text == "ready\n"
    assert httpx.get(url, headers={"host": "evil.example"}, timeout=PATIENCE).status_code == 421
    server.stop()


def test_signals_stay_with_the_program(client: httpx.Client) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    client.get("http://localhost/live")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_logging_of_a_program_that_uses_uvicorn_itself_stays_as_it_was(
    caplog: pytest.LogCaptureFixture, view: View, home: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    access = logging.getLogger("uvicorn.access")
    handler = logging.NullHandler()
    access.addHandler(handler)
    try:
        server = AdminServer(lambda: make(view), [control_socket(home)])
        server.start()
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(home / "control.sock")), timeout=PATIENCE) as client:
            client.get("http://localhost/status")
        server.stop()
        assert handler in access.handlers
        assert access.propagate
    finally:
        access.removeHandler(handler)
    assert [record.name for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_its_answers_do_not_name_the_server(client: httpx.Client) -> None:
    assert "server" not in client.get("http://localhost/live").headers


def test_a_stop_closes_the_sockets_and_ends_the_thread(server: AdminServer, client: httpx.Client, home: Path) -> None:
    client.get("http://localhost/live")
    server.stop()
    assert "forebay-admin" not in {thread.name for thread in threading.enumerate()}
    with socket.socket(socket.AF_UNIX) as late, pytest.raises(ConnectionRefusedError):
        late.connect(str(home / "control.sock"))


def test_a_stop_waits_for_an_answer_that_is_under_way(view: View, server: AdminServer, client: httpx.Client) -> None:
    view.hold = threading.Event()
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(client.get("http://localhost/status")))
    asking.start()
    assert view.asked.wait(PATIENCE)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    view.hold.set()
    for thread in (stopping, asking):
        thread.join(PATIENCE)
    assert [answer.json() for answer in answers] == [{"snapshot": 4}]


def test_an_application_that_cannot_be_made_is_told_and_harms_nothing_else(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def impossible() -> Any:
        message = "no"
        raise RuntimeError(message)

    server = AdminServer(impossible, [control_socket(home)])
    server.start()
    server.stop()
    assert "the admin API has ended; the data path is not affected" in caplog.text


def test_one_that_never_started_can_be_stopped(view: View, home: Path) -> None:
    AdminServer(lambda: make(view), [control_socket(home)]).stop()
