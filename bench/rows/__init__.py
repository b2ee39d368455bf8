"""The rows of the table, in its order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.measure import Line
from bench.paths import BenchError
from bench.rows import (
    callables,
    endpoints,
    events,
    failover,
    instructions,
    log,
    memory,
    picks,
    probes,
    routes,
    servers,
    simulate,
    start,
    syscalls,
    throughput,
)
from bench.session import Session


@dataclass(frozen=True)
class Row:
    """One row that can be asked for by name."""

    run: Callable[[Session], list[Line]]
    quick: bool = True
    """True: part of `--quick`."""
    asked: bool = False
    """True: runs only when `--only` names it."""


def _load(key: str, *, quick: bool = True) -> Row:
    return Row(partial(throughput.run, key=key), quick)


ROWS: dict[str, Row] = {
    "small": _load("small"),
    "headers": _load("headers"),
    "body-100K-down": _load("body-100K-down", quick=False),
    "body-100K-up": _load("body-100K-up", quick=False),
    "body-1M-down": _load("body-1M-down"),
    "body-1M-up": _load("body-1M-up"),
    "body-10M-down": _load("body-10M-down", quick=False),
    "body-10M-up": _load("body-10M-up", quick=False),
    "slow": Row(memory.slow_readers),
    "sse": Row(events.run),
    "close": _load("close"),
    "idle": Row(memory.idle_connections),
    "syscalls": Row(syscalls.run),
    "log": Row(log.run, quick=False),
    "routes": Row(routes.mixed, quick=False),
    "routes-shared": Row(routes.shared, quick=False),
    "start": Row(start.run),
    "pick": Row(picks.run),
    "endpoints": Row(endpoints.run, quick=False),
    "probes": Row(probes.run, quick=False),
    "unequal": Row(servers.unequal, quick=False),
    "errors": Row(servers.errors),
    "callable-added": Row(callables.added, quick=False),
    "callable-busy": Row(callables.busy, quick=False),
    "simulate": Row(simulate.run),
    **{f"failover-{key}": Row(partial(failover.run, key=key), quick=False) for key in failover.FAULTS},
    "instructions": Row(instructions.run, quick=False, asked=True),
}


def selected(only: str, *, quick: bool) -> list[str]:
    """Names of the rows whose name begins with a word of `only` (commas between); without words all, or the quick ones."""
    words = [word for word in only.split(",") if word]
    if not words:
        return [name for name, row in ROWS.items() if not row.asked and (row.quick or not quick)]
    for word in words:
        if not any(name.startswith(word) for name in ROWS):
            message = f"no row begins with {word!r}: choose from {', '.join(ROWS)}"
            raise BenchError(message)
    return [name for name in ROWS if any(name.startswith(word) for word in words)]
