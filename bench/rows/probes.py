"""Rows of probing: what asking 10,000 endpoints every two seconds costs the whole gateway, which does nothing else meanwhile."""

import json
import statistics
import time

from bench import cpu
from bench.measure import Line
from bench.paths import LOAD_CORE, TOOL, BenchError
from bench.peers import Proxy
from bench.processes import pause, running
from bench.session import Session, say
from bench.status import endpoints

COUNT = 10_000
INTERVAL = 2.0
WINDOW = 10.0
ROUNDS = 3
PATIENCE = 90.0
"""Seconds within which enough of them must have passed a probe."""
ENOUGH = COUNT * 99 // 100
"""On a machine that does something else besides, a probe may run out of its second."""
KINDS = {
    "probes": ("over kept connections", 'path = "/"', 15.0),
    "probes-connect": ("by connecting alone", 'type = "tcp"', 30.0),
}


def run(session: Session) -> list[Line]:
    """All endpoints are one server at many addresses, each with a connection of its own."""
    if "forebay" not in session.peers:
        return []
    return [_line(session, key) for key in KINDS]


def _line(session: Session, key: str) -> Line:
    how, table, bar = KINDS[key]
    folder = session.fresh(key)
    with running(LOAD_CORE, [str(TOOL), "serve", "--listen", "0.0.0.0:0"], log=folder / "backend.log") as backend:
        assert backend.stdout is not None  # noqa: S101 - `running` made it a pipe
        port = json.loads(backend.stdout.readline())["listening"].rpartition(":")[2]
        addresses = tuple(f"127.1.{number // 250}.{number % 250 + 1}:{port}" for number in range(COUNT))
        health = f'[pools.app.health]\ninterval = "{INTERVAL:g}s"\n{table}'
        setting = session.setting(backend=f"127.0.0.1:{port}", endpoints=addresses, routes=health)
        with session.peers["forebay"].start(setting, folder / "forebay") as proxy:
            _until_probed(proxy)
            rounds = min(session.rounds, ROUNDS)
            shares = [_share(proxy) for _ in range(rounds)]
            _until_probed(proxy)
    each = statistics.median(shares) / 100 * INTERVAL / COUNT * 1e6
    note = f"{each:.1f} µs a probe, scheduling and judging included"
    say(f"  {how}: {statistics.median(shares):.1f} % of a core, {note}")
    title = f"{COUNT:,} endpoints probed every {INTERVAL:g} s {how}, idle otherwise"
    return Line(key, title, "% of a core", {"forebay": shares}, bar, against_rivals=False, notes={"forebay": note})


def _until_probed(proxy: Proxy) -> None:
    """Returns once enough endpoints are known to be well, by its probes: nothing else was sent to most of them."""
    given_up = time.monotonic() + PATIENCE
    while time.monotonic() < given_up:
        statuses = [each["status"] for each in endpoints(proxy.work)]
        if statuses.count("healthy") >= ENOUGH:
            return
        pause(1.0)
    raise BenchError(f"after {PATIENCE:g} s only {statuses.count('healthy'):,} of {COUNT:,} endpoints have passed a probe")


def _share(proxy: Proxy) -> float:
    """CPU time of the gateway's processes, in hundredths of a core."""
    before, begun = sum(map(cpu.cpu_seconds, proxy.pids)), time.monotonic()
    pause(WINDOW)
    return 100 * (sum(map(cpu.cpu_seconds, proxy.pids)) - before) / (time.monotonic() - begun)
