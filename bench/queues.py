"""Servers of known speed for the rows of balancing: see `bench-tools --help`, mode `queue`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.paths import LOAD_CORE, TOOL
from bench.peers import fetch
from bench.processes import running


@dataclass(frozen=True)
class Queues:
    """Servers that run: a first-in-first-out queue and one worker each, sleeping exponential times."""

    addresses: tuple[str, ...]
    pid: int

    def taken(self) -> list[int]:
        """Requests that each has taken so far."""
        counts: list[int] = json.loads(fetch(self.addresses[0], "/counts")[1])["taken"]
        return counts


@contextmanager
def queues(work: Path, mean: float, speeds: Sequence[float], *, failing: int = 0) -> Iterator[Queues]:
    """Runs a server for each speed, with a mean time of `mean` seconds at speed 1; the last `failing` answer 500 at once."""
    work.mkdir(parents=True, exist_ok=True)
    listed = ",".join(map(str, speeds))
    command = [str(TOOL), "queue", "--mean", str(mean), "--speeds", listed, "--failing", str(failing)]
    with running(LOAD_CORE, command, log=work / "queues.log") as process:
        assert process.stdout is not None  # noqa: S101 - `running` made it a pipe
        yield Queues(tuple(json.loads(process.stdout.readline())["listening"]), process.pid)
