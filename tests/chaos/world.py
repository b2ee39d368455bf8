"""The world of these tests: servers that can be made to fail, clients that lose what fails, and the gateway between them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import pytest
from tests.e2e.programs import Gateway, Port, gateway

from forebay.admin.client import get
from forebay.types import Address

HERE = Path(__file__).parent
QUICK = 'path = "/healthz"\ninterval = "200ms"'
NAMES = ("a", "b", "c", "d", "e")
_PATIENCE = 60.0
_SLACK = 1.0 if "FOREBAY_CHAOS_TIMES" in os.environ else 4.0


def bar(seconds: float) -> float:
    """A time that Forebay promises: to the letter where rows are repeated, with slack where a busy machine runs them once."""
    return seconds * _SLACK


@dataclass(frozen=True)
class Answer:
    """One request and what came of it; the status is 0 where there was no answer, and `said` tells why it is not 200."""

    number: int
    method: str
    query: str
    start: float
    end: float
    status: int
    server: str
    said: str
    all_down: str = ""

    @property
    def lost(self) -> bool:
        """Whether it was not served."""
        return self.status != 200

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


class Pipe:
    """A process that is talked to by lines."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._command = [sys.executable, str(HERE / script), *arguments]
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The process that runs now."""
        assert self._process is not None
        return self._process

    def start(self) -> Self:
        """Start it, again too."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def tell(self, line: str) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        with self.process as process:
            process.kill()


class Server(Pipe):
    """One server; it keeps its port when it is killed and started again."""

    def __init__(self, name: str, folder: Path, work: float = 0.02, idle: float = 0.0) -> None:
        self.name, self.effects = name, folder / f"effects-{name}"
        self.port = Port()
        self.address = self.port.address
        super().__init__("server.py", str(self.port.number), name, str(self.effects), str(work), str(idle))

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        super().start()
        assert self.hear() == "listening"
        return self

    def becomes(self, mood: str) -> float:
        """Change how it answers; returns when it holds."""
        self.tell(mood)
        assert self.hear() == mood
        return time.monotonic()

    def asked(self) -> int:
        """How many requests it has had."""
        self.tell("count")
        return int(self.hear())

    def freeze(self) -> float:
        """SIGSTOP; returns when."""
        self.process.send_signal(signal.SIGSTOP)
        return time.monotonic()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def notes(self, word: str) -> list[list[str]]:
        """What it has noted under a word: the rest of each such line."""
        lines = self.effects.read_text().splitlines() if self.effects.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(f"{word} ")]


@contextmanager
def servers(folder: Path, count: int = 3, *, work: float = 0.02, idle: float = 0.0) -> Iterator[list[Server]]:
    """Start so many, and end them."""
    with ExitStack() as started:
        found = [Server(name, folder, work, idle) for name in NAMES[:count]]
        for server in found:
            started.callback(server.port.close)
            server.start()
            started.callback(server.kill)
        yield found


class Load(Pipe):
    """Clients. Entered, they run until `finish`; the plan's keys are those of load.py."""

    def __init__(self, address: str, **plan: Any) -> None:
        super().__init__("load.py", json.dumps({"address": address, **plan}))
        self.lag: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def finish(self) -> list[Answer]:
        """All answers by the time of their end, once each client has the one that it waits for."""
        printed, _ = self.process.communicate("over\n", timeout=_PATIENCE)
        assert self.process.returncode == 0
        found = json.loads(printed)
        self.lag = [(when, late) for when, late in found["lag"]]
        return sorted((Answer(**each) for each in found["answers"]), key=lambda answer: answer.end)

    def slowest(self, answers: Sequence[Answer]) -> float:
        """The longest of these requests, in seconds, without the time in which this machine held the clients themselves up."""
        return max(self.without_lag(answer.start, answer.end) for answer in answers)

    def without_lag(self, start: float, end: float) -> float:
        """Seconds between two moments, without those in which the clients were held up."""
        return end - start - sum(late for when, late in self.lag if when + late > start and when < end)


def run_for(seconds: float) -> float:
    """Let the load run on; returns the time then."""
    threading.Event().wait(seconds)
    return time.monotonic()


def lost(answers: Sequence[Answer]) -> list[Answer]:
    """Those that were not served."""
    return [answer for answer in answers if answer.lost]


def told(answers: Sequence[Answer]) -> Counter[str]:
    """How many were lost for which reason."""
    return Counter(f"{answer.method} {answer.status} {answer.said}" for answer in answers)


def effects(found: Sequence[Server]) -> Counter[str]:
    """How often each POST has begun, over all servers."""
    return Counter(words[0] for server in found for words in server.notes("began"))


@contextmanager
def spinning(folder: Path, text: str) -> Iterator[Gateway]:
    """Run a gateway by a file in a program one thread of which runs Python without a pause."""
    (folder / "gateway.toml").write_text(text)
    program = Gateway(folder, "gateway.toml")
    program.command = [sys.executable, str(HERE / "spinning.py"), "run", "gateway.toml"]
    with program as running:
        yield running


Host: TypeAlias = Callable[[Path, str], AbstractContextManager[Gateway]]
HOSTS = [pytest.param(gateway, id="alone"), pytest.param(spinning, id="beside-a-spinning-thread")]
"""How the gateway runs in the tests of what must not depend on the interpreter."""


def configuration(found: Sequence[Server], *, health: str = QUICK, more: str = "", tiers: dict[str, int] | None = None) -> str:
    """One pool, `app`, with a health path; `more` is added to the pool."""
    tier = tiers or {}
    endpoints = ", ".join(
        f'{{ id = "{server.name}", address = "{server.address}", tier = {tier.get(server.name, 0)} }}' for server in found
    )
    probing = f"[pools.app.health]\n{health}\n" if health else ""
    return f"""
[gateway]
listen = "127.0.0.1:0"
access_log = "off"
[pools.app]
endpoints = [{endpoints}]
{more}
{probing}
"""


def events(running: Gateway) -> list[dict[str, Any]]:
    """What has happened in it, the oldest first."""
    found: list[dict[str, Any]] = get(Address("unix", path=running._control), "/events")["events"]
    return found


def until_healthy(running: Gateway, found: Sequence[Server]) -> None:
    """Wait until the gateway takes all of them to be healthy."""
    names = {server.name for server in found}

    def all_healthy() -> bool:
        status = running.status()["pools"]["app"]["endpoints"]
        return all(status[name]["status"] == "healthy" for name in names)

    running.until(all_healthy, "not all are healthy")


__all__ = [
    "HOSTS",
    "Answer",
    "Gateway",
    "Host",
    "Load",
    "Server",
    "configuration",
    "effects",
    "events",
    "gateway",
    "lost",
    "run_for",
    "servers",
    "spinning",
    "told",
    "until_healthy",
]
