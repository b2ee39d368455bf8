"""A new process takes over while requests run: not one is refused or lost; and where it cannot serve, the old one goes on."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .documents import environment
from .load import Load, lost
from .programs import Gateway, Program, Server, ended, gateway, toml, until, uvicorn

pytestmark = pytest.mark.e2e

UPGRADES = 3


@pytest.fixture
def workers(folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name)) for name in ("a", "b")]


def pid(running: Gateway) -> int:
    return int(running.status()["pid"])


class Fresh:
    """A client that opens a connection for each request, and counts what fails."""

    def __init__(self, address: str, folder: Path) -> None:
        host, _, port = address.rpartition(":")
        self._code = (
            "import http.client, sys\n"
            "good = bad = 0\n"
            "while not __import__('pathlib').Path('enough').exists():\n"
            "    try:\n"
            f"        c = http.client.HTTPConnection('{host}', {port}, timeout=10)\n"
            "        c.request('GET', '/'); r = c.getresponse(); r.read(); c.close()\n"
            "        good += r.status == 200; bad += r.status != 200\n"
            "    except OSError as error:\n"
            "        bad += 1; print(repr(error), file=sys.stderr)\n"
            "print(good, bad)\n"
        )
        self.folder = folder

    def command(self) -> list[str]:
        return [sys.executable, "-c", self._code]


def test_under_load_an_upgrade_refuses_and_loses_nothing(workers: list[Server], folder: Path) -> None:
    configuration = toml(*(server.address for server in workers), grace="10s")
    with gateway(folder, configuration) as running, ExitStack() as opened:
        fresh = opened.enter_context(Program(Fresh(running.address, folder).command(), folder))
        load = opened.enter_context(Load(running.address))
        seen = [pid(running)]
        for _ in range(UPGRADES):
            load.until_answered(50)
            before = ended(["forebay", "upgrade"], folder)
            assert before.returncode == 0, before.stderr
            assert f"taken over from {seen[-1]}" in before.stderr
            seen.append(pid(running))
            # The last generation drains before there may be another one.
            until(lambda old=seen[-2]: not Path(f"/proc/{old}").exists() or running.ended(), "the old process stays")  # type: ignore[misc]
        load.until_answered(50)
        answers = load.finish()
        (folder / "enough").touch()
        assert fresh.wait() == 0
        good, bad = map(int, fresh.said.splitlines()[-1].split())
        assert len(set(seen)) == UPGRADES + 1
        assert lost(answers) == []
        assert (bad, fresh.said.count("Error")) == (0, 0)
        assert good > UPGRADES
        os.kill(seen[-1], signal.SIGTERM)
        until(lambda: not Path(f"/proc/{seen[-1]}").exists(), "the last process stays")


def test_a_new_process_that_cannot_serve_leaves_the_old_one_serving(workers: list[Server], folder: Path) -> None:
    with gateway(folder, toml(workers[0].address)) as running:
        (folder / "gateway.toml").write_text("[gateway\n")
        outcome = ended(["forebay", "upgrade"], folder)
        assert outcome.returncode == 2
        assert "the new process does not serve: " in outcome.stderr
        assert "not TOML" in outcome.stderr
        assert httpx.get(running.url).text == "a"
        assert not running.ended()
        outcome = ended(["forebay", "upgrade", "--python", "/nowhere/python"], folder)
        assert (outcome.returncode, "/nowhere/python cannot be started (No such file or directory)" in outcome.stderr) == (2, True)
        outcome = ended(["forebay", "upgrade", "--python", "/bin/false"], folder)
        assert outcome.returncode == 2
        assert "it ended with 1 before it was ready" in outcome.stderr
        assert httpx.get(running.url).text == "a"


def test_sockets_come_from_systemd_and_it_is_told_when_the_gateway_serves_and_ends(workers: list[Server], folder: Path) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(folder / "notify"))
    told.settimeout(30)
    with socket.create_server(("127.0.0.1", 0)) as listener, told:
        port = listener.getsockname()[1]
        (folder / "gateway.toml").write_text(toml(workers[0].address, listen=f"127.0.0.1:{port}"))
        # What systemd does: the socket is descriptor 3, and $LISTEN_PID is the process that then becomes the gateway.
        code = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='forebay.socket')\n"
            "os.execvp('forebay', ['forebay', 'run', 'gateway.toml'])\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(listener.fileno())],
            cwd=folder,
            env={**environment(folder), "NOTIFY_SOCKET": str(folder / "notify")},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            assert told.recv(4096) == b"READY=1"
            assert httpx.get(f"http://127.0.0.1:{port}/").text == "a"
            assert ended(["forebay", "reload"], folder).returncode == 0
            process.send_signal(signal.SIGHUP)
            assert told.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert told.recv(4096) == b"READY=1"
            assert ended(["forebay", "upgrade"], folder).returncode == 0
            words = {told.recv(4096), told.recv(4096)}
            assert b"READY=1" in words
            (main,) = [word for word in words if word.startswith(b"MAINPID=")]
            assert process.wait(30) == 0
            assert httpx.get(f"http://127.0.0.1:{port}/").text == "a"
            os.kill(int(main.split()[0].removeprefix(b"MAINPID=")), signal.SIGTERM)
            assert told.recv(4096) == b"STOPPING=1"
        finally:
            process.kill()
            process.wait()
