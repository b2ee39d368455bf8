"""Programs in processes of their own, and waiting for what they do."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from forebay.admin.client import get
from forebay.types import Address

from .documents import environment

APPLICATIONS = Path(__file__).with_name("applications")
PATIENCE = 30.0
_LOOK = 0.01  # seconds between two looks at what another process does

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Return the first true value that `look` gives; raises TimeoutError, which names `what`, when there is none in time."""
    pause = threading.Event()
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {patience:g} s: {what}")
        pause.wait(_LOOK)


class Port:
    """A port of 127.0.0.1 that stays this test's own while servers on it come and go.

    A bound socket that does not listen holds it: a server that sets SO_REUSEADDR may bind it too, and nobody gets it by asking for
    port 0. Connections to it are refused meanwhile, as to any server that is down.
    """

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.number: int = self._holder.getsockname()[1]
        self.address = f"127.0.0.1:{self.number}"

    def answers(self) -> bool:
        """Whether a server accepts connections there now."""
        with socket.socket() as probe:
            probe.settimeout(5)
            return probe.connect_ex(("127.0.0.1", self.number)) == 0

    def close(self) -> None:
        """Give it back."""
        self._holder.close()


class Program:
    """A process of this test's own. Entered, it runs; left, it has ended, by SIGKILL if it did not end before."""

    def __init__(self, command: Sequence[str], folder: Path, **more: str) -> None:
        self.command = list(command)
        self.folder = folder
        self.output = folder / f"{Path(command[0]).name}-{id(self):x}.txt"  # of all its runs, standard error too
        self._environment = {**environment(folder), **more}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, again too; does not wait for anything that it does."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return self

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is None or self._process.poll() is not None

    def until(self, look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
        """As `until`, but fails at once, with what the program printed, when it ends meanwhile."""

        def alive() -> T | None:
            found = look()
            assert found or not self.ended(), f"{self.command} ended: {self.said}"
            return found

        return until(alive, f"{what}; it said: {self.said}", patience)

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line that a pattern finds."""
        return until(lambda: re.search(pattern, self.said, re.MULTILINE), f"no line {pattern!r} from {self.command}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; when this returns, the process and its sockets are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM, and wait for the end; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if not self.ended():
            # Gently first: Granian has a child, which only its parent can end.
            self.signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                assert self._process is not None
                self._process.wait(5)
        self.kill()


class Server(Program):
    """A server on a port that it keeps when it is started again."""

    def __init__(self, name: str, command: Callable[[int], Sequence[str]], folder: Path, **more: str) -> None:
        self.name = name
        self._port = Port()
        self.address = self._port.address
        super().__init__(command(self._port.number), folder, **more)

    def start(self) -> Self:
        """Start it, and wait until it accepts connections."""
        super().start()
        self.until(self._port.answers, f"{self.name} does not listen")
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._port.close()


def uvicorn(application: str, folder: Path, name: str = "uvicorn", **more: str) -> Server:
    """Uvicorn, serving `module:name` of the applications of these tests."""
    command = ["-m", "uvicorn", application, "--app-dir", str(APPLICATIONS), "--lifespan", "off", "--no-access-log"]
    return Server(name, lambda port: [sys.executable, *command, "--port", str(port)], folder, **more)


def granian(application: str, folder: Path) -> Server:
    """Granian, likewise."""
    command = ["-m", "granian", "--interface", "asginl", "--working-dir", str(APPLICATIONS), application]
    return Server("granian", lambda port: [sys.executable, *command, "--port", str(port)], folder)


class Gateway(Program):
    """`forebay run` in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        super().__init__(["forebay", "run", *arguments], folder, **more)
        self.addresses: list[str] = []
        self._control = ""

    def start(self) -> Self:
        """Start it, and wait until it says where it listens."""
        super().start()
        self.until(lambda: re.search(r"control on unix:(.*)\n", self.said), "no start-up lines")
        first = self.line(r"^forebay \S+ listens on (.*) -> ")[1]
        self.addresses = [url.removeprefix("http://") for url in first.split(", ")]
        self._control = self.line(r"control on unix:(.*)$")[1]
        return self

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.addresses[0]

    @property
    def url(self) -> str:
        """The same, for a client."""
        return f"http://{self.address}"

    def status(self) -> dict[str, Any]:
        """What its control socket tells."""
        return get(Address("unix", path=self._control), "/status")

    def endpoint(self, address: str, pool: str = "app") -> dict[str, Any]:
        """What it tells of one endpoint."""
        found: dict[str, Any] = self.status()["pools"][pool]["endpoints"][address]
        return found

    def until_answered(self, more: int) -> None:
        """Wait until so many more requests have been answered."""
        enough = self.status()["exchanges"]["total"] + more
        self.until(lambda: self.status()["exchanges"]["total"] >= enough, f"not {more} more answers")


@contextmanager
def gateway(folder: Path, configuration: str, **more: str) -> Iterator[Gateway]:
    """Run a gateway by a file."""
    (folder / "gateway.toml").write_text(configuration)
    with Gateway(folder, "gateway.toml", **more) as running:
        yield running


def toml(*endpoints: str, log: str = "off", grace: str = "30s", more: str = "", listen: str = "127.0.0.1:0") -> str:
    """A configuration with one pool, `app`; `more` is added to it."""
    return f"""
[gateway]
listen = "{listen}"
access_log = "{log}"
shutdown_grace = "{grace}"
[pools.app]
endpoints = {list(endpoints)}
{more}
"""


def ended(command: Sequence[str], folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    bound: Mapping[str, str] = {**environment(folder), **more}
    return subprocess.run(list(command), cwd=folder, env=dict(bound), capture_output=True, text=True, timeout=PATIENCE, check=False)


def resident(pid: int) -> int:
    """Bytes of memory that a process has resident now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
