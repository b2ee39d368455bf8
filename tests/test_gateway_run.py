"""A gateway in the foreground of a program: `Gateway.run`."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import forebay


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        monkeypatch.setenv("XDG_STATE_HOME", path)
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        yield Path(path) / "forebay"


FOREGROUND = """
import sys
from forebay import Gateway, Pool
from forebay.testing import FakeEngine
running = int(sys.argv[1])
gateway = Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace=sys.argv[2], pools={"app": Pool(["10.0.0.1:80"])})
gateway.run(name="web", engine=lambda *arguments: FakeEngine(*arguments, running=running))
"""


class Foreground:
    """A program that runs a gateway in the foreground."""

    def __init__(self, running: int, grace: str) -> None:
        command = [sys.executable, "-c", FOREGROUND, str(running), grace]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.banner = [self.line(), self.line()]

    def line(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.readline().rstrip("\n")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        with self._process:
            return self._process.wait(20)


def test_in_the_foreground_it_says_what_it_serves_and_ends_well_on_sigterm(home: Path) -> None:
    program = Foreground(running=0, grace="30s")
    assert program.banner[0].startswith(f"forebay {forebay.__version__} listens on http://127.0.0.1:")
    assert program.banner[1].endswith(f"control on unix:{home}/web/control.sock")
    program.send(signal.SIGTERM)
    assert program.line() == "forebay stopped: 0 finished / 0 cut"
    assert program.end() == 0


def test_a_second_interrupt_cuts_what_still_runs() -> None:
    program = Foreground(running=2, grace="1h")
    program.send(signal.SIGINT)
    assert program.line() == "forebay stops: 2 requests still running, cut after 3600 s (a second Ctrl-C cuts now)"
    program.send(signal.SIGINT)
    assert program.line() == "forebay stopped: 0 finished / 2 cut"
    assert program.end() == 0


def test_what_runs_is_cut_when_its_grace_is_over() -> None:
    program = Foreground(running=2, grace="1ms")
    program.send(signal.SIGTERM)
    assert program.line().startswith("forebay stops: 2 requests still running")
    assert program.line() == "forebay stopped: 0 finished / 2 cut"
    assert program.end() == 0
