"""The engine goes on without Python: a thread of the program that holds the interpreter lock delays no request and no failover."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from .load import Answer, Load, lost, percentile, shares
from .programs import APPLICATIONS, Server, uvicorn

pytestmark = pytest.mark.e2e

ROUNDS = 2
ANSWERS = 500  # in each round of each kind
FLOOR = 0.005  # seconds; what a busy machine may add by itself
HELD = 0.5  # a thread that holds the lock for a second keeps the others from running at least that long


class Program:
    """The application that embeds the gateway, in a process of its own."""

    def __init__(self, endpoints: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(APPLICATIONS / "embedding.py"), *endpoints],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"XDG_STATE_HOME": str(folder)},
        )
        self.address = self.line()
        self.longest: dict[str, float] = {}

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    @contextmanager
    def working(self, kind: str) -> Iterator[None]:
        """Have it work in that way meanwhile; see `embedding.py`."""
        self.say(kind)
        assert self.line() == "ok"
        yield
        self.say("enough")
        self.longest[kind] = max(self.longest.get(kind, 0.0), float(self.line()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()


@pytest.fixture
def three(folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name)) for name in ("a", "b", "c")]


@pytest.fixture
def program(three: list[Server], folder: Path) -> Iterator[Program]:
    with Program([server.address for server in three], folder) as running:
        yield running


def measured(program: Program) -> list[Answer]:
    with Load(program.address, clients=8, answers=ANSWERS) as load:
        return load.finish()


@contextmanager
def spinning_elsewhere() -> Iterator[None]:
    """Have another process use as much of a processor as the spinning thread does, so that only the lock is compared."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


@pytest.mark.parametrize("kind", ["hold", "spin"])
def test_a_thread_that_keeps_the_interpreter_lock_moves_no_p99(program: Program, kind: str) -> None:
    free: list[float] = []
    kept: list[float] = []
    for _ in range(ROUNDS):
        with ExitStack() as aside, program.working("free"):
            if kind == "spin":
                aside.enter_context(spinning_elsewhere())
            without = measured(program)
        with program.working(kind):
            beside = measured(program)
        assert lost(without) == lost(beside) == []
        free.append(percentile(without, 0.99))
        kept.append(percentile(beside, 0.99))
    if kind == "hold":
        assert program.longest["hold"] > HELD, "the lock was not held, so this shows nothing"
    assert min(kept) <= max(1.5 * min(free), min(free) + FLOOR), (free, kept)


def test_a_server_that_dies_while_the_lock_is_held_loses_nothing(program: Program, three: list[Server]) -> None:
    with program.working("hold"), Load(program.address) as load:
        load.until_answered(300)
        three[1].kill()
        killed = time.monotonic()
        load.until_answered(600)
        answers = load.finish()
    assert program.longest["hold"] > HELD
    assert lost(answers) == []
    meanwhile = shares(answers, killed, answers[-1].end)
    assert all(0.4 <= meanwhile[name] <= 0.6 for name in ("a", "c")), meanwhile
