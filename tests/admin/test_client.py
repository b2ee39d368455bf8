"""Commands find the gateway that they mean, or say why not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forebay import ControlError
from forebay.admin.client import find, get
from forebay.admin.sockets import control_socket
from forebay.control.state_dir import claim
from forebay.types import Address


@contextmanager
def gateways(home: Path, *names: str) -> Iterator[None]:
    listeners = [control_socket(claim(None, name, {"XDG_STATE_HOME": str(home)})) for name in names]
    yield
    for listener in listeners:
        listener.close()


@contextmanager
def answering(home: Path, answer: bytes) -> Iterator[Address]:
    """Something on a Unix socket that answers its first connection with these bytes."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with control_socket(home) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Address("unix", path=str(home / "control.sock"))
        thread.join()


def test_the_named_gateway_goes_first_then_the_one_of_the_environment(home: Path) -> None:
    environ = {"XDG_STATE_HOME": str(home), "FOREBAY_ADMIN": "unix:/run/from-environment.sock"}
    with gateways(home, "app"):
        assert find("127.0.0.1:9900", environ) == Address("tcp", "127.0.0.1", 9900)
        assert find(None, environ) == Address("unix", path="/run/from-environment.sock")


def test_the_only_one_that_runs_is_meant(home: Path) -> None:
    with gateways(home, "app"):
        assert find(None, {"XDG_STATE_HOME": str(home)}).path == f"{home}/forebay/app/control.sock"


def test_where_none_runs_the_error_says_where_it_looked_and_what_to_do(home: Path) -> None:
    with pytest.raises(ControlError, match=rf"no gateway of this user runs \(looked for {home}/forebay/\*/control\.sock\).*forebay run"):
        find(None, {"XDG_STATE_HOME": str(home)})


def test_where_several_run_the_error_lists_them(home: Path) -> None:
    with gateways(home, "app", "web"), pytest.raises(ControlError) as caught:
        find(None, {"XDG_STATE_HOME": str(home)})
    assert str(caught.value).startswith("2 gateways run; say which one:\n")
    assert f"--admin unix:{home}/forebay/app/control.sock  (pid " in str(caught.value)
    assert f"--admin unix:{home}/forebay/web/control.sock  (pid " in str(caught.value)


@pytest.mark.parametrize(("admin", "source"), [("nonsense", "--admin"), (None, "FOREBAY_ADMIN")])
def test_an_address_that_is_none_is_told_with_where_it_came_from(admin: str | None, source: str) -> None:
    with pytest.raises(ControlError, match=rf"^{source}: \"nonsense\" has no port; write"):
        find(admin, {"FOREBAY_ADMIN": "nonsense"})


def test_the_document_is_read(home: Path) -> None:
    with answering(home, b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"uptime": 1}') as address:
        assert get(address, "/status") == {"uptime": 1}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no gateway answers at unix:"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no gateway answers at unix:"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "answered 200 to GET /status: that is no gateway"),
        (b'HTTP/1.1 503 No\r\nContent-Length: 18\r\n\r\n{"detail": "busy"}', "answered 503 to GET /status: busy"),
    ],
    ids=["closed", "not http", "not json", "a problem"],
)
def test_whatever_else_answers_is_told(home: Path, answer: bytes, words: str) -> None:
    with answering(home, answer) as address, pytest.raises(ControlError, match=words):
        get(address, "/status")


def test_nobody_there_is_told_with_the_systems_reason(home: Path) -> None:
    with pytest.raises(ControlError, match=r"no gateway answers at unix:.*: No such file or directory"):
        get(Address("unix", path=f"{home}/nothing.sock"), "/status")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ControlError, match="Connection refused"):
            get(Address("tcp", "127.0.0.1", bound.getsockname()[1]), "/status")
