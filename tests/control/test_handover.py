"""A handover carries any number of sockets whole, and what is none is refused."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from forebay import ForebayError, ListenError
from forebay.control.handover import ENV, Offer, Predecessor, command, failed, matched, start
from forebay.control.systemd import activated, assigned


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(10)
        yield ours, theirs


def sockets(count: int, opened: ExitStack) -> list[socket.socket]:
    return [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 3, 300])
def test_an_offer_arrives_whole_whatever_the_number_of_its_sockets(pair: tuple[socket.socket, socket.socket], count: int) -> None:
    ours, theirs = pair
    with ExitStack() as opened:
        listening = sockets(count, opened)
        offer = Offer("/var/lib/x", {"web": {"a": [each.fileno() for each in listening]}}, listening[0].fileno(), {"app": [1, 2]})
        sender = threading.Thread(target=offer.send, args=[ours])
        sender.start()
        with Offer.receive(theirs) as received:
            sender.join()
            taken = received.sockets["web"]["a"]
            assert received.admin is not None
            assert (received.directory, received.learned, len(taken)) == ("/var/lib/x", {"app": [1, 2]}, count)
            for number, original in zip([*taken, received.admin], [*listening, listening[0]], strict=True):
                assert not os.get_inheritable(number)
                with closing(socket.socket(fileno=os.dup(number))) as copy:
                    assert copy.getsockname() == original.getsockname()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4, (5).to_bytes(8) + b"{}", (2).to_bytes(8) + b"[]", (1 << 40).to_bytes(8), (15).to_bytes(8) + b'{"format": 999}'],
)
def test_what_is_no_offer_is_refused(pair: tuple[socket.socket, socket.socket], content: bytes) -> None:
    ours, theirs = pair
    ours.sendall(content)
    ours.close()
    with pytest.raises(ForebayError, match="nothing that can be taken over"):
        Predecessor(theirs).offer()


def test_fewer_sockets_than_promised_are_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    value = {"format": 1, "directory": "/", "places": [["web", "a", 2]], "admin": False, "learned": {}}
    content = json.dumps(value).encode()
    ours.sendall(len(content).to_bytes(8) + content)
    ours.close()
    with pytest.raises(ForebayError, match="0 sockets came of 2"):
        Predecessor(theirs).offer()


def test_a_listener_takes_the_sockets_of_its_name_and_address_or_else_of_its_address() -> None:
    offered = {"old": {"10.0.0.1:80": [5], "127.0.0.1:0": [6]}, "web": {"10.0.0.1:81": [7]}, "gone": {"10.0.0.1:82": [8]}}
    listeners = [{"name": "new", "bind": ["10.0.0.1:80", "127.0.0.1:0"]}, {"name": "web", "bind": ["10.0.0.1:81"]}]
    assert matched(offered, listeners) == {"new": {"10.0.0.1:80": [5]}, "web": {"10.0.0.1:81": [7]}}
    assert offered == {"old": {"127.0.0.1:0": [6]}, "web": {}, "gone": {"10.0.0.1:82": [8]}}, "what is left is closed"


def test_a_process_is_started_as_this_one_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "/old/bin/forebay", "run", "gateway.toml"])
    assert command(None) == [sys.executable, "/old/bin/forebay", "run", "gateway.toml"]
    assert command("/new/python") == ["/new/python", "-m", "forebay", "run", "gateway.toml"]
    monkeypatch.setattr(sys, "orig_argv", ["python", "serve.py", "--fast"])
    assert command("/new/python") == ["/new/python", "serve.py", "--fast"]


READY = (
    'import os, socket; s = socket.socket(fileno=int(os.environ[\'FOREBAY_HANDOVER\'])); s.sendall(b\'{"ready": 7, "version": "9"}\\n\')'
)
SILENT = "import signal; signal.pause()"


def test_a_process_that_says_ready_has_taken_over() -> None:
    successor = start([sys.executable, "-c", READY], Offer("/", {}))
    with successor.channel:
        assert (successor.pid, successor.version) == (7, "9")
        assert successor.process.wait(30) == 0


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "it ended with 3 before it was ready"),
        (SILENT, "it was not ready within 0.5 s"),
        (READY.replace('"ready": 7, "version": "9"', '"failed": "no luck"'), "no luck"),
        (READY.replace('{"ready": 7, "version": "9"}', "nonsense"), "it ended with 0 before it was ready"),
    ],
)
def test_a_process_that_does_not_is_ended_and_the_reason_told(code: str, why: str) -> None:
    with pytest.raises(ForebayError, match=f"the new process does not serve: {why}"):
        start([sys.executable, "-c", code], Offer("/", {}), 0.5 if code == SILENT else 30)


def test_a_process_knows_while_the_one_before_it_lives(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    environ = {ENV: str(os.dup(theirs.fileno()))}
    predecessor = Predecessor.find(environ)
    assert predecessor is not None
    predecessor.tell_ready("9", environ)
    assert json.loads(ours.recv(100)) == {"ready": os.getpid(), "version": "9"}
    assert environ == {}
    assert predecessor.lives()
    ours.close()
    assert not predecessor.lives()
    predecessor.close()


def test_a_process_that_fails_says_why(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    failed("no such file", {ENV: str(theirs.fileno())})
    assert json.loads(ours.recv(100)) == {"failed": "no such file"}
    failed("nobody waits", {})


@pytest.mark.parametrize("environ", [{}, {ENV: "x"}, {ENV: "9999"}])
def test_without_one_that_waits_there_is_no_process_before(environ: dict[str, str]) -> None:
    assert Predecessor.find(environ) is None


LISTENERS = [{"name": "web", "bind": ["10.0.0.1:80", "10.0.0.2:80"]}, {"name": "more", "bind": ["10.0.0.1:81"]}]


def test_sockets_of_systemd_go_by_name_and_else_by_order() -> None:
    assert assigned(LISTENERS, [("x.socket", 3), ("more", 4), ("x.socket", 5)]) == {
        "web": {"10.0.0.1:80": [3], "10.0.0.2:80": [5]},
        "more": {"10.0.0.1:81": [4]},
    }
    assert assigned(LISTENERS, [("", 3)]) == {"web": {"10.0.0.1:80": [3]}}
    assert assigned(LISTENERS, []) == {}


def test_a_socket_of_systemd_that_nobody_wants_is_an_error() -> None:
    with pytest.raises(ListenError, match="it handed over 1 more than there are addresses"):
        assigned(LISTENERS, [("web", 3), ("web", 4), ("web", 5)])


def test_sockets_of_systemd_are_this_process_s_alone(tmp_path: Path) -> None:
    assert activated({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert activated({}) == []
    code = (
        "import os; from forebay.control.systemd import activated\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "assert activated(os.environ) == [('web', 3)] and not os.get_inheritable(3) and 'LISTEN_FDS' not in os.environ\n"
    )
    held = os.open(tmp_path, os.O_RDONLY)
    child = f"import os; os.dup2({held}, 3); os.set_inheritable(3, True)\n{code}"
    environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    assert subprocess.run([sys.executable, "-c", child], env=environment, pass_fds=[held], check=False).returncode == 0
    os.close(held)
