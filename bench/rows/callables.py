"""Rows of Python functions that pick: what one adds to a request, and what a busy Python thread does to the requests beside it."""

import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.embedded import BUDGET, FUNCTIONS
from bench.load import Sample
from bench.measure import Line
from bench.paths import LOAD_CORE, PROXY_CORE
from bench.peers import Proxy
from bench.processes import running
from bench.session import Session, disturbed, say, trouble

THREADS = {1: 2.0, 2: 4.0}
"""Microseconds that a function may add, by the number of threads."""
CONNECTIONS = 64
PACE = ("--connections", 16, "--rate", 1000)
"""Requests to a gateway beside a busy thread: few, since that thread takes what the engine leaves of the core."""
ROUNDS = 5
LEEWAY = 0.001
"""Seconds beyond the budget in which a request must be through."""
STEADY = 3.0
"""Seconds of a window from which a 99th percentile at that rate says something."""
BOTH_CORES = ("taskset", "--cpu-list", f"{PROXY_CORE},{LOAD_CORE}")
SPINNER = [*BOTH_CORES, sys.executable, "-c", "while True: pass"]


@dataclass(frozen=True)
class Program:
    """A program of `bench.embedded`, as it is started."""

    threads: int = 1
    spins: bool = False
    shared: bool = False
    """True: on both cores, like one that spins."""

    @contextmanager
    def start(self, session: Session, name: str) -> Iterator[Proxy]:
        """Runs it on the proxies' core, or on both where more than one of its threads is busy."""
        work = session.fresh(name)
        command = [sys.executable, "-m", "bench.embedded", session.backend, str(self.threads), str(work), *(["spin"] if self.spins else [])]
        if self.threads > 1 or self.spins or self.shared:
            command = [*BOTH_CORES, *command]
        with running(PROXY_CORE, command, log=work / "stderr.log") as process:
            assert process.stdout is not None  # noqa: S101 - `running` made it a pipe
            proxy = Proxy("forebay", json.loads(process.stdout.readline())["address"], work, process, 0.0, [process.pid])
            if not self.spins:
                proxy.settle(5)
            yield proxy


def added(session: Session) -> list[Line]:
    """CPU time of a request whose endpoint a function picks, less that of one picked natively, in the same process and round."""
    bounded = replace(session, rounds=max(session.rounds, ROUNDS))
    lines = []
    for threads, bar in THREADS.items():
        with Program(threads).start(session, f"callables-{threads}") as proxy:
            samples = _turns(bounded, proxy)
        least, *others = FUNCTIONS
        note = f"{_cpu(samples['native']):.2f} µs natively; " + ", ".join(
            f"{name} {_cpu(samples[name]) - _cpu(samples['native']):+.2f} µs" for name in (least, *others)
        )
        say(f"  forebay  {threads} thread(s): {note}")
        values = [with_it.cpu_us - without.cpu_us for with_it, without in zip(samples[least], samples["native"], strict=True)]
        title = f"a Python function picks, {threads} thread{'s'[: threads - 1]}: CPU added per request"
        line = Line(f"callable-{threads}", title, "µs CPU", {"forebay": values}, bar, against_rivals=False, notes={"forebay": note})
        line.disturbance = disturbed(samples) if threads == 1 else 0.0
        line.invalid = _errors(samples)
        lines.append(line)
    return lines


def busy(session: Session) -> list[Line]:
    """The 99th percentile beside a Python thread that never pauses, against one beside another process that computes as much."""
    bounded = replace(session, seconds=max(session.seconds, STEADY))
    samples: dict[str, list[Sample]] = {}
    for _ in range(max(session.rounds, ROUNDS)):
        with Program(spins=True).start(session, "callables-spinning") as proxy:
            # Its start takes long beside that thread, and must be over: nothing tells when it is.
            bounded.sample(proxy, _paced("native"), repeat=False)
            samples.setdefault("native beside it", []).append(bounded.sample(proxy, _paced("native"), repeat=False))
            samples.setdefault("function beside it", []).append(bounded.sample(proxy, _paced("first"), repeat=False))
        with Program(shared=True).start(session, "callables-still") as proxy, running(PROXY_CORE, SPINNER, log=proxy.work / "spinner.log"):
            samples.setdefault("native beside another process", []).append(bounded.sample(proxy, _paced("native"), repeat=False))
    tails = {name: [entry.latency["p99"] / 1e3 for entry in found] for name, found in samples.items()}
    note = ", ".join(f"{name}: {statistics.median(found):.3f} ms" for name, found in tails.items())
    say(f"  forebay  p99 {note}")
    moved = [own / other for own, other in zip(tails["native beside it"], tails["native beside another process"], strict=True)]
    reason = _errors(samples)
    title = "a Python thread that never pauses: p99 of routes without a function, against the same load from another process"
    other = f"a Python thread that never pauses: p99 of routes with a function of {BUDGET * 1e3:.0f} ms"
    return [
        Line("callable-beside", title, "x", {"forebay": moved}, 1.25, against_rivals=False, notes={"forebay": note}, invalid=reason),
        Line(
            "callable-busy",
            other,
            "ms",
            {"forebay": tails["function beside it"]},
            (BUDGET + LEEWAY) * 1e3,
            against_rivals=False,
            invalid=reason,
        ),
    ]


def _turns(session: Session, proxy: Proxy) -> dict[str, list[Sample]]:
    """Windows of load on each pool of one program."""
    return session.interleave(["native", *FUNCTIONS], lambda pool: session.sample(proxy, _load(pool), repeat=False))


def _load(pool: str) -> list[object]:
    return ["--connections", CONNECTIONS, "--expect", 63, "--header", f"X-Pool: {pool}"]


def _paced(pool: str) -> list[object]:
    return [*PACE, "--expect", 63, "--header", f"X-Pool: {pool}"]


def _cpu(windows: list[Sample]) -> float:
    return statistics.median(entry.cpu_us for entry in windows)


def _errors(samples: dict[str, list[Sample]]) -> str:
    """A generator that is the limit does no harm to a difference of CPU time; wrong answers do."""
    return "" if not any(entry.errors for windows in samples.values() for entry in windows) else trouble(samples)
